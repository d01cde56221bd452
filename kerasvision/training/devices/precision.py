"""The precision in which a network's layers compute, and whether XLA compiles them: from the settings or the hardware.

Weights, losses, sums of gradients and the optimizer are always float32 (Micikevicius et al., 2017,
https://arxiv.org/abs/1710.03740).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.processor import BFLOAT16_FLAGS, fast_bfloat16
from kerasvision.progress import say

Wanted = Literal["float32", "bfloat16", "float16", "auto"]
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
# NVIDIA's first compute capability with units for the type: Ampere for bfloat16, Volta for float16.
BFLOAT16_CAPABILITY, FLOAT16_CAPABILITY = (8, 0), (7, 0)


@dataclass(frozen=True)
class Hardware:
    """The hardware that determines which precision is fast.

    Attributes:
        gpus: the compute capability of each GPU that TensorFlow can use; (0, 0) if it is unknown.
        flags: those of `BFLOAT16_FLAGS` that the processor has.
    """

    gpus: tuple[tuple[int, int], ...] = ()
    flags: frozenset[str] = frozenset()

    @classmethod
    def here(cls, cpuinfo: Path = Path("/proc/cpuinfo")) -> "Hardware":
        """This machine's hardware. Without the file, as on macOS, the processor has no flags."""
        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return cls(
            gpus=tuple(tuple(detail.get("compute_capability", (0, 0))) for detail in details),
            flags=frozenset(fast_bfloat16(cpuinfo)),
        )


@dataclass(frozen=True)
class Precision:
    """A precision and why it was chosen.

    Attributes:
        policy: Keras' name of the dtype policy.
        reason: a sentence without its full stop.
    """

    policy: str
    reason: str


def choose(precision: Wanted, hardware: Hardware | None = None) -> Precision:
    """The dtype policy of a training.

    A step in bfloat16 takes this share of float32's processor time: ResNet-18 (112 x 112, batch 16) 0.66, ResNet-20 (32 x
    32, batch 64) 0.70, LeNet-5 (28 x 28, batch 128) 1.01. Measured on two cores of an AMD EPYC with avx512_bf16
    (`python tests/benchmarks/precision.py`).

    Args:
        precision: of the settings.
        hardware: where the training runs; by default this machine's.

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
    fast = [flag for flag in BFLOAT16_FLAGS if flag in hardware.flags]
    if fast:
        return Precision("mixed_bfloat16", f"bfloat16, which this processor multiplies fast ({', '.join(fast)})")
    return Precision("float32", f"float32: this processor has none of {', '.join(BFLOAT16_FLAGS)}")


def chosen_policy(precision: Wanted) -> str:
    """Keras' name for the precision of the layers. If the precision is "auto", it also prints the choice."""
    chosen = choose(precision)
    if precision == "auto":
        say(f"training in {chosen.reason}")
    return chosen.policy


@contextmanager
def building_in(policy: str) -> Iterator[None]:
    """Within it, new layers have this dtype policy.

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

    `auto` means off. On two cores of an AMD EPYC, XLA multiplies the processor time of a step by 2.1 for LeNet-5 (28 x 28,
    batch 128), by 1.9 for ResNet-20 (32 x 32, batch 64) and by 1.3 for ResNet-18 (112 x 112, batch 16); in bfloat16, by 2.1,
    2.1 and 1.9 (`python tests/benchmarks/precision.py`). It was not measured on a GPU.

    Raises:
        ConfigError: it is on with several replicas.

    >>> uses_xla("auto", replicas=1), uses_xla("on", replicas=1)
    (False, True)
    """
    if xla == "on" and replicas > 1:
        raise ConfigError(
            "training.xla='on' requires training on one device: XLA compiles for one device only",
            received=f"{replicas} replicas",
            hint="set training.xla='auto' or training.strategy='one_device'",
        )
    return xla == "on"


def _for_gpus(capability: tuple[int, int]) -> Precision:
    """The precision for the lowest compute capability, because all GPUs use the same precision."""
    known = "compute capability {}.{}".format(*capability)
    if capability >= BFLOAT16_CAPABILITY:
        return Precision("mixed_bfloat16", f"bfloat16, which this GPU multiplies fast ({known})")
    if capability >= FLOAT16_CAPABILITY:
        return Precision("mixed_float16", f"float16, which this GPU multiplies fast ({known})")
    return Precision("float32", f"float32: this GPU has no units for 16 bits ({known})")
