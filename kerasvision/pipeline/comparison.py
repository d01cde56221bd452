"""Compares runs: the settings that differ, the scores, and what each stage did."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasvision.errors import ConfigError
from kerasvision.pipeline.data_differences import data_differences
from kerasvision.pipeline.headline import EVALUATION, headline, made
from kerasvision.pipeline.lineage import maker
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from kerasvision.pipeline.store import Parts, Store, opened
from kerasvision.shortened import shortened

EXAMPLES = "Examples"
MOST_NAMES = 3
# Name of a row -> run id -> value; a run without a value is left out.
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StageDone:
    """What a run did with a stage: its outcome, and the seconds of the execution that made its outputs; 0 if unknown."""

    outcome: str
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Runs side by side. Every inner mapping has run ids as keys, and leaves out a run that has no value.

    Attributes:
        runs: in the order in which they were named.
        executions: run id -> what its stages did.
        remarks: what a person must know to compare them, a sentence each.
        settings: path of a setting that differs -> values. If two stages use different values, the stage comes before it.
        versions: name of a package whose version differs -> versions.
        code: name of a module whose source differs -> digests, as in a fingerprint.
        data: what differs between the examples, see `data_differences`.
        scores: split -> metric -> `score` and, if it has an interval, `low` and `high`.
        confidence: of the intervals, in (0, 1); None if the runs differ in it or have no scores.
        stages: stage -> `StageDone`.
    """

    runs: tuple[RunRecord, ...]
    executions: Mapping[str, Sequence[ExecutionRecord]]
    remarks: tuple[str, ...] = ()
    settings: Rows = field(default_factory=dict)
    versions: Rows = field(default_factory=dict)
    code: Rows = field(default_factory=dict)
    data: Rows = field(default_factory=dict)
    scores: Mapping[str, Rows] = field(default_factory=dict)
    confidence: float | None = None
    stages: Rows = field(default_factory=dict)


@dataclass(frozen=True)
class _Facts:
    """What is known about one run: its executions, the parts of the fingerprint of each stage, and its scores.json."""

    run: RunRecord
    executions: Sequence[ExecutionRecord]
    makers: Mapping[str, ExecutionRecord]
    parts: Mapping[str, Parts]
    scores: Mapping[str, Any]


def compare_runs(run_ids: Sequence[str], *, root: Path | str = ".") -> Comparison:
    """Compares two or more runs, which may be of different pipelines.

    Args:
        run_ids: the beginning of each run's id, or `latest`.
        root: the folder of `runs/`.

    Raises:
        ConfigError: fewer than two different runs, or no such run.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        runs = tuple({run.id: run for run in map(store.run, run_ids)}.values())
        if len(runs) < 2:
            raise ConfigError(
                "a comparison requires at least two different runs",
                received=" ".join(run_ids),
                hint="`kerasvision runs list` shows all runs with their ids",
            )
        facts = [_facts(run, store) for run in runs]
    confidences = {one.scores["confidence"] for one in facts if one.scores}
    return Comparison(
        runs=runs,
        executions={one.run.id: one.executions for one in facts},
        remarks=tuple(_remarks(facts)),
        settings=_differing(_merged(facts, "settings")),
        versions=_differing(_merged(facts, "versions")),
        code=_differing(_merged(facts, "code")),
        data=dict(data_differences(_examples(facts))),
        scores=_scores(facts),
        confidence=confidences.pop() if len(confidences) == 1 else None,
        stages=_stages(facts),
    )


def _facts(run: RunRecord, store: Store) -> _Facts:
    executions = store.executions(run)
    makers = {execution.node: maker(execution, store) for execution in executions}
    parts = {node: store.fingerprint(one.id) for node, one in makers.items()}
    tuned = {node: _with_tuned(parts[node], makers[node]) for node in parts}
    return _Facts(run, executions, makers, tuned, scores_of(executions))


def _with_tuned(parts: Parts, execution: ExecutionRecord) -> Parts:
    """The parts of a fingerprint, with the values that the tuner chose for these settings."""
    for artifact in execution.inputs.values():
        best = artifact.uri / "best_hyperparameters.json"
        if artifact.type == "HyperParameters" and best.is_file():
            return {**parts, "settings": {**parts["settings"], **json.loads(best.read_text(encoding="utf-8"))}}
    return parts


def scores_of(executions: Sequence[ExecutionRecord]) -> Mapping[str, Any]:
    """The content of `scores.json`; empty if the run has no evaluation, or the file cannot be read."""
    for evaluation in made(executions, EVALUATION):
        with suppress(OSError, ValueError):
            found: Mapping[str, Any] = json.loads((evaluation.uri / "scores.json").read_text(encoding="utf-8"))
            return found
    return {}


# What differs.


class _Absent:
    """The value of a setting that a stage of a run does not have."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def _differing(rows: Rows) -> Rows:
    """The rows in which two runs differ, without absent values."""
    return {
        name: {run: value for run, value in row.items() if value is not ABSENT}
        for name, row in sorted(rows.items())
        if len(set(map(repr, row.values()))) > 1
    }


