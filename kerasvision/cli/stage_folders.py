"""`stage` with `--in` and `--out`: a stage whose artifacts come from folders, or object stores, and go there."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kerasvision.cli.stage_lines import stage_lines
from kerasvision.config.object_stores import is_address
from kerasvision.errors import ConfigError, NotBlessedError

if TYPE_CHECKING:
    from kerasvision.pipeline.carried import Place
    from kerasvision.pipeline.local import RunResult


def run_between_folders(
    pipeline_file: Path,
    name: str,
    *,
    overrides: Sequence[str],
    force: bool,
    root: Path,
    inputs: Iterable[str],
    outputs: Iterable[str],
    run_id: str | None,
    executor_input: str | None,
) -> "RunResult":
    """Runs the stage; the arguments are those of `stage`.

    Raises:
        ConfigError: `inputs` or `outputs` do not have the form KEY=FOLDER.
    """
    from kerasvision.pipeline.executor_output import ExecutorInput
    from kerasvision.pipeline.stage_in_folders import run_stage
    from kerasvision.pipeline.standard import load_pipeline

    task = None if executor_input is None else ExecutorInput.parse(executor_input)
    result = run_stage(
        load_pipeline(pipeline_file, overrides=overrides),
        name,
        inputs=_folders("--in", inputs),
        outputs=_folders("--out", outputs),
        root=root,
        force=force,
        run_id=run_id,
        listener=stage_lines(),
    )
    if task is not None:
        task.write_output(result.stages[0].outputs)
    return result


def refuse_unpushed(result: "RunResult") -> None:
    """Exit code 4 if the stage should have pushed a model, and did not.

    A stage that judges succeeds whatever its verdict is, because the stages after it read the verdict. So the stage that
    pushes is the one that fails, after it has recorded why.
    """
    for done in result.stages:
        for record in done.outputs.values():
            if record.properties.get("pushed") == 0:
                raise NotBlessedError(f"{done.node} pushed nothing: {record.properties['reason']}")
            if record.properties.get("blessed") == 0:
                reason = record.properties.get("reason", "")
                typer.echo(f"note: {done.node} says {record.properties.get('verdict', 'NOT_BLESSED')}: {reason}", err=True)


def _folders(option: str, texts: Iterable[str]) -> dict[str, "Place"]:
    """Key -> folder, local or in an object store."""
    from kerasvision.pipeline.object_store import ObjectStore

    folders: dict[str, str] = {}
    for text in texts:
        key, _, folder = text.partition("=")
        if not key or not folder:
            hint = f"write {option} examples=FOLDER, for example"
            raise ConfigError(f"{option} must have the form KEY=FOLDER", received=text, hint=hint)
        if key in folders:
            raise ConfigError(f"{option} names each key once", received=text, hint=f"leave it or {key}={folders[key]} out")
        folders[key] = folder
    return {key: ObjectStore(folder) if is_address(folder) else Path(folder) for key, folder in folders.items()}
