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

from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN, VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.dotted import set_leaves
from kerasvision.progress import Advance, bar, say
from kerasvision.shortened import shortened
from kerasvision.tasks.base import EPOCH_PICTURES
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.checkpointing.resume import saved_in
from kerasvision.training.devices.full_precision import in_float32
from kerasvision.training.devices.precision import chosen_policy
from kerasvision.training.devices.strategy import make_strategy, workers_of
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.ending import how_it_ended, kept_epochs
from kerasvision.training.logs.epoch_lines import EpochLines, History, Shown, where_it_goes_on
from kerasvision.training.logs.epoch_pictures import EpochPictures
from kerasvision.training.logs.history import CsvHistory
from kerasvision.training.logs.progress_bar import TrainingBar
from kerasvision.training.logs.tensorboard_log import TensorBoardLog
from kerasvision.training.loop import Progress, train_loop
from kerasvision.training.parts import Parts, make_parts
from kerasvision.training.phases import Handover, began_at, phases
from kerasvision.training.required_metrics import RequiredMetrics

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
        epochs: how many epochs of each phase made the weights of the model.
    """

    model: keras.Model
    history: pd.DataFrame
    workers: WorkerGroup = field(default_factory=WorkerGroup)
    stopped: str = ""
    epochs: tuple[int, ...] = ()


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
    lengths: Sequence[int] | None = None,
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
        until_epoch: the training ends after this epoch of its first phase, counted from 1. A later call with the same
            `work` resumes it, and both calls together give the same bits as a single call. After the last epoch of the
            first phase follows the fine-tuning, if there is one. None: after the last epoch.
        should_stop: called after each epoch except the last, and before a training resumes after an epoch. It receives the
            history, and returns why the training must end there, or None.
        lengths: how many epochs each phase trains, at most as many as the settings say; a phase without a number is left
            out. Schedules are those of the whole phase. None: as many as the settings say.

    Raises:
        ConfigError: the settings do not fit the data or the devices, or the checkpoint belongs to another training.
        StageError: the loss became infinite or not a number, or another worker does not answer.
        Interrupted: SIGTERM came; the training is saved.
    """
    settings.training.check_metrics(settings.task, validation=examples.count(VALIDATION) > 0)
    strategy = strategy or make_strategy(settings.training)
    workers, policy = workers_of(strategy), chosen_policy(settings.training.precision)
    identity = {
        "settings": settings.to_data(),
        "classes": list(classes),
        "precision": policy,
        "workers": workers.count,
    }
    prepared = partial(
        make_parts,
        examples=examples,
        classes=classes,
        transform=transform,
        strategy=strategy,
        workers=workers,
        policy=policy,
    )
    with workers.noticing_deaths(), _folder(work, workers) as own_work:
        workers.check_same({**identity, "images": {split: examples.count(split) for split in (TRAIN, VALIDATION)}})
        end = _End(should_stop)
        trained = partial(_train, work=own_work, identity=identity, logged=settings, end=end)
        first, *second = phases(settings)[: None if lengths is None else len(lengths)]
        began = began_at(own_work, identity=identity, workers=workers) if second else 0
        before = weights = None
        if not began:
            parts = prepared(first)
            before = trained(parts, until_epoch=until_epoch, length=lengths[0] if lengths else None)
            is_partial = until_epoch is not None and until_epoch < first.training.epochs
            if not second or is_partial or end.reason:
                return _fitted(parts, before.progress, end=end)
            began, weights = before.progress.step, parts.network.get_weights()
            del parts  # The feature maps may be large.
        parts = prepared(*second, began=began, weights=weights)
        length = began // parts.steps_per_epoch + lengths[1] if lengths else None
        return _fitted(parts, trained(parts, before=before, length=length).progress, end=end)


