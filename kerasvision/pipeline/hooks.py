"""Calls the programs that a user wants to be called after a push or a failure."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kerasvision.config.hooks import Hooks
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.records import RunRecord

# An error may have any length, and the environment of a process may not.
MOST_SIGNS = 2000


def after_push(hooks: Hooks, run: RunRecord, results: Iterable[Result], root: Path, tell: Callable[[str], None]) -> None:
    """Calls `hooks.after_push` for each version that this run has pushed; a reused push is not one.

    Args:
        hooks: of the pipeline.
        run: the run.
        results: of its stages.
        root: the folder of `runs/` and `saved_models/`.
        tell: receives a sentence about a call that failed.
    """
    for result in results:
        for record in result.outputs.values():
            if hooks.after_push and record.properties.get("pushed") and not result.reused:
                version = {
                    "MODEL": str((root / str(record.properties["pushed_destination"])).absolute()),
                    "VERSION": str(record.properties["pushed_version"]),
                }
                _call(hooks.after_push, "pushed", {**_facts(run, root), **version}, hooks.timeout_seconds, tell)


def after_failure(hooks: Hooks, run: RunRecord, error: Exception, root: Path, tell: Callable[[str], None]) -> None:
    """Calls `hooks.after_failure`.

    Args:
        hooks: of the pipeline.
        run: the run.
        error: the first failure.
        root: the folder of `runs/` and `saved_models/`.
        tell: receives a sentence about a call that failed.
    """
    if hooks.after_failure:
        text = f"{type(error).__name__}: {error}".replace("\0", "")[:MOST_SIGNS]
        # An error may quote any text, and not every text can be in the environment.
        coding = sys.getfilesystemencoding()
        sendable = text.encode(coding, "backslashreplace").decode(coding)
        _call(hooks.after_failure, "failed", {**_facts(run, root), "ERROR": sendable}, hooks.timeout_seconds, tell)


def _facts(run: RunRecord, root: Path) -> dict[str, str]:
    return {"PIPELINE": run.pipeline, "RUN": run.id, "ROOT": str(root.absolute())}


def _call(words: tuple[str, ...], event: str, facts: Mapping[str, str], seconds: float, tell: Callable[[str], None]) -> None:
    """Calls a program without a shell. Whatever happens to it, the run goes on."""
    told = {f"KERASVISION_{name}": value for name, value in {"EVENT": event, **facts}.items()}
    try:
        # No shell: the words are those of the pipeline file, which is a program of the user itself.
        done = subprocess.run(words, env={**os.environ, **told}, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        tell(f"the hook {shlex.join(words)} was ended after {seconds:g} seconds")
    except OSError as error:
        tell(f"the hook {shlex.join(words)} could not be called: {error.strerror or error}")
    else:
        if done.returncode:
            tell(f"the hook {shlex.join(words)} ended with exit code {done.returncode}")
