"""Whether an experiment trains on several replicas as on one device; and if not, why not."""

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

# Of a weight's largest value. The order of a float32 sum decides its last bits, and the steps add up.
ALLOWED = {"float32": 1e-5, "float64": 1e-9}
# Float64 rounds 5e8 times less than float32, and a mistake is as large in either. Where rounding has grown so much that it
# shows in float64 too, it is still so many times smaller there.
TIMES_SMALLER = 1e4
# A weight whose values are all smaller than this counts as so large: rounding is all that some of them hold.
SMALLEST = 1e-3


@dataclass(frozen=True)
class Agreement:
    """What was found.

    Attributes:
        because: `equal` in float32; `rounding`: equal in float64, and in float32 not; or `differs`.
        text: the outcome and its reasons, a few sentences.
        table: a row per weight: `weight`, `values` (how many), and by how much of its largest value it differs in `float32`
            and, where that was asked, in `float64`.
    """

    because: Literal["equal", "rounding", "differs"]
    text: str
    table: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether several replicas train as one device does, but for rounding."""
        return self.because != "differs"


def agreement(
    experiment: Experiment, examples_folder: Path, transform_folder: Path, *, replicas: int = 2, steps: int = 20
) -> Agreement:
    """Trains a few steps of the experiment on one CPU device and on several logical ones, from the same weights.

    The same images, augmentation, optimizer, clipping and micro-batches; in float32; without dropout, whose masks differ
    between replicas by design. Where the weights differ in the end, all is done again in float64, in which rounding is
    too small to see.

    Args:
        experiment: of the pipeline file.
        examples_folder: the examples' prepared data set.
        transform_folder: where `transform.json` lies.
        replicas: how many.
        steps: how many.

    Raises:
        ConfigError: a batch that does not divide by replicas and micro-batches, or has fewer images than these.
        StageError: the loss became infinite or not a number.
    """
    if replicas < 2 or steps < 1:
        raise ConfigError("a comparison takes at least 2 replicas and 1 step", received=(replicas, steps))
    # Every experiment has a trainer, but the table of all stages does not give the type of its settings.
    settings = cast(TrainerSettings, stage_settings(experiment)["trainer"])
    asked = [json.dumps(plain_settings(settings, replicas=count).to_data()) for count in (1, replicas)]
    with ExitStack() as stack:
        # A process can be split into devices once, so each number of replicas has its own; spawned, as TensorFlow needs.
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
    """By how much of its largest value each array differs.

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
    """Whether what differs in float32 all but vanishes in float64."""
    one, several = runs["float64"]
    allowed = max(ALLOWED["float64"], _largest(*runs["float32"])[1] / TIMES_SMALLER)
    return not several.kept_apart and _first_apart(one, several) is None and _largest(one, several)[1] <= allowed


def _first_apart(one: ReplicaRun, several: ReplicaRun) -> str | None:
    """The first layer that says something else of the first images."""
    apart = relative_differences(one.outputs, several.outputs)
    return next((name for name, value in apart.items() if value > ALLOWED["float64"]), None)


def _largest(one: ReplicaRun, several: ReplicaRun) -> tuple[str, float]:
    """The weight that differs most, and by how much."""
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
        return Agreement("equal", f"They agree. {seen}: rounding.", table)
    again = f"in float64 by {_largest(*runs['float64'])[1]:.1e}"
    if _is_rounding(runs):
        text = f"They agree but for rounding. {seen}; {again}. The network makes what float32 rounds larger with each step."
        return Agreement("rounding", text, table)
    reasons = " ".join(_reasons(*runs["float64"], replicas=replicas))
    return Agreement("differs", f"They differ. {seen}; {again}, so it is no rounding. {reasons}", table)


def _reasons(one: ReplicaRun, several: ReplicaRun, *, replicas: int) -> Iterator[str]:
    first = _first_apart(one, several)
    if several.random:
        yield f"These layers draw random numbers, which differ between replicas by design: {', '.join(several.random)}."
    elif first is not None:
        yield (
            f"Of all layers, {first} is the first that says something else of the first images on {replicas} replicas than "
            "on one device: what it computes over a batch, such as a mean, it computes over its replica's part of it. "
            "Let it sum over all replicas, as keras.layers.BatchNormalization(synchronized=True) does."
        )
    if several.kept_apart:
        yield f"These have another value on each replica: {', '.join(map(_plain, several.kept_apart))}."
    if not several.random and first is None and not several.kept_apart:
        yield (
            "All layers say the same of the first images, so it is the loss, a gradient of its own, or the optimizer that "
            "looks at more than one image at a time."
        )


def _losses(one: ReplicaRun, several: ReplicaRun) -> float:
    return relative_differences({"": one.losses}, {"": several.losses})[""]


def _plain(name: str) -> str:
    """Without the number that keeps names apart."""
    return name.partition(" ")[2]
