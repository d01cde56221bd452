"""Whether training on several replicas gives the same weights as on one device; and if not, why."""

import json
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pandas as pd

from kerasvision.config.experiment import Experiment
from kerasvision.config.stages import TrainerSettings, stage_settings
from kerasvision.errors import ConfigError
from kerasvision.training.probes.replica_run import Dtype, ReplicaRun, plain_settings, prepare_process, replica_run

# Relative to a weight's largest value. The order of a float32 sum changes its last bits, and the steps accumulate this.
ALLOWED = {"float32": 1e-5, "float64": 1e-9}
# Float64 rounds 5e8 times less than float32, while a mistake has the same size in both. Even if rounding has grown until it
# shows in float64, it is smaller there by at least this factor.
TIMES_SMALLER = 1e4
# A smaller largest value counts as this one: some weights contain nothing but rounding.
SMALLEST = 1e-3


@dataclass(frozen=True)
class Agreement:
    """The outcome of a comparison.

    Attributes:
        because: `equal` in float32; `rounding`: equal in float64 but not in float32; or `differs`.
        text: the outcome and its reasons, a few sentences.
        table: a row per weight: `weight`, `values` (how many), and the difference relative to the largest value in `float32`
            and, if it was computed, in `float64`.
    """

    because: Literal["equal", "rounding", "differs"]
    text: str
    table: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether several replicas train as one device does, except for rounding."""
        return self.because != "differs"


def agreement(
    experiment: Experiment, examples_folder: Path, transform_folder: Path, *, replicas: int = 2, steps: int = 20
) -> Agreement:
    """Trains a few steps of the experiment on one CPU device and on several logical ones, from the same weights.

    Images, augmentation, optimizer, clipping and micro-batches are the same. It trains in float32, and without dropout,
    which differs between replicas by design. If the final weights differ, it repeats both trainings in float64, where
    rounding is too small to matter.

    Args:
        experiment: of the pipeline file.
        examples_folder: the prepared data set of the examples.
        transform_folder: contains `transform.json`.
        replicas: number of logical devices, at least 2.
        steps: number of training steps, at least 1.

    Raises:
        ConfigError: the batch size is not a multiple of replicas times micro-batches, or a value is out of range.
        StageError: the loss became infinite or not a number.
    """
    if replicas < 2 or steps < 1:
        raise ConfigError("a comparison requires at least 2 replicas and 1 step", received=(replicas, steps))
    # Every experiment has a trainer, but the table of all stages does not give the type of its settings.
    settings = cast(TrainerSettings, stage_settings(experiment)["trainer"])
    asked = [json.dumps(plain_settings(settings, replicas=count).to_data()) for count in (1, replicas)]
    with ExitStack() as stack:
        # A process can be split into devices only once, so each number of replicas has its own process. TensorFlow requires
        # that it is spawned.
        pools = [stack.enter_context(_process(count)) for count in (1, replicas)]

        def both(dtype: Dtype) -> tuple[ReplicaRun, ReplicaRun]:
            files = (examples_folder, transform_folder / "transform.json")
            begun: list[Future[ReplicaRun]] = [
                pool.submit(replica_run, text, *files, steps=steps, dtype=dtype)
                for pool, text in zip(pools, asked, strict=True)
            ]
            one, several = (future.result() for future in begun)
            return one, several

        runs = {"float32": both("float32")}
        if not _equal(*runs["float32"], dtype="float32"):
            runs["float64"] = both("float64")
    return _judged(runs, replicas=replicas, steps=steps)


def relative_differences(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest difference of each array, relative to its largest absolute value in `one`.

    Args:
        one, other: name -> float array of any shape; both have the same names and shapes.

    >>> relative_differences({"bias": np.array([1.0, -4.0])}, {"bias": np.array([1.0, -3.0])})
    {'bias': 0.25}
    """
    return {
        name: float(np.max(np.abs(other[name] - value), initial=0) / max(np.max(np.abs(value), initial=0), SMALLEST))
        for name, value in one.items()
    }


def _process(replicas: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=spawn, initializer=prepare_process, initargs=(replicas,))


def _equal(one: ReplicaRun, several: ReplicaRun, *, dtype: str) -> bool:
    return not several.kept_apart and _largest(one, several)[1] <= ALLOWED[dtype]


def _is_rounding(runs: Mapping[str, tuple[ReplicaRun, ReplicaRun]]) -> bool:
    """Whether the difference in float32 almost disappears in float64."""
    one, several = runs["float64"]
    allowed = max(ALLOWED["float64"], _largest(*runs["float32"])[1] / TIMES_SMALLER)
    return not several.kept_apart and _first_apart(one, several) is None and _largest(one, several)[1] <= allowed


def _first_apart(one: ReplicaRun, several: ReplicaRun) -> str | None:
    """The first layer whose outputs for the first batch differ."""
    apart = relative_differences(one.outputs, several.outputs)
    return next((name for name, value in apart.items() if value > ALLOWED["float64"]), None)


def _largest(one: ReplicaRun, several: ReplicaRun) -> tuple[str, float]:
    """The weight with the largest difference, and that difference."""
    found = relative_differences(one.weights, several.weights)
    return max(found.items(), key=lambda item: item[1])


def _judged(runs: Mapping[str, tuple[ReplicaRun, ReplicaRun]], *, replicas: int, steps: int) -> Agreement:
    weights = runs["float32"][0].weights
    table = pd.DataFrame({"weight": map(_plain, weights), "values": [value.size for value in weights.values()]})
    for dtype, (one, several) in runs.items():
        table[dtype] = list(relative_differences(one.weights, several.weights).values())
    name, largest = _largest(*runs["float32"])
    seen = (
        f"After {steps} steps on 1 device and on {replicas} replicas (float32, without dropout) the weights differ by at "
        f"most {largest:.1e} of their largest value ({_plain(name)}), the losses by {_losses(*runs['float32']):.1e}"
    )
    if "float64" not in runs:
        return Agreement("equal", f"They agree. {seen}. This is rounding.", table)
    again = f"in float64 by {_largest(*runs['float64'])[1]:.1e}"
    if _is_rounding(runs):
        text = f"They agree except for rounding. {seen}; {again}. The network amplifies float32's rounding with each step."
        return Agreement("rounding", text, table)
    reasons = " ".join(_reasons(*runs["float64"], replicas=replicas))
    return Agreement("differs", f"They differ. {seen}; {again}, so the cause is not rounding. {reasons}", table)


def _reasons(one: ReplicaRun, several: ReplicaRun, *, replicas: int) -> Iterator[str]:
    first = _first_apart(one, several)
    if several.random:
        yield f"These layers draw random numbers, which differ between replicas by design: {', '.join(several.random)}."
    elif first is not None:
        yield (
            f"{first} is the first layer whose outputs for the first batch differ between 1 device and {replicas} replicas. "
            "It computes something over the whole batch, such as a mean, and each replica only has its part of the batch. "
            "Make it sum over all replicas, as keras.layers.BatchNormalization(synchronized=True) does."
        )
    if several.kept_apart:
        yield f"These weights have a different value on each replica: {', '.join(map(_plain, several.kept_apart))}."
    if not several.random and first is None and not several.kept_apart:
        yield (
            "All layers have the same outputs for the first batch, so the cause is in the loss, a custom gradient, or the "
            "optimizer: one of them combines several images."
        )


def _losses(one: ReplicaRun, several: ReplicaRun) -> float:
    return relative_differences({"": one.losses}, {"": several.losses})[""]


def _plain(name: str) -> str:
    """The name without the number that makes it unique."""
    return name.partition(" ")[2]
