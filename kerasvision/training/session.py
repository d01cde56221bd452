"""One training from folder to folder, as the trainer stage runs it: in this process or in a new one."""

import atexit
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kerasvision import quiet
from kerasvision.config.overrides import with_values
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.all_images import AllImages
from kerasvision.data.examples import ExampleSet
from kerasvision.data.names import class_names
from kerasvision.data.reduced_copies import examples_to_train_on
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import StageError
from kerasvision.models.saved import save_network
from kerasvision.training import child
from kerasvision.training.devices.cluster import read_cluster, who_is_gone
from kerasvision.training.devices.strategy import (
    logical_devices,
    make_logical_devices,
    make_strategy,
    needs_logical_devices,
    needs_own_process,
)
from kerasvision.training.fit import fit
from kerasvision.training.interruption import sigterm_passed_on
from kerasvision.training.logs.epoch_pictures import keep_pictures


@dataclass(frozen=True)
class TrainingFiles:
    """Where a training finds its data and leaves its network.

    Attributes:
        examples: a prepared data set.
        schema: `schema.json`.
        transform: `transform.json`.
        model: the `.keras` file to write.
        history: the CSV file to write.
        work: the folder of checkpoints and logs; None: nothing is kept.
        epochs: the JSON file for how many epochs of each phase made the weights; None: it is not written.
    """

    examples: Path
    schema: Path
    transform: Path
    model: Path
    history: Path
    work: Path | None = None
    epochs: Path | None = None


def train(settings: TrainerSettings, files: TrainingFiles, *, final: Sequence[int] | None = None) -> bool:
    """Trains and saves. Some strategies require that TensorFlow has not started yet; they run in a new process.

    Args:
        settings: task, network, training and augmentation.
        files: where to read and to write.
        final: how many epochs of each phase to train on the images of all splits; None: train on the train split.

    Returns:
        Whether this worker wrote the network to its file. Of several workers, only the chief does.

    Raises:
        KerasvisionError: the error of `fit`, also from the new process.
    """
    if not needs_own_process(settings.training):
        return _train_here(settings, files, final)
    # spawn: a forked child would share the state of a running TensorFlow.
    spawn = multiprocessing.get_context("spawn")
    try:
        with sigterm_passed_on(), child.reports_passed_on(partial(spawn.Pipe, duplex=False)) as reports:
            begin = partial(child.begin, quietly=quiet.is_installed(), reports=reports)
            with ProcessPoolExecutor(1, mp_context=spawn, initializer=begin) as pool:
                trained = pool.submit(_train_in_new_process, json.dumps(settings.to_data()), files, final)
                if reports is not None:
                    reports.close()
                return trained.result()
    except BrokenProcessPool as error:
        raise StageError(
            f"the process that trained ended without an error message{_about_workers(settings)}",
            hint="run the same command again; if it ran out of memory, set a smaller training.batch_size",
        ) from error


def with_hyperparameters(settings: TrainerSettings, best: Path | None) -> TrainerSettings:
    """The settings, with the tuner's values where it found some."""
    if best is None:
        return settings
    return with_values(settings, json.loads(best.read_text(encoding="utf-8")))


def _about_workers(settings: TrainerSettings) -> str:
    """Why a process that trains with other workers may have ended (see `make_strategy`)."""
    if settings.training.strategy != "multi_worker":
        return ""
    gone = who_is_gone(read_cluster(os.environ))
    return (
        "; it ends if all workers have answered, but not all of them have begun to train within "
        f"{settings.training.worker_timeout_seconds:g} seconds" + (f". These workers do not answer: {gone}" if gone else "")
    )


def _train_here(settings: TrainerSettings, files: TrainingFiles, final: Sequence[int] | None) -> bool:
    # This comes first: some strategies can only be made before TensorFlow has run anything.
    strategy = make_strategy(settings.training)
    classes = class_names(files.transform, labels=DataSchema.load(files.schema).classes)
    examples = examples_to_train_on(files.examples, files.transform)
    fitted = fit(
        settings,
        examples=ExampleSet(examples) if final is None else AllImages(examples),
        classes=classes,
        transform=ImageTransform.load(files.transform),
        work=files.work,
        strategy=strategy,
        lengths=final,
    )
    with fitted.workers.noticing_deaths():
        if fitted.workers.is_chief:
            save_network(fitted.model, files.model, names=classes)
            fitted.history.to_csv(files.history, index=False)
            keep_pictures(files.work, beside=files.history, epochs=len(fitted.history))
            if files.epochs is not None:
                files.epochs.write_text(f"{json.dumps(fitted.epochs)}\n", encoding="utf-8")
        # All workers end together: the others could not tell an early end from a crash.
        fitted.workers.any(False)
    return fitted.workers.is_chief


def _train_in_new_process(settings: str, files: TrainingFiles, final: Sequence[int] | None) -> bool:
    parsed = TrainerSettings.parse(json.loads(settings))
    if needs_logical_devices(parsed.training):
        make_logical_devices(logical_devices(parsed.training))
    try:
        return _train_here(parsed, files, final)
    except BaseException:
        if parsed.training.strategy == "multi_worker":
            # TensorFlow ends the process only when the other workers end, and they wait for this one.
            atexit.register(os._exit, 1)
        raise
