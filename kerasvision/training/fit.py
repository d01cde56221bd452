"""Fit a network to examples: the same function for the trainer and for every trial of the tuner."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import Encode, evaluation_batches, training_batches
from kerasvision.data.feeding.inputs import InputTransform, SplitExamples
from kerasvision.data.splits import TRAIN, VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.dotted import set_leaves
from kerasvision.progress import Advance, bar, say
from kerasvision.shortened import shortened
from kerasvision.tasks.base import Task, make_task
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.checkpointing.resume import saved_in
from kerasvision.training.devices.full_precision import in_float32
from kerasvision.training.devices.precision import building_in, chosen_policy, uses_xla
from kerasvision.training.devices.strategy import make_strategy, workers_of
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.ending import how_it_ended
from kerasvision.training.logs.epoch_lines import EpochLines, History, Shown, where_it_goes_on
from kerasvision.training.logs.history import CsvHistory
from kerasvision.training.logs.progress_bar import TrainingBar
from kerasvision.training.logs.tensorboard_log import TensorBoardLog
from kerasvision.training.loop import train_loop
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.loss_scale import LossScale
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep
from kerasvision.training.transfer import part_to_train, without_auxiliary_heads

# The history so far -> why the training must end, or None.
ShouldStop = Callable[[pd.DataFrame], str | None]
# At most this many examples of a lost batch are named.
MOST_NAMED = 8


@dataclass(frozen=True)
class Fitted:
    """A trained network and how it got there.

    Attributes:
        model: with the weights of the last or best epoch, in float32, and without the parts that only training needs.
        history: a row per epoch: `epoch` from 1, `loss`, metrics, and the same with `val_` where there is a validation
            split.
        workers: the workers that trained it. All have the same model, and only the chief may write it.
        stopped: the reason that `should_stop` returned; "" if it never ended the training.
    """

    model: keras.Model
    history: pd.DataFrame
    workers: WorkerGroup = field(default_factory=WorkerGroup)
    stopped: str = ""


def fit(
    settings: TrainerSettings,
    *,
    examples: ExampleSet,
    classes: Sequence[str],
    transform: ImageTransform,
    work: Path | None = None,
    strategy: tf.distribute.Strategy | None = None,
    until_epoch: int | None = None,
    should_stop: ShouldStop = lambda history: None,
) -> Fitted:
    """Trains the network of the settings on the train split. The same settings on the same machine give the same weights.

    Args:
        settings: task, network, training and augmentation.
        examples: with a train split and, optionally, a validation split. The test split is not used.
        classes: class names in the order of their numbers.
        transform: fitted on the train split.
        work: the folder of checkpoints and logs. If it has checkpoints, the training resumes from the newest one. None:
            nothing is kept. Of several workers, only the chief writes there.
        strategy: the result of `make_strategy` for these settings, if it had to be made before TensorFlow ran anything.
        until_epoch: the training ends after this epoch, counted from 1. A later call with the same `work` resumes it, and
            both calls together give the same bits as a single call. None: after the last epoch.
        should_stop: called after each epoch except the last, and before a training resumes after an epoch. It receives the
            history, and returns why the training must end there, or None.

    Raises:
        ConfigError: the settings do not fit the data or the devices, or the checkpoint belongs to another training.
        StageError: the loss became infinite or not a number, or another worker does not answer.
        Interrupted: SIGTERM came; the training is saved.
    """
    settings.training.check_metrics(settings.task, validation=examples.count(VALIDATION) > 0)
    strategy = strategy or make_strategy(settings.training)
    workers = workers_of(strategy)
    with workers.noticing_deaths(), _folder(work, workers) as own_work:
        parts = _parts(settings, examples=examples, classes=classes, transform=transform, strategy=strategy, workers=workers)
        callbacks, end = _callbacks(settings, own_work), _End(should_stop)
        history = _train(parts, callbacks, work=own_work, until_epoch=until_epoch, end=end)
        if parts.step.network.stop_training or len(history["loss"]) == settings.training.epochs:
            for sentence in how_it_ended(settings.training, history, callbacks):
                say(sentence)
        _take_best(parts.step.network, callbacks)
        return Fitted(_model(parts), _table(history), workers, end.reason)


@dataclass(frozen=True)
class _Parts:
    """What is trained, on which data, and by which steps.

    Attributes:
        settings: task, network, training and augmentation.
        task: made from the settings.
        network: the whole network, as the task builds it.
        step: trains the part of the network that learns.
        steps_per_epoch: number of batches in an epoch.
        batches: makes the batches of the train split; its keywords are those of `_batches`.
        validation: (inputs, targets, weights) of this worker; None without a validation split.
        workers: all that take part in the training.
        identity: JSON-able; a checkpoint belongs to this training if its identity is equal.
        policy: Keras' name of the precision.
    """

    settings: TrainerSettings
    task: Task
    network: keras.Model
    step: TrainStep
    steps_per_epoch: int
    batches: Callable[..., tf.data.Dataset]
    validation: tf.data.Dataset | None
    workers: WorkerGroup
    identity: Mapping[str, Any]
    policy: str


def _parts(
    settings: TrainerSettings,
    *,
    examples: ExampleSet,
    classes: Sequence[str],
    transform: ImageTransform,
    strategy: tf.distribute.Strategy,
    workers: WorkerGroup,
) -> _Parts:
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    task, policy = (
        make_task(settings.task, classes).learning_from(examples.dataset(TRAIN)),
        chosen_policy(training.precision),
    )
    identity = {"settings": settings.to_data(), "classes": list(classes), "precision": policy, "workers": workers.count}
    workers.check_same({**identity, "images": {split: examples.count(split) for split in (TRAIN, VALIDATION)}})
    with strategy.scope(), building_in(policy):
        model = model_for_training(settings, replicas=strategy.num_replicas_in_sync)
        network = task.build(model, image_shape=transform.settings.image_shape)
        part, source, prepare = part_to_train(network, settings=settings, examples=examples, transform=transform)
    steps = max(1, source.count(TRAIN) // training.batch_size)  # without examples, making the batches raises the error
    return _Parts(
        settings=settings,
        task=task,
        network=network,
        step=_train_step(part, task, training=training, strategy=strategy, policy=policy, steps_per_epoch=steps),
        steps_per_epoch=steps,
        batches=partial(_batches, source, settings=settings, transform=prepare),
        validation=_validation_batches(source, prepare, task, training, workers=workers),
        workers=workers,
        identity=identity,
        policy=policy,
    )


def _train(
    parts: _Parts,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    work: Path | None,
    until_epoch: int | None,
    end: "_End",
) -> Mapping[str, Sequence[float]]:
    """Runs the loop from the newest checkpoint in `work`, and returns the history of all epochs."""
    training, workers, steps = parts.settings.training, parts.workers, parts.steps_per_epoch
    with (
        saved_in(
            work,
            variables=parts.step.variables(),
            callbacks=callbacks,
            identity=parts.identity,
            minutes=training.checkpoint_minutes,
            workers=workers,
        ) as saving,
        bar("training", total=training.epochs * steps, done=saving.start.step) as advance,
    ):
        if (start := saving.start).step:
            say(where_it_goes_on(start.step, steps_per_epoch=steps, epochs=training.epochs, stopped=start.stopped))
        history = train_loop(
            parts.step,
            parts.batches(encode=parts.task.encode, start_step=start.step, shard=(workers.number, workers.count)),
            epochs=training.epochs,
            steps_per_epoch=steps,
            until_epoch=until_epoch,
            validation=parts.validation,
            callbacks=[*callbacks, *_watchers(parts.settings, advance, history=start.history)],
            steps_per_call=training.steps_per_call,
            saving=saving,
            explain=lambda step: f"Its images: {_ids(step, batches=parts.batches)}. Last checkpoint: {saving.last}",
            agree=workers.largest,
            ends=end.is_reached,
        )
    found: Mapping[str, Sequence[float]] = history.history
    return found


def _watchers(settings: TrainerSettings, advance: Advance, *, history: History) -> list[keras.callbacks.Callback]:
    """The callbacks that show how far a training is, and whose state is not saved.

    Args:
        settings: of the training.
        advance: advances its bar.
        history: of the epochs before it was resumed.
    """
    training, task = settings.training, settings.task
    metric = task.training_headline_metric()
    best_by = training.best_by if training.keep == "best" or training.early_stopping or metric is None else metric
    shown = Shown(metric, best_by, task.best_is(best_by))
    size, epochs = training.batch_size, training.epochs
    return [
        TrainingBar(advance, batch_size=size, epochs=epochs),
        EpochLines(say, shown=shown, batch_size=size, epochs=epochs, history=history),
    ]


class _End:
    """Calls `should_stop` after an epoch, and keeps its reason."""

    def __init__(self, should_stop: ShouldStop) -> None:
        self._should_stop, self.reason = should_stop, ""

    def is_reached(self, history: Mapping[str, Sequence[float]]) -> bool:
        self.reason = self._should_stop(_table(history)) or ""
        return bool(self.reason)


def _model(parts: _Parts) -> keras.Model:
    """The network to keep: in float32, and without the parts that only training needs."""
    model = parts.task.trained(parts.network)
    return model if parts.policy == "float32" else in_float32(model)


def _table(history: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A row per epoch, with its number from 1."""
    table = pd.DataFrame(dict(history))
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table


