"""One search from folder to folder, as the tuner stage runs it."""

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
    """Searches in separate processes, and copies the folder of the search to an artifact.

    Args:
        settings: the trainer's settings, and what to vary in them.
        data: on which the trials are trained.
        folder: of the search; if it contains a search, that one is resumed.
        artifact: the target of a copy without checkpoints; must not exist.

    Returns:
        The result; None on a worker of a search over several machines (see `role`), where nothing is written.

    Raises:
        ConfigError: a trial does not measure the objective, the folder belongs to another search, or a chief's port is in
            use.
        StageError: every trial failed, or a chief does not answer.
        Interrupted: SIGTERM came; the trials are saved.
    """
    role = read_role(os.environ)
    if role is not None and not role.is_chief:
        _take_part(role, settings, data, folder=folder.with_name(f"{folder.name}_{role.name}"))
        return None
    with sigterm_noticed() as is_asked_to_stop, _carriers(role, settings, data, folder) as workers:
        # KerasTuner takes seconds to import; the training processes start meanwhile.
        from kerasvision.tuning.search import search

        inputs = _digests(data)
        result = search(settings, workers=workers, folder=folder, inputs=inputs, is_asked_to_stop=is_asked_to_stop)
    copy_without_checkpoints(folder, artifact)
    return result


def _carriers(role: Role | None, settings: TunerSettings, data: TrialData, folder: Path) -> AbstractContextManager[Carriers]:
    """Runs the trials: processes on this machine, or workers on others."""
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
    say(f"the chief at {role.address} has no more trials; {role.name} has run {count}")


def gpu_names(environment: Mapping[str, str], *, devices: Path) -> tuple[str, ...]:
    """NVIDIA's GPUs by their names in CUDA_VISIBLE_DEVICES. It does not start TensorFlow, which would occupy them.

    >>> gpu_names({"CUDA_VISIBLE_DEVICES": "2,3"}, devices=Path("/dev"))
    ('2', '3')
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in visible.split(",") if name)
    return tuple(sorted(path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*")))


def _digests(data: TrialData) -> dict[str, str]:
    """Name -> SHA-256, of everything except the settings that trials depend on; for the examples, of TFDS' description."""
    files = {"examples": data.examples / "dataset_info.json", "schema": data.schema, "transform": data.transform}
    names = data.transform.with_name(FILE)
    files |= {"names": names} if names.is_file() else {}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
