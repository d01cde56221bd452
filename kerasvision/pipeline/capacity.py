"""How much this machine can run at the same time, determined without TensorFlow."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# The memory of a process with TensorFlow and a data set of moderate size.
BYTES_PER_WORKER = 3 * 2**30
# There are rarely more independent stages than this.
MOST_WORKERS = 4


def default_workers() -> int:
    """How many stages run at the same time by default: one for each core and each 3 GiB of free memory, at most 4.

    >>> 1 <= default_workers() <= 4
    True
    """
    return max(1, min(MOST_WORKERS, cores(), free_memory() // BYTES_PER_WORKER))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Bytes that new processes may take, within a container's limit; all memory if the system does not say."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next((2**10 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), free)
    with suppress(OSError, ValueError):  # "max": no limit
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, max(0, limit - used))
    return free


def has_gpus(environment: Mapping[str, str], *, devices: Path = Path("/dev")) -> bool:
    """Whether TensorFlow may find an NVIDIA GPU. TensorFlow is not started, because it would allocate the GPU's memory.

    >>> has_gpus({"CUDA_VISIBLE_DEVICES": "-1"}), has_gpus({"CUDA_VISIBLE_DEVICES": "0"})
    (False, True)
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return visible.strip() not in ("", "-1")
    return any(devices.glob("nvidia[0-9]*"))