def _train_step(
    network: keras.Model,
    task: Task,
    *,
    training: c.Training,
    strategy: tf.distribute.Strategy,
    policy: str,
    steps_per_epoch: int,
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
        l2=training.l2,
        xla=uses_xla(training.xla, replicas=strategy.num_replicas_in_sync),
    )


def _batches(
    examples: SplitExamples,
    *,
    settings: TrainerSettings,
    transform: InputTransform,
    encode: Encode,
    start_step: int,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    training = settings.training
    batches, _ = training_batches(
        examples,
        transform=transform,
        encode=encode,
        augment=settings.augment,
        batch_size=training.batch_size,
        epochs=training.epochs,
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        plain_epochs=training.plain_epochs,
        start_step=start_step,
        shard=shard,
    )
    return batches


def _validation_batches(
    examples: SplitExamples, transform: InputTransform, task: Task, training: c.Training, *, workers: WorkerGroup
) -> tf.data.Dataset | None:
    """(inputs, targets, weights): this worker's part of each validation batch. None without a validation split."""
    if not examples.count(VALIDATION):
        return None
    batches = evaluation_batches(
        examples,
        split=VALIDATION,
        transform=transform,
        encode=task.encode,
        batch_size=training.batch_size,
        memory_budget_gb=training.memory_budget_gb,
    )
    if workers.count == 1:
        return batches
    rows = training.batch_size // workers.count
    mine = slice(workers.number * rows, (workers.number + 1) * rows)
    return batches.map(lambda *batch: tf.nest.map_structure(lambda part: part[mine], batch))


def _ids(step: int, *, batches: Callable[..., tf.data.Dataset]) -> str:
    """The examples of a step. Earlier steps do not change them, so they can be found again."""
    ids, _ = next(iter(batches(encode=lambda batch: (batch["id"], batch["id"]), start_step=step)))
    return shortened((name.decode() for name in ids.numpy()), most=MOST_NAMED)


def _callbacks(settings: TrainerSettings, work: Path | None) -> list[keras.callbacks.Callback]:
    """Early stopping, the best weights and logs, as the settings require."""
    training, task = settings.training, settings.task
    callbacks: list[keras.callbacks.Callback] = []
    if training.early_stopping is not None:
        stop = training.early_stopping
        callbacks.append(
            keras.callbacks.EarlyStopping(
                f"val_{stop.metric}",
                min_delta=stop.minimum_change,
                patience=stop.patience,
                mode=task.best_is(stop.metric),
            )
        )
    if training.keep == "best":
        callbacks.append(BestWeights(f"val_{training.best_by}", best_is=task.best_is(training.best_by)))
    if work is not None:
        logs = work / "logs"
        callbacks.append(CsvHistory(logs / "history.csv"))
        callbacks.append(TensorBoardLog(logs, hyperparameters=set_leaves(settings.to_data())))
    return callbacks


def _take_best(network: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    for keeper in callbacks:
        if isinstance(keeper, BestWeights) and keeper.best_weights is not None:
            network.set_weights(keeper.best_weights)


@contextmanager
def _folder(work: Path | None, workers: WorkerGroup) -> Iterator[Path | None]:
    """The folder where this worker may write. Only the chief's is kept."""
    if work is None or workers.is_chief:
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="kerasvision-worker-") as folder:
        yield Path(folder)


def model_for_training(settings: TrainerSettings, *, replicas: int) -> c.Model:
    """The network of the settings, with the options that training on this number of replicas requires."""
    model = settings.model if settings.training.freeze is None else without_auxiliary_heads(settings.model)
    return _synchronized(model) if replicas > 1 else model


def _synchronized(model: c.Model) -> c.Model:
    """The network with batch normalisation over the global batch, if it has any, so that N replicas equal one device."""
    known = lookup.keywords(lookup.MODELS.path(model.name)) or ()
    return with_value(model, "options.synchronized", True) if "synchronized" in known else model
