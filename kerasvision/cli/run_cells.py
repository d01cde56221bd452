"""How the commands of `runs` show a run: as a line, as cells of a table, and as JSON."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord


def heading(run: "RunRecord") -> str:
    """One line about a run."""
    purpose = f", for `{run.purpose}`" if side_purpose(run) else ""
    took = f" after {duration(run.seconds)}" if run.seconds and not run.pid else ""
    return f"run {run.id} of {run.pipeline}{purpose}, {clock_time(run.started_ms)}: {state(run)}{took}"


def artifact_line(artifact: "ArtifactRecord", root: Path) -> str:
    """One line about an artifact."""
    known = artifact.properties
    forced = f"  forced by {known['forced_by']}: {known['forced_reason']}" if known.get("forced") else ""
    removed = "  (removed)" if artifact.is_removed else ""
    return f"{artifact.type} {artifact.id}  {os.path.relpath(artifact.uri, root)}{removed}{forced}"


def heading_cells(run: "RunRecord", executions: "Sequence[ExecutionRecord]") -> dict[str, str]:
    """What a table shows about a run, by column."""
    from kerasvision.pipeline.headline import headline, verdict

    return {
        "pipeline": run.pipeline,
        "for": side_purpose(run),
        "started": clock_time(run.started_ms),
        "took": duration(run.seconds),
        "state": state(run),
        "score": str(headline(executions) or ""),
        "verdict": f"{verdict(executions)}{_final_network(executions)}",
    }


def _final_network(executions: "Sequence[ExecutionRecord]") -> str:
    """What became of the network of the final training; "" without one. Score and verdict are those of the judged one."""
    from kerasvision.pipeline.headline import final_images, is_pushed

    images = final_images(executions)
    if images is None:
        return ""
    if is_pushed(executions):
        return f"; served: another, trained on all {images:,} images"
    return f"; another was trained on all {images:,} images, but not pushed"


def run_data(run: "RunRecord", executions: "Sequence[ExecutionRecord]") -> dict[str, object]:
    """What `--json` prints about a run."""
    from kerasvision.pipeline.headline import final_images, headline, is_pushed, verdict

    score = headline(executions)
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "for": run.purpose,
        "started": datetime.fromtimestamp(run.started_ms / 1000, UTC).isoformat(timespec="seconds"),
        "seconds": run.seconds or None,
        "state": run.outcome,
        "pid": run.pid or None,
        "score": {name: value for name, value in asdict(score).items() if value is not None} if score else None,
        "verdict": verdict(executions) or None,
        "final_images": final_images(executions),
        "pushed": is_pushed(executions),
        "stages": {execution.node: execution.outcome for execution in executions},
    }


def side_purpose(run: "RunRecord") -> str:
    """The command that needed the run, if it was not `run`."""
    return "" if run.purpose == "run" else run.purpose


def state(run: "RunRecord") -> str:
    """The outcome of a run, with the number of its process if it is running."""
    return f"{run.outcome}, process {run.pid}" if run.pid else run.outcome


def duration(seconds: float) -> str:
    """Seconds as a person reads them; "" for 0, which stands for unknown.

    >>> duration(28.94), duration(414), duration(9000), duration(0)
    ('28.9 s', '6.9 min', '2.5 h', '')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds else ""


def clock_time(milliseconds: int) -> str:
    """Local time.

    Args:
        milliseconds: since 1970.
    """
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M:%S}"
