"""One search from folder to folder: what the tuner stage runs."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from kerasvision.config.stages import TunerSettings
from kerasvision.data.names import FILE
from kerasvision.progress import say
from kerasvision.training.interruption import sigterm_noticed
from kerasvision.tuning.folder import copy_without_checkpoints
from kerasvision.tuning.records import SearchResult
from kerasvision.tuning.role import Role, read_role
from kerasvision.tuning.trials import Carriers
from kerasvision.tuning.worker import TrialData
from kerasvision.tuning.workers import TrialProcesses


def tune(settings: TunerSettings, data: TrialData, *, folder: Path, artifact: Path) -> SearchResult | None:
    """Searches in processes of its own, and copies the search to where it is kept.

    Args:
        settings: the trainer's settings, and what to vary in them.
        data: what the trials are trained on.
        folder: the search's own; one that was begun there goes on.
        artifact: gets a copy of it without checkpoints; must not exist.

    Returns:
        What was found; None on a worker of a search over several machines (see `role`), where nothing is written.

    Raises:
        ConfigError: a trial does not measure the objective; the folder is of another search; a chief's port is taken.
        StageError: every trial failed; a chief does not answer.
        Interrupted: SIGTERM; what was done is saved.
    """
    role = read_role(os.environ)
    if role is not None and not role.is_chief:
        _take_part(role, settings, data, folder=folder.with_name(f"{folder.name}_{role.name}"))
        return None
    with sigterm_noticed() as is_asked_to_stop, _carriers(role, settings, data, folder) as workers:
        # KerasTuner takes seconds to import; processes that are to train start meanwhile.
        from kerasvision.tuning.search import search

        inputs = _digests(data)
        result = search(settings, workers=workers, folder=folder, inputs=inputs, is_asked_to_stop=is_asked_to_stop)
    copy_without_checkpoints(folder, artifact)
    return result


def _carriers(role: Role | None, settings: TunerSettings, data: TrialData, folder: Path) -> AbstractContextManager[Carriers]:
    """Who carries out the trials: processes here, or workers elsewhere."""
    plan = settings.search
    if role is None:
        return _processes(settings, data, folder, count=plan.parallel_trials)
    from kerasvision.tuning.machines import Chief

    return Chief(role.address, count=plan.parallel_trials, retries=plan.retries)


def _processes(settings: TunerSettings, data: TrialData, folder: Path, *, count: int) -> TrialProcesses:
    plan = settings.search
    return TrialProcesses(
        data,
        folder,
        count=count,
        retries=plan.retries,
        trial_minutes=plan.trial_minutes,
        gpus=gpu_names(os.environ, devices=Path("/dev")),
    )


def _take_part(role: Role, settings: TunerSettings, data: TrialData, *, folder: Path) -> None:
    with sigterm_noticed() as is_asked_to_stop, _processes(settings, data, folder, count=1) as workers:
        from kerasvision.tuning.machines import take_part

        count = take_part(role, workers=workers, folder=folder, is_asked_to_stop=is_asked_to_stop)
    say(f"the chief at {role.address} has no more trials; carried out by {role.name}: {count}")


def gpu_names(environment: Mapping[str, str], *, devices: Path) -> tuple[str, ...]:
    """NVIDIA's GPUs as CUDA_VISIBLE_DEVICES names them, found without starting TensorFlow, which would take them.

    >>> gpu_names({"CUDA_VISIBLE_DEVICES": "2,3"}, devices=Path("/dev"))
    ('2', '3')
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name)
    return tuple(sorted(path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*")))


def _digests(data: TrialData) -> dict[str, str]:
    """Name -> SHA-256 of what trials depend on besides settings. The examples stand by TFDS' description of them."""
    files = {"examples": data.examples / "dataset_info.json", "schema": data.schema, "transform": data.transform}
    names = data.transform.with_name(FILE)
    files |= {"names": names} if names.is_file() else {}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
