"""Fit a network to examples: the same function for the trainer and for every trial of the tuner."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.batches import decoded_gb, evaluation_batches, training_batches
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import StageError
from kerasvision.progress import bar
from kerasvision.tasks.base import Task, make_task
from kerasvision.training.optimizers import make_optimizer
from kerasvision.training.strategy import make_strategy
from kerasvision.training.transfer import part_to_train, without_auxiliary_heads


@dataclass(frozen=True)
class Fitted:
    """A trained network and how it got there.

    Attributes:
        model: with the weights of the last epoch, and without what only training needs.
        history: a row per epoch: `epoch` from 1, `loss`, metrics, and the same with `val_` where there is a validation
            split.
    """

    model: keras.Model
    history: pd.DataFrame


def fit(settings: TrainerSettings, *, examples: ExampleSet, classes: Sequence[str], transform: ImageTransform) -> Fitted:
    """Trains the network of the settings on the train split. Same settings, same machine: same weights.

    Args:
        settings: task, network, training and augmentation.
        examples: a train split, and a validation split or none. The test split is not looked at.
        classes: class names in the order of their numbers.
        transform: fitted on the train split.

    Raises:
        ConfigError: settings that do not fit the data or the devices.
        StageError: the loss became infinite or not a number.
    """
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    task = make_task(settings.task, classes)
    strategy = make_strategy(training)
    with strategy.scope():
        network = task.build(_for_training(settings, strategy), image_shape=transform.settings.image_shape)
        part, examples, transform = part_to_train(network, settings=settings, examples=examples, transform=transform)
    batches, steps = training_batches(
        examples,
        transform=transform,
        encode=task.encode,
        augment=settings.augment,
        batch_size=training.batch_size,
        epochs=training.epochs,
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        plain_epochs=training.plain_epochs,
    )
    validation = _validation_batches(examples, transform, task, training) if examples.count(VALIDATION) else None
    with strategy.scope():
        _compile(part, task, optimizer=make_optimizer(training, steps_per_epoch=steps))
    with bar("training", total=training.epochs * steps) as advance:
        part.fit(
            _without_autoshard(batches),
            validation_data=None if validation is None else _without_autoshard(validation),
            epochs=training.epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the batches come shuffled
            callbacks=[_Watch(advance)],
            verbose=0,
        )
    history = pd.DataFrame(part.history.history)
    history.insert(0, "epoch", range(1, len(history) + 1))
    return Fitted(task.trained(network), history)


def _compile(model: keras.Model, task: Task, *, optimizer: keras.optimizers.Optimizer) -> None:
    loss, metrics = task.objective()
    model.compile(
        optimizer=optimizer,
        loss=loss,
        # Weighted, so that the copies which fill up the last validation batch do not count.
        weighted_metrics=metrics,
        # Under a strategy XLA fails: it looks for its variables on another device.
        jit_compile=False,
    )


def _validation_batches(
    examples: ExampleSet, transform: ImageTransform, task: Task, training: c.Training
) -> tf.data.Dataset:
    """(inputs, targets, weights) of the validation split, weighted so that Keras' means are those over it."""
    batches = evaluation_batches(
        examples, split=VALIDATION, transform=transform, encode=task.encode, batch_size=training.batch_size
    )
    count = examples.count(VALIDATION)
    rows = -(-count // training.batch_size) * training.batch_size
    # Keras divides the sum of the weighted losses by the number of all rows, those of weight 0 too.
    batches = batches.map(lambda inputs, targets, weights: (inputs, targets, weights * (rows / count)))
    return batches.cache() if decoded_gb(count, transform) <= training.memory_budget_gb else batches


def _for_training(settings: TrainerSettings, strategy: tf.distribute.Strategy) -> c.Model:
    """The network of the settings, with the options that its training asks for."""
    model = settings.model if settings.training.freeze is None else without_auxiliary_heads(settings.model)
    return _synchronized(model) if strategy.num_replicas_in_sync > 1 else model


def _synchronized(model: c.Model) -> c.Model:
    """The network with batch normalisation over the global batch, if it has any: so that N replicas equal one."""
    known = lookup.keywords(lookup.MODELS.path(model.name)) or ()
    return with_value(model, "options.synchronized", True) if "synchronized" in known else model


class _Watch(keras.callbacks.Callback):
    """Moves the bar, and stops a training whose loss is lost."""

    def __init__(self, advance: object) -> None:
        super().__init__()
        self._advance = advance
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise StageError(
                f"the training loss became {loss} at step {batch + 1} of epoch {self._epoch}",
                hint="lower training.optimizer.learning_rate, or set training.warmup_epochs",
            )
        self._advance(1, f"epoch {self._epoch}  loss {loss:.4f}")


def _without_autoshard(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Global batches are split over the replicas of one machine; there are no files to share out between machines."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options)
