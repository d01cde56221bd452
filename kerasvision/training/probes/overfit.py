"""Whether an experiment can memorize one batch. If it cannot, it will not learn a data set.

Source: https://cs231n.github.io/neural-networks-3/#sanitycheck, "overfit a tiny subset of data".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.progress import bar
from kerasvision.training.probes.batch_faults import batch_faults, lost_weights, unmoved_layers
from kerasvision.training.probes.one_device import PreparedStep, prepare_step, steady
from kerasvision.training.step import LostError
from kerasvision.training.task_inputs import task_inputs

STEPS = 500
# The batch is learned when the loss has fallen to this share of the first loss, or to this value.
SHARE, NEARLY_NOTHING = 0.01, 1e-3
# Tried if the experiment's own optimizer does not succeed.
OTHER_OPTIMIZER = c.Adam(learning_rate=1e-3)

# Settings of tasks that prevent memorizing.
_HINDRANCES = ("label_smoothing", "scheduled_sampling", "attention_penalty")
_DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianNoise,
)


@dataclass(frozen=True)
class Overfit:
    """The outcome of training on one batch.

    Attributes:
        learned: whether the network memorized the batch.
        table: a row per step: `step` from 1, `loss` and the task's metrics, measured before the step changed the weights.
        findings: possible causes of a failure, a sentence each; empty if none was found.
    """

    learned: bool
    table: pd.DataFrame
    findings: tuple[str, ...]

    @property
    def text(self) -> str:
        """The outcome in a few lines."""
        return "\n".join([_outcome(self.learned, self.table), *self.findings])


def overfit(
    settings: TrainerSettings,
    *,
    examples: ExampleSet,
    classes: Sequence[str],
    transform: ImageTransform,
    steps: int = STEPS,
) -> Overfit:
    """Trains on the first batch of the experiment repeatedly, until its loss is almost 0.

    It uses the experiment's network, loss, optimizer and learning rate, but not augmentation, weight decay, L2, dropout,
    label smoothing, warm-up and schedule: these prevent or slow down memorizing.

    Args:
        settings: of the trainer.
        examples: a data set with a train split.
        classes: class names in the order of their numbers.
        transform: fitted on the train split.
        steps: the largest number of steps, at least 1.

    Raises:
        ConfigError: there are fewer images than a batch needs, or `steps` is below 1.
    """
    if steps < 1:
        raise ConfigError("steps must be at least 1", received=steps)
    settings = unhindered(settings)
    ready_for = partial(prepare_step, examples=examples, classes=tuple(classes), transform=transform)
    ready = ready_for(settings)
    _without_dropout(ready.network)
    batch, ids = _first_batch(ready, examples, transform)
    faults = [*batch_faults(batch, ids=ids), *lost_weights(ready.network)]
    unmoved = unmoved_layers(ready.network, ready.objective, batch)
    table, end = _trained(ready, batch, steps)
    if _is_learned(table["loss"]):
        return Overfit(True, table, tuple(faults))
    findings = [*faults, *(unmoved or _died(ready, batch)), *end, *_about_curve(table)]
    if not faults:
        findings.append(_with_other_optimizer(settings, ready_for, batch, steps))
    return Overfit(False, table, tuple(findings))


def unhindered(settings: TrainerSettings) -> TrainerSettings:
    """The settings without everything that keeps a network from memorizing."""
    changes = {"training.optimizer.weight_decay": 0.0, "training.l1": 0.0, "training.l2": 0.0, "augment": ()}
    changes |= {f"task.{name}": 0.0 for name in _HINDRANCES if name in type(settings.task).model_fields}
    settings = steady(settings)
    for path, value in changes.items():
        settings = with_value(settings, path, value)
    return settings


def _first_batch(ready: PreparedStep, examples: ExampleSet, transform: ImageTransform) -> tuple[tuple[Any, Any], list[str]]:
    training = ready.settings.training
    batches, _ = training_batches(
        examples,
        transform=transform,
        encode=lambda batch: (ready.task.encode(ready.task.with_one_answer(batch)), batch["id"]),
        batch_size=training.batch_size,
        epochs=1,
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        **task_inputs(ready.task, ready.settings),
    )
    batch, ids = next(iter(batches))
    return batch, [name.decode() for name in ids.numpy()]


def _without_dropout(network: keras.Model) -> None:
    for layer in network._flatten_layers():
        if isinstance(layer, _DROPOUTS):
            setattr(layer, "stddev" if isinstance(layer, keras.layers.GaussianNoise) else "rate", 0.0)


def _trained(ready: PreparedStep, batch: tuple[Any, Any], steps: int) -> tuple[pd.DataFrame, list[str]]:
    """A row per step until the batch is learned, and a sentence if the training ended early."""
    again = tf.data.Dataset.from_tensors(batch).repeat()
    iterator = iter(ready.step.share_out(again))
    rows: list[dict[str, float]] = []
    with bar("learning a batch", total=steps) as advance:
        for number in range(1, steps + 1):
            ready.step.reset()
            try:
                loss = float(ready.step.run(iterator, 1)[0])
            except LostError as lost:
                what = "loss" if not math.isfinite(lost.loss) else "gradient"
                rows.append({"step": number, "loss": lost.loss})
                return pd.DataFrame(rows), [f"the {what} is infinite or not a number at step {number}: {_why_lost(number)}"]
            rows.append({"step": number, **ready.step.results(), "loss": loss})
            advance(1, note=f"loss {loss:.4g}")
            if _is_learned(pd.Series([rows[0]["loss"], loss])):
                break
    return pd.DataFrame(rows), []


def _why_lost(step: int) -> str:
    if step == 1:
        return "nothing had been learned yet, so check the initial weights and the loss"
    return "the learning rate is too high, or the loss takes a root or a logarithm of 0"


def _is_learned(losses: pd.Series) -> bool:
    first, last = losses.iloc[0], losses.iloc[-1]
    return bool(last <= max(SHARE * first, NEARLY_NOTHING))


def _died(ready: PreparedStep, batch: tuple[Any, Any]) -> list[str]:
    """Whether the trained network has lost its gradients, or gives the same answer for all images."""
    seen = [f"in the end, {sentence}" for sentence in unmoved_layers(ready.network, ready.objective, batch)]
    answers = tf.nest.flatten(ready.objective.answers(ready.network(batch[0], training=True)))
    if all(_is_same_for_all(np.asarray(part, "float64")) for part in answers):
        seen.append("in the end, the network gives all images the same answer")
    return seen


def _is_same_for_all(answers: np.ndarray) -> bool:
    return len(answers) > 1 and bool(np.ptp(answers, axis=0).max() <= 1e-6 * np.abs(answers).max())


def _about_curve(table: pd.DataFrame) -> list[str]:
    """A sentence about how the loss changed."""
    losses = table["loss"][np.isfinite(table["loss"])].to_numpy()
    if len(losses) < 10:
        return []
    tenth = max(1, len(losses) // 10)
    first, before, last = losses[0], losses[-2 * tenth : -tenth].mean(), losses[-tenth:].mean()
    if last > first:
        return [f"the loss rose, from {first:.4g} to {last:.4g}: the learning rate is too high"]
    if last > 0.95 * first:
        return [
            f"the loss hardly changed, from {first:.4g} to {last:.4g}: the learning rate is too low, or no gradient reaches "
            "the weights"
        ]
    if last < 0.95 * before:
        return [
            f"the loss was still falling, from {before:.4g} to {last:.4g} in the last {tenth} steps: more steps or a "
            "higher learning rate may be enough"
        ]
    return [f"the loss fell from {first:.4g} to {last:.4g} and stayed there"]


def _with_other_optimizer(
    settings: TrainerSettings, ready_for: Callable[[TrainerSettings], PreparedStep], batch: tuple[Any, Any], steps: int
) -> str:
    other = ready_for(with_value(settings, "training.optimizer", OTHER_OPTIMIZER))
    _without_dropout(other.network)
    table, _ = _trained(other, batch, steps)
    rate = f"Adam at a learning rate of {OTHER_OPTIMIZER.learning_rate:g}"
    if _is_learned(table["loss"]):
        learned = f"{rate} learns the batch in {len(table)} steps"
        return f"{learned}, so the network can learn it, and the cause is the optimizer's settings"
    return f"{rate} does not learn it either (loss {table['loss'].iloc[-1]:.4g}): check network, loss and labels"


def _outcome(learned: bool, table: pd.DataFrame) -> str:
    first, last = table.iloc[0], table.iloc[-1]
    how = f"the loss went from {first['loss']:.4g} to {last['loss']:.4g} in {len(table)} steps"
    if "accuracy" in table:
        how += f", accuracy {table['accuracy'].dropna().iloc[-1]:.3f}"
    return f"the batch {'was learned' if learned else 'was not learned'}: {how}"
