"""What was asked of a run: enough to ask for the same again, whatever its pipeline file says by then."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasvision.config.base import canonical_json
from kerasvision.pipeline.graph import Pipeline


@dataclass(frozen=True)
class Request:
    """What was asked of a run.

    Attributes:
        file: the pipeline file, as an absolute path.
        text: of that file.
        folder: the folder in which the command was given. Relative paths in the settings start there.
        experiment: all settings with overrides, as plain data.
        start, until, only: the stages that were chosen, as for `run`; None for no restriction.
        force: whether stages were to execute even if their results could be reused.
        workers: how many stages could execute at the same time; None for as many as cores and memory allow.
    """

    file: str
    text: str
    folder: str
    experiment: Mapping[str, Any]
    start: str | None = None
    until: str | None = None
    only: str | None = None
    force: bool = False
    workers: int | None = None

    def to_text(self) -> str:
        """One line of JSON."""
        return canonical_json(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Request":
        """The request from a text of `to_text`."""
        return cls(**json.loads(text))

    @property
    def aim(self) -> str:
        """A text that is equal for two requests that want the same results."""
        return canonical_json([self.file, self.experiment, self.start, self.until, self.only])


def request_of(
    pipeline: Pipeline, *, start: str | None, until: str | None, only: str | None, force: bool, workers: int | None
) -> Request | None:
    """The request of a run; None if the pipeline does not come from a file, so that nobody can ask for it again."""
    if pipeline.origin is None:
        return None
    file = pipeline.origin.file.absolute()
    return Request(
        file=str(file),
        text=text_of(file),
        folder=str(Path.cwd()),
        experiment=pipeline.origin.experiment,
        start=start,
        until=until,
        only=only,
        force=force,
        workers=workers,
    )


def text_of(file: Path) -> str:
    """The text of a pipeline file; "" if it cannot be read any more."""
    try:
        return file.read_text(encoding="utf-8", errors="backslashreplace")
    except OSError:
        return ""
