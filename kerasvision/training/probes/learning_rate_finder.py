"""Finds a learning rate: a short training raises the rate step by step, and shows where the loss falls fastest.

Source: Smith, 2015, https://arxiv.org/abs/1506.01186, section 3.3. The exponential rise, and the stop when the loss
explodes, follow https://sgugger.github.io/how-do-you-find-a-good-learning-rate.html.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, StageError
from kerasvision.progress import bar
from kerasvision.training.probes.one_device import PreparedStep, prepare_step, steady
from kerasvision.training.step import LostError
from kerasvision.training.task_inputs import task_inputs

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 200
# The smoothing averages over about this share of all steps.
WIDTH = 0.05
# The loss has exploded when its mean exceeds its minimum by this factor.
BLOWN_UP = 4.0
# If the loss falls by less than this share, no rate is suggested.
LEAST_FALL = 0.05


@dataclass(frozen=True)
class LearningRates:
    """The outcome of a search for the learning rate.

    Attributes:
        table: a row per step: `learning_rate`, `loss` of the batch, `smoothed` loss.
        suggestion: the rate at which the smoothed loss fell fastest; None if it did not fall.
        ended: why the training ended.
    """

    table: pd.DataFrame
    suggestion: float | None
    ended: str

    @property
    def text(self) -> str:
        """The outcome in a sentence or two."""
        first, best = self.table["smoothed"].iloc[0], self.table["smoothed"].min()
        seen = f"{len(self.table)} steps, from {self.table['learning_rate'].iloc[0]:.1e} on: {self.ended}."
        if self.suggestion is None:
            return f"{seen} The loss did not fall (from {first:.3g} to {best:.3g} at best), so no rate can be suggested."
        return f"{seen} The loss fell from {first:.3g} to {best:.3g}, fastest at a learning rate of {self.suggestion:.1e}."

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Writes `learning_rate.csv` and `learning_rate.png`; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        table, picture = folder / "learning_rate.csv", folder / "learning_rate.png"
        self.table.to_csv(table, index=False)
        draw(self).savefig(picture, dpi=100)
        return table, picture


def find_learning_rate(
    settings: TrainerSettings,
    *,
    examples: ExampleSet,
    classes: Sequence[str],
    transform: ImageTransform,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> LearningRates:
    """Trains while the learning rate rises by the same factor at each step, and records the loss.

    Network, images, augmentation, batch size, optimizer, clipping and L2 are the experiment's. The training starts from the
    experiment's initial weights, and its result is not kept.

    Args:
        settings: of the trainer; their learning rate, warm-up and schedule are ignored.
        examples: a data set with a train split.
        classes: class names in the order of their numbers.
        transform: fitted on the train split.
        lowest, highest: the first and the last learning rate.
        steps: number of steps from the lowest to the highest rate, at least 20.

    Raises:
        ConfigError: the range is empty, there are too few steps, or there are fewer images than a batch needs.
        StageError: the loss is not finite at the first step.
    """
    if not 0 < lowest < highest < math.inf:
        raise ConfigError("learning rates must rise from lowest > 0 to highest", received=(lowest, highest))
    if steps < 20:
        raise ConfigError("a search for the learning rate requires at least 20 steps", received=steps)
    settings = steady(settings)
    training = settings.training
    ready = prepare_step(settings, examples=examples, classes=tuple(classes), transform=transform)
    batches, _ = training_batches(
        examples,
        transform=transform,
        encode=ready.task.encode,
        augment=settings.augment,
        batch_size=training.batch_size,
        epochs=-(-steps // max(1, examples.count(TRAIN) // training.batch_size)),
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        sampling=training.sampling,
        **task_inputs(ready.task, settings),
    )
    rates = np.geomspace(lowest, highest, steps)
    losses, ended = _losses(ready, iter(ready.step.share_out(batches)), rates)
    smooth = smoothed(losses, width=_width(steps))
    table = pd.DataFrame({"learning_rate": rates[: len(losses)], "loss": losses, "smoothed": smooth})
    return LearningRates(table, suggested(table), ended)


def _losses(ready: PreparedStep, iterator: Any, rates: np.ndarray) -> tuple[list[float], str]:
    """The loss of each step until it explodes, and why the training ended."""
    losses: list[float] = []
    best = math.inf
    with bar("trying rates", total=len(rates)) as advance:
        for rate in rates:
            ready.step.optimizer.learning_rate = rate
            try:
                losses.append(float(ready.step.run(iterator, 1)[0]))
            except LostError as lost:
                if not losses:
                    raise StageError(
                        f"the loss must be a number at the first step, before anything is learned; it is {lost.loss}",
                        hint="check the images (kerasvision data scan), and model.weights if they are set",
                    ) from None
                return losses, f"at {rate:.1e} the loss or the gradient was infinite or not a number"
            mean = float(np.mean(losses[-_width(len(rates)) :]))
            best = min(best, mean)
            if mean > BLOWN_UP * best:
                return losses, f"at {rate:.1e} the loss was more than {BLOWN_UP:g} times its minimum"
            advance(1, note=f"{rate:.1e}  loss {mean:.3g}")
    return losses, f"{rates[-1]:.1e} was reached"


def smoothed(losses: Sequence[float], *, width: int) -> np.ndarray:
    """Each loss averaged with about `width` neighbours on both sides, weighted by a normal distribution.

    Unlike a running mean, it does not delay changes.

    Args:
        losses: S numbers.
        width: twice the standard deviation of the normal distribution, in steps.

    Returns:
        float64 (S,).

    >>> smoothed([5.0, 4.0, 3.0, 2.0, 1.0], width=2)[2].round(6).item()
    3.0
    """
    found: np.ndarray = gaussian_filter1d(np.asarray(losses, "float64"), sigma=width / 2, mode="nearest")
    return found


def _width(steps: int) -> int:
    return max(2, round(WIDTH * steps))


def suggested(table: pd.DataFrame) -> float | None:
    """The learning rate at which the smoothed loss falls fastest per logarithm of the rate; None if it does not fall.

    Args:
        table: has the columns `learning_rate`, evenly spaced on a logarithmic scale, and `smoothed`.
    """
    loss = table["smoothed"].to_numpy()
    best = int(loss.argmin())
    if best < 2 or loss[best] > (1 - LEAST_FALL) * loss[0]:
        return None
    return float(table["learning_rate"].iloc[int(np.gradient(loss[: best + 1]).argmin())])


def draw(found: LearningRates) -> Figure:
    """Plots the loss against the learning rate, with the suggestion."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.table["learning_rate"], found.table["loss"], alpha=0.3, label="loss of a batch")
    axes.plot(found.table["learning_rate"], found.table["smoothed"], label="smoothed")
    if found.suggestion is not None:
        axes.axvline(found.suggestion, color="firebrick", linestyle="--", label=f"falls fastest: {found.suggestion:.1e}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    # The exploded losses at the end would flatten the rest of the curve.
    low, high = found.table["smoothed"].min(), found.table["smoothed"].iloc[0]
    axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.5 * (high - low) + 1e-9)
    axes.legend()
    axes.grid(alpha=0.3)
    return figure
