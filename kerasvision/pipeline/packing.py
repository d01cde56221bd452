"""Packs a run into a zip file, from which `replaying.py` runs it again."""

import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from kerasvision import introspection
from kerasvision.config.loading import module_name
from kerasvision.disk import refused
from kerasvision.errors import ConfigError
from kerasvision.pipeline.artifacts import Examples
from kerasvision.pipeline.code import code_digests
from kerasvision.pipeline.comparison import scores_of
from kerasvision.pipeline.headline import made, verdict
from kerasvision.pipeline.lineage import maker
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.pack import MODULES, PIPELINE, Pack, PackedStage, installed_packages
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord
from kerasvision.pipeline.request import Request
from kerasvision.pipeline.store import Store, opened
from kerasvision.shortened import shortened
from kerasvision.whole_files import write_whole

MOST_NAMED = 5


def pack_run(run_id: str, file: Path | None = None, *, root: Path | str = ".") -> Path:
    """Packs a run and returns the path of the zip file.

    Args:
        run_id: the beginning of a run's id, or `latest`.
        file: where to write it; by default `<run id>.zip` in the current folder.
        root: the folder of `runs/`.

    Raises:
        ConfigError: no such run; it does not come from a pipeline file; a module of the user has changed since; or the file
            exists.
        StoreError: the file cannot be written there.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        run = store.run(run_id)
        text = store.request(run)
        executions = store.executions(run)
        stages = tuple(_stage(execution, store) for execution in executions)
    if not text:
        raise ConfigError(
            f"run {run.id} has no record of its settings, so it cannot be packed", hint="run its pipeline again"
        )
    request = Request.from_text(text)
    examples = next(made(executions, "Examples"), None)
    pack = Pack(
        run=run.id,
        pipeline=run.pipeline,
        started=datetime.fromtimestamp(run.started_ms / 1000, UTC).isoformat(timespec="seconds"),
        outcome=run.outcome,
        verdict=verdict(executions),
        request=request,
        file=_packed_name(request),
        stages=stages,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=installed_packages(),
        examples=examples.digest if examples else "",
        code=_code(request, stages, run.id),
        manifest=_manifest(examples),
        scores=scores_of(executions),
    )
    return _written(pack, file or Path(f"{run.id}.zip"))


def _stage(execution: ExecutionRecord, store: Store) -> PackedStage:
    outputs = {key: (one.type, one.digest) for key, one in execution.outputs.items() if one.digest}
    done = maker(execution, store)
    return PackedStage(execution.node, store.fingerprint(done.id), outputs, done.seconds)


def _code(request: Request, stages: Iterable[PackedStage], run: str) -> dict[str, bytes]:
    """Path below `code/` -> content of the pipeline file as it was, and of the user's modules.

    Raises:
        ConfigError: a module is not what it was when the run used it, or has no source file.
    """
    recorded: dict[str, str] = {}
    for stage in stages:
        recorded |= stage.parts.get("code", {})
    ours = {"kerasvision", module_name(Path(request.file))}
    names = sorted(name for name in recorded if name not in ours and not name.startswith("kerasvision."))
    files = {name: introspection.module_file(name) for name in names}
    now = code_digests([name for name, file in files.items() if file is not None])
    changed = [name for name in names if not _is_same(recorded[name], now.get(name, ""))]
    if changed:
        raise ConfigError(
            f"the code has changed since run {run}, so it cannot be packed as it was: {shortened(changed, most=MOST_NAMED)}",
            hint="check out the version that ran, or run again and pack that run",
        )
    packed = {_packed_name(request): request.text.encode()}
    for name, file in files.items():
        if file is not None:
            path = name.replace(".", "/") + ("/__init__.py" if file.name == "__init__.py" else ".py")
            packed[f"{MODULES}/{path}"] = file.read_bytes()
    return packed


def _packed_name(request: Request) -> str:
    """The path of the pipeline file below `code/`."""
    return f"{PIPELINE}/{Path(request.file).name}"


def _is_same(recorded: str, now: str) -> bool:
    """Whether two digests of a module have the same syntax tree; comments and layout do not matter here."""
    return recorded.partition(" ")[0] == now.partition(" ")[0]


def _manifest(examples: ArtifactRecord | None) -> bytes | None:
    if examples is not None:
        with suppress(OSError):
            return Examples(examples.uri).manifest.read_bytes()
    return None


def _written(pack: Pack, file: Path) -> Path:
    if file.exists():
        raise ConfigError(f"{file} exists already", hint="name another file: -o FILE.zip")
    try:
        write_whole(file, pack.save)
    except OSError as error:
        if (ours := refused(error, file=file, hint="name a file elsewhere: -o FILE.zip")) is None:
            raise
        raise ours from error
    return file
