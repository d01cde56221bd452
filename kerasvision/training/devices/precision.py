"""In which precision the layers of a network compute, and whether XLA compiles them: as the settings say, or what is fast.

Weights, losses, gradients' sums and the optimizer are float32 in any case (Micikevicius et al., 2017,
https://arxiv.org/abs/1710.03740).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.progress import say

Wanted = Literal["float32", "bfloat16", "float16", "auto"]
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
# Instructions that multiply bfloat16: what /proc/cpuinfo calls them.
FAST_FLAGS = ("amx_bf16", "avx512_bf16")
# The first compute capability of NVIDIA's with units for it: Ampere for bfloat16, Volta for float16.
BFLOAT16_CAPABILITY, FLOAT16_CAPABILITY = (8, 0), (7, 0)


@dataclass(frozen=True)
class Hardware:
    """What decides which precision is fast.

    Attributes:
        gpus: the compute capability of each GPU that TensorFlow can use; (0, 0) where it is not known.
        flags: what the processor can, as /proc/cpuinfo names it; of `FAST_FLAGS` alone.
    """

    gpus: tuple[tuple[int, int], ...] = ()
    flags: frozenset[str] = frozenset()

    @classmethod
    def here(cls, cpuinfo: Path = Path("/proc/cpuinfo")) -> "Hardware":
        """This machine's. Where there is no such file, as on macOS, the processor can nothing of it."""
        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        words = re.findall(r"\w+", cpuinfo.read_text()) if cpuinfo.exists() else []
        return cls(
            gpus=tuple(tuple(detail.get("compute_capability", (0, 0))) for detail in details),
            flags=frozenset(words) & frozenset(FAST_FLAGS),
        )


@dataclass(frozen=True)
class Precision:
    """A precision and why it is this.

    Attributes:
        policy: Keras' name of the dtype policy.
        reason: a sentence without its full stop.
    """

    policy: str
    reason: str


def choose(precision: Wanted, hardware: Hardware | None = None) -> Precision:
    """The dtype policy of a training.

    Of float32's processor time, bfloat16 takes 0.66 for a step of ResNet-18 (112 x 112, batch 16), 0.70 for ResNet-20 (32 x
    32, batch 64) and 1.01 for LeNet-5 (28 x 28, batch 128), on two cores of an AMD EPYC with avx512_bf16
    (`python tests/benchmarks/precision.py`).

    Args:
        precision: of the settings.
        hardware: to be trained on; this machine's where it is left out.

    >>> choose("float16").policy
    'mixed_float16'
    >>> choose("auto", Hardware(flags=frozenset({"avx512_bf16"})))
    Precision(policy='mixed_bfloat16', reason='bfloat16, which this processor multiplies fast (avx512_bf16)')
    >>> choose("auto", Hardware(gpus=((7, 5),))).policy
    'mixed_float16'
    """
    if precision != "auto":
        return Precision(POLICIES[precision], f"{precision}, as the settings say")
    hardware = hardware or Hardware.here()
    if hardware.gpus:
        return _for_gpus(min(hardware.gpus))
    fast = [flag for flag in FAST_FLAGS if flag in hardware.flags]
    if fast:
        return Precision("mixed_bfloat16", f"bfloat16, which this processor multiplies fast ({', '.join(fast)})")
    return Precision("float32", f"float32: this processor has none of {', '.join(FAST_FLAGS)}")


def chosen_policy(precision: Wanted) -> str:
    """Keras' name for the precision of the layers; says on the screen which, where it was left to be chosen."""
    chosen = choose(precision)
    if precision == "auto":
        say(f"training in {chosen.reason}")
    return chosen.policy


@contextmanager
def building_in(policy: str) -> Iterator[None]:
    """Layers that are made within it have this dtype policy.

    >>> with building_in("mixed_bfloat16"):
    ...     keras.layers.Dense(1).compute_dtype
    'bfloat16'
    >>> keras.layers.Dense(1).compute_dtype
    'float32'
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def uses_xla(xla: Literal["auto", "on", "off"], *, replicas: int) -> bool:
    """Whether XLA compiles the step.

    `auto` is off. On two cores of an AMD EPYC, a step takes 2.1 times the processor time with XLA for LeNet-5 (28 x 28,
    batch 128), 1.9 times for ResNet-20 (32 x 32, batch 64) and 1.3 times for ResNet-18 (112 x 112, batch 16); in bfloat16,
    2.1, 2.1 and 1.9 times (`python tests/benchmarks/precision.py`). On a GPU it was not measured.

    Raises:
        ConfigError: it is asked for with several replicas.

    >>> uses_xla("auto", replicas=1), uses_xla("on", replicas=1)
    (False, True)
    """
    if xla == "on" and replicas > 1:
        raise ConfigError(
            "training.xla='on' needs a training on one device: what XLA compiles stays on one",
            received=f"{replicas} replicas",
            hint="set training.xla='auto' or training.strategy='one_device'",
        )
    return xla == "on"


def _for_gpus(capability: tuple[int, int]) -> Precision:
    """Of the least able one: all compute the same."""
    known = "compute capability {}.{}".format(*capability)
    if capability >= BFLOAT16_CAPABILITY:
        return Precision("mixed_bfloat16", f"bfloat16, which this GPU multiplies fast ({known})")
    if capability >= FLOAT16_CAPABILITY:
        return Precision("mixed_float16", f"float16, which this GPU multiplies fast ({known})")
    return Precision("float32", f"float32: this GPU has no units for 16 bits ({known})")