def _train(
    parts: Parts,
    *,
    work: Path | None,
    identity: Mapping[str, Any],
    logged: TrainerSettings,
    end: "_End",
    until_epoch: int | None = None,
    before: Handover | None = None,
    length: int | None = None,
) -> Handover:
    """Runs the loop from the newest checkpoint in `work`, and gives the network the weights of its last or best epoch.

    `length` is the number of epochs, of this phase and of an earlier one together; None: that of the settings.
    """
    training, workers, steps = parts.settings.training, parts.workers, parts.steps_per_epoch
    epochs = parts.epochs if length is None else length
    callbacks = [*_callbacks(logged, work), *_drawn(parts, work)]
    with (
        saved_in(
            work,
            variables=parts.step.variables(),
            callbacks=callbacks,
            identity=identity,
            minutes=training.checkpoint_minutes,
            workers=workers,
            start=before.progress if before else Progress(step=parts.began),
            take_over=partial(before.take_over, callbacks) if before else lambda: None,
        ) as saving,
        bar("fine-tuning" if parts.began else "training", total=epochs * steps, done=saving.start.step) as advance,
    ):
        start = saving.start
        _say_start(start, parts, epochs=epochs, after_another=before is not None)
        history = train_loop(
            parts.step,
            parts.batches(encode=parts.task.encode, start_step=start.step, shard=(workers.number, workers.count)),
            epochs=parts.epochs,
            steps_per_epoch=steps,
            until_epoch=until_epoch if length is None else length,
            validation=parts.validation,
            callbacks=[
                RequiredMetrics([f"val_{training.early_stopping.metric}"] if training.early_stopping else []),
                *callbacks,
                *_watchers(parts.settings, advance, epochs=epochs, history=start.history),
            ],
            steps_per_call=training.steps_per_call,
            saving=saving,
            explain=lambda step: f"Its images: {_ids(step, batches=parts.batches)}. Last checkpoint: {saving.last}",
            agree=workers.largest,
            ends=end.is_reached,
        )
    done = max(map(len, history.history.values()), default=0)
    if parts.step.network.stop_training or done == epochs:
        for sentence in how_it_ended(training.model_copy(update={"epochs": epochs}), history.history, callbacks):
            say(sentence)
    _take_best(parts.step.network, callbacks)
    return Handover(Progress(done * steps, history.history), callbacks)


def _say_start(start: Progress, parts: Parts, *, epochs: int, after_another: bool) -> None:
    """Prints where the training begins, unless that is its first step."""
    steps = parts.steps_per_epoch
    if after_another:
        say(f"fine-tuning begins at epoch {start.step // steps + 1} of {epochs}")
    elif start.step:
        goes_on = where_it_goes_on(start.step, steps_per_epoch=steps, epochs=epochs, stopped=start.stopped)
        say(f"fine-tuning {goes_on}" if parts.began else goes_on)


def _watchers(
    settings: TrainerSettings, advance: Advance, *, epochs: int, history: History
) -> list[keras.callbacks.Callback]:
    """The callbacks that show how far a training is, and whose state is not saved.

    Args:
        settings: of the training.
        advance: advances its bar.
        epochs: of all phases so far.
        history: of the epochs before it was resumed.
    """
    training, task = settings.training, settings.task
    metric = task.training_headline_metric()
    best_by = training.best_by if training.keep == "best" or training.early_stopping or metric is None else metric
    shown = Shown(metric, best_by, task.best_is(best_by))
    size = training.batch_size
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


def _fitted(parts: Parts, progress: Progress, *, end: "_End") -> Fitted:
    training, began = parts.settings.training, parts.began // parts.steps_per_epoch
    best_is = parts.settings.task.best_is(training.best_by)
    made_by = kept_epochs(training, progress.history, began=began, best_is=best_is)
    return Fitted(_model(parts), _table(progress.history), parts.workers, end.reason, made_by)


def _model(parts: Parts) -> keras.Model:
    """The network to keep: in float32, and without the parts that only training needs."""
    model = parts.task.trained(parts.network)
    return model if parts.policy == "float32" else in_float32(model)


def _table(history: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A row per epoch, with its number from 1."""
    table = pd.DataFrame(dict(history))
    table.insert(0, "epoch", range(1, len(table) + 1))
    return table


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


def _drawn(parts: Parts, work: Path | None) -> list[keras.callbacks.Callback]:
    """What draws a picture after each epoch, if the task has one."""
    draw = None if work is None else parts.task.epoch_picture(parts.network)
    return [] if work is None or draw is None else [EpochPictures(draw, work / EPOCH_PICTURES)]


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
