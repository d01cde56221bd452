"""What a phase of a training consists of: the network, the part of it that learns, its step, and its batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import introspection, lookup
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import Encode, evaluation_batches, training_batches
from kerasvision.data.feeding.inputs import InputTransform, SplitExamples
from kerasvision.data.splits import TRAIN, VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import Task, make_task
from kerasvision.training.devices.precision import building_in, uses_xla
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.gradients import Penalty
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.loss_scale import LossScale
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep
from kerasvision.training.task_inputs import task_inputs
from kerasvision.training.transfer import part_to_train, without_auxiliary_heads


@dataclass(frozen=True)
class Parts:
    """What a phase trains, on which data, and by which steps.

    Attributes:
        settings: task, network, training and augmentation.
        task: made from the settings.
        network: the whole network, as the task builds it.
        step: trains the part of the network that learns.
        steps_per_epoch: number of batches in an epoch.
        began: the phase's first step.
        epochs: of this phase and of an earlier one together.
        batches: makes the batches of the train split; its keywords are those of `_batches`.
        validation: (inputs, targets, weights) of this worker; None without a validation split.
        workers: all that take part in the training.
        policy: Keras' name of the precision.
    """

    settings: TrainerSettings
    task: Task
    network: keras.Model
    step: TrainStep
    steps_per_epoch: int
    began: int
    epochs: int
    batches: Callable[..., tf.data.Dataset]
    validation: tf.data.Dataset | None
    workers: WorkerGroup
    policy: str


def make_parts(
    settings: TrainerSettings,
    *,
    examples: ExampleSet,
    classes: Sequence[str],
    transform: ImageTransform,
    strategy: tf.distribute.Strategy,
    workers: WorkerGroup,
    policy: str,
    began: int = 0,
    weights: list[np.ndarray] | None = None,
) -> Parts:
    """Builds the network and all that trains it. The same settings give the same weights.

    Args:
        settings: of the phase.
        examples, classes, transform: see `fit`.
        strategy, workers: those that train.
        policy: Keras' name of the precision.
        began: the phase's first step, counted over all phases.
        weights: the network's first weights, each of its weight's shape and dtype; None: those that the settings give.

    Raises:
        ConfigError: the settings do not fit the data.
    """
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    task = make_task(settings.task, classes).seeing(transform).learning_from(examples.dataset(TRAIN))
    with strategy.scope(), building_in(policy):
        model = model_for_training(settings, replicas=strategy.num_replicas_in_sync)
        network = task.build(model, image_shape=transform.settings.image_shape)
        if weights is not None:
            network.set_weights(weights)
        part, source, prepare = part_to_train(network, settings=settings, examples=examples, transform=transform)
    steps = max(1, source.count(TRAIN) // training.batch_size)  # without examples, making the batches raises the error
    return Parts(
        settings=settings,
        task=task,
        network=network,
        step=_train_step(
            part, task, training=training, strategy=strategy, policy=policy, steps_per_epoch=steps, workers=workers
        ),
        steps_per_epoch=steps,
        began=began,
        epochs=began // steps + training.epochs,
        batches=partial(
            _batches, source, task=task, settings=settings, transform=prepare, epochs=began // steps + training.epochs
        ),
        validation=_validation_batches(source, prepare, task, settings, workers=workers),
        workers=workers,
        policy=policy,
    )


def model_for_training(settings: TrainerSettings, *, replicas: int) -> c.Model:
    """The network of the settings, with the options that training on this number of replicas requires."""
    model = settings.model if settings.training.freeze is None else without_auxiliary_heads(settings.model)
    return _synchronized(model) if replicas > 1 else model


def _synchronized(model: c.Model) -> c.Model:
    """The network with batch normalisation over the global batch, if it has any, so that N replicas equal one device."""
    known = introspection.keywords(lookup.MODELS.path(model.name)) or ()
    return with_value(model, "options.synchronized", True) if "synchronized" in known else model


def _train_step(
    network: keras.Model,
    task: Task,
    *,
    training: c.Training,
    strategy: tf.distribute.Strategy,
    policy: str,
    steps_per_epoch: int,
    workers: WorkerGroup,
) -> TrainStep:
    with strategy.scope():
        objective, optimizer = task.objective(), make_optimizer(training, steps_per_epoch=steps_per_epoch)
    decay = training.average_decay
    rows = training.batch_size // (strategy.num_replicas_in_sync * training.micro_batches)
    return TrainStep(
        network,
        objective=objective,
        optimizer=optimizer,
        strategy=strategy,
        micro_batches=training.micro_batches,
        clip_norm=training.clip_norm,
        loss_scale=LossScale.for_rows(rows, strategy=strategy) if policy == "mixed_float16" else None,
        averages=None if decay is None else WeightAverages(network, decay=decay, strategy=strategy),
        penalty=Penalty(training.l1, training.l2),
        xla=uses_xla(training.xla, replicas=strategy.num_replicas_in_sync),
        workers=workers,
    )


def _batches(
    examples: SplitExamples,
    *,
    task: Task,
    settings: TrainerSettings,
    transform: InputTransform,
    encode: Encode,
    start_step: int,
    epochs: int,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    training = settings.training
    batches, _ = training_batches(
        examples,
        transform=transform,
        encode=encode,
        augment=settings.augment,
        batch_size=training.batch_size,
        epochs=epochs,
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        plain_epochs=training.plain_epochs,
        start_step=start_step,
        shard=shard,
        sampling=training.sampling,
        **task_inputs(task, settings),
    )
    return batches


def _validation_batches(
    examples: SplitExamples, transform: InputTransform, task: Task, settings: TrainerSettings, *, workers: WorkerGroup
) -> tf.data.Dataset | None:
    """(inputs, targets, weights): this worker's part of each validation batch. None without a validation split."""
    if not examples.count(VALIDATION):
        return None
    training = settings.training
    batches = evaluation_batches(
        examples,
        split=VALIDATION,
        transform=transform,
        encode=task.encode,
        batch_size=training.batch_size,
        memory_budget_gb=training.memory_budget_gb,
        **task_inputs(task, settings),
    )
    if workers.count == 1:
        return batches
    rows = training.batch_size // workers.count
    mine = slice(workers.number * rows, (workers.number + 1) * rows)
    return batches.map(lambda *batch: tf.nest.map_structure(lambda part: part[mine], batch))
