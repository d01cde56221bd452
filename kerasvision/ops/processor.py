"""Which number types this machine's processor multiplies fast."""

import re
from pathlib import Path

# Instructions that multiply bfloat16, by their names in /proc/cpuinfo.
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")


def fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Those of `BFLOAT16_FLAGS` that the processor has. Without the file, as on macOS, it has none.

    >>> fast_bfloat16(Path("/nowhere"))
    ()
    """
    words = set(re.findall(r"\w+", cpuinfo.read_text())) if cpuinfo.exists() else set()
    return tuple(flag for flag in BFLOAT16_FLAGS if flag in words)