def _merged(facts: Sequence[_Facts], part: str) -> Rows:
    """The entries of a part of the fingerprints of all stages: name -> run id -> value, for the runs that reached the stage.

    Stages with the same entry get one row, unless a run has two values of it.
    """
    rows: Rows = {}
    for name, of_stages in _by_stage(facts, part).items():
        values = [(run, value) for row in of_stages.values() for run, value in row.items()]
        whole = dict(values)
        is_one = all(repr(whole[run]) == repr(value) for run, value in values)
        rows |= {name: whole} if is_one else {f"{node}: {name}": row for node, row in of_stages.items()}
    return rows


def _by_stage(facts: Sequence[_Facts], part: str) -> dict[str, Rows]:
    """Name of an entry -> stage -> run id -> value."""
    found: dict[str, Rows] = {}
    for node in _stages(facts):
        of_runs = {one.run.id: one.parts[node].get(part, {}) for one in facts if node in one.parts}
        for name in dict.fromkeys(name for entries in of_runs.values() for name in entries):
            found.setdefault(name, {})[node] = {run: entries.get(name, ABSENT) for run, entries in of_runs.items()}
    return found


def _stages(facts: Sequence[_Facts]) -> Rows:
    rows: Rows = {}
    for one in facts:
        for execution in one.executions:
            seconds = one.makers[execution.node].seconds
            rows.setdefault(execution.node, {})[one.run.id] = StageDone(execution.outcome, seconds)
    return rows


def _scores(facts: Sequence[_Facts]) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for one in facts:
        for split, measured in one.scores.get("splits", {}).items():
            for metric, score in measured["scores"].items():
                found.setdefault(split, {}).setdefault(metric, {})[one.run.id] = score
    # The split of the main score comes first.
    main = {known.split for one in facts if (known := headline(one.executions))}
    return dict(sorted(found.items(), key=lambda item: item[0] not in main))


def _examples(facts: Sequence[_Facts]) -> dict[str, ArtifactRecord]:
    """Run id -> its examples, for the runs that have some. With folds, these are those of the standard stages."""
    found = {one.run.id: next(made(one.executions, EXAMPLES), None) for one in facts}
    return {run: record for run, record in found.items() if record is not None}


def _remarks(facts: Sequence[_Facts]) -> Iterator[str]:
    pipelines = list(dict.fromkeys(one.run.pipeline for one in facts))
    if len(pipelines) > 1:
        yield f"the runs are of different pipelines: {', '.join(pipelines)}"
    if len({record.digest for record in _examples(facts).values()}) > 1:
        yield "the runs have different examples, so their scores are not those of the same images"
    if names := _differing(_merged(facts, "files")):
        yield f"the files that the stages read differ: {shortened(names, most=MOST_NAMES)}"
    for one in facts:
        if not one.scores and any(made(one.executions, EVALUATION)):
            yield f"the scores of {one.run.id} cannot be shown: scores.json is gone or damaged"
    if len({one.scores["confidence"] for one in facts if one.scores}) > 1:
        yield "the intervals of the scores have different confidences"
