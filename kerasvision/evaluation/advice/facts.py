"""What advice is based on: the figures of a run, read from the files of its artifacts. No TensorFlow, no task's words."""

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kerasvision.config.augmentation import Mixing
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.label_counts import label_counts
from kerasvision.dotted import leaves
from kerasvision.errors import ConfigError
from kerasvision.evaluation.run_facts import ArtifactFacts, RunFacts

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# A model that was trained, or passed on, after the verdict has this file; the judged one has not.
FINAL = "final.json"
# State of a stage -> how it ended, in words.
ENDED = {"failed": "failed", "stopped": "was stopped", "killed": "was killed"}
CANNOT_BE_READ = (OSError, ValueError, LookupError, TypeError, AttributeError, ConfigError)
T = TypeVar("T")
Row = Mapping[str, str]


@dataclass(frozen=True)
class Score:
    """A score and the ends of its interval; NaN if it has none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Facts:
    """The figures of a run. What a run has no file for is empty.

    Attributes:
        metric: the task's headline metric; "" if it names none.
        larger_is_better: of that metric.
        history: column -> a value per epoch; those of the validation split begin with `val_`.
        chance: (column of the history, its value for a network that gives every class the same score); None if the task
            does not know it.
        mixes: whether training images were mixed, so that scores on them mean little.
        scores: split -> metric -> score of the served model.
        examples: split -> number of images that were scored.
        counts: split -> class -> number of images; of tags and of objects likewise, whatever the task learns.
        one, many, things: what these are called, such as "tag", "tags" and "images".
        even: the metrics of the task in which every class has the same weight.
        shared: how many groups of images are in several splits, as exact copies or as look-alikes.
        contradictions: how many groups of copies have different labels.
        confused: the commonest confusions: label, answered, count, share_of_label.
        slices: of the test split: slice, value, count, metric, score, low, high.
        calibration: bands of answers: count, confidence, accuracy.
        simple: simple models, the best first: model, features, metric, score.
        settings: path of a setting -> value: those of the training, and of the export.
        human: metric -> score of people.
        missing: what could not be looked at, and why.
    """

    metric: str = ""
    larger_is_better: bool = True
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    chance: tuple[str, float] | None = None
    mixes: bool = False
    scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    examples: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    one: str = "class"
    many: str = "classes"
    things: str = "images"
    even: Sequence[str] = ()
    shared: int = 0
    contradictions: int = 0
    confused: Sequence[Row] = ()
    slices: Sequence[Row] = ()
    calibration: Sequence[Row] = ()
    simple: Sequence[Row] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    human: Mapping[str, float] = field(default_factory=dict)
    missing: Sequence[str] = ()

    def score(self, split: str, metric: str | None = None) -> Score | None:
        """The score of a split by a metric, the headline metric by default; None if it was not measured."""
        return self.scores.get(split, {}).get(self.metric if metric is None else metric)

    def last(self, column: str) -> float | None:
        """The value of a column of the history after the last epoch; None if it has no finite value."""
        values = self.history.get(column, ())
        return values[-1] if values and math.isfinite(values[-1]) else None

    @property
    def fitted(self) -> tuple[float, float] | None:
        """The headline metric on the training and on the validation images after the last epoch; None if either lacks it.

        It must be a share, where 1 is best. The training figure is measured on augmented images.
        """
        train, validation = self.last(self.metric), self.last(f"val_{self.metric}")
        if train is None or validation is None or self.mixes or not self.larger_is_better:
            return None
        return (train, validation) if 0 <= min(train, validation) <= max(train, validation) <= 1 else None


def gather(run: RunFacts, *, human: float | None = None) -> Facts:
    """The figures of a run.

    Args:
        run: its artifacts.
        human: the headline score of people on such images; None: what the run's settings say.

    Raises:
        ConfigError: the task has no headline metric for the score of people, or that is above 1 and the metric is a share.
    """
    missing: list[str] = []
    found = {**_trained(run, missing), **_scored(run, missing)}
    found |= {**_data(run, found.pop("requires", ()), missing), **_simple(run, missing)}
    exported = {path: value for path, value in run.settings("exporter").items() if path.startswith("export.")}
    found["settings"] = {**found.get("settings", {}), **exported}
    metric = str(found.get("metric", ""))
    chance, classes = found.pop("chance", None), found.pop("classes", 0)
    found["chance"] = chance(classes) if chance and classes > 1 else None
    if human is not None:
        found["human"] = {metric: human}
    if found.get("mixes"):
        missing.append("the score on the training images: they were mixed, so it says little")
    elif metric and "history" in found and not {metric, f"val_{metric}"} <= found["history"].keys():
        missing.append(f"the gap between training and validation images: the training does not measure {metric} on both")
    for stage in run.stages:
        if stage.state in ENDED:
            missing.append(
                f"what comes after {stage.name}, which {ENDED[stage.state]}" + f": {stage.error}" * bool(stage.error)
            )
    facts = Facts(**found, missing=tuple(missing))
    _check_human(facts, human)
    return facts


def _check_human(facts: Facts, human: float | None) -> None:
    if human is not None and not facts.metric:
        raise ConfigError("a score of people requires a task with a headline metric; this run's task names none")
    if human is not None and human > 1 and facts.fitted is not None:
        raise ConfigError(f"{facts.metric} is a share, so the score of people must be at most 1", received=human)


def _trained(run: RunFacts, missing: list[str]) -> dict[str, Any]:
    """The history of the judged network, its settings, and how its task reads it."""
    model = run.newest("Model", without=FINAL)
    what = "the training: bias, variance, learning rate, number of epochs"
    found = _read(model, what, lambda folder: {"history": _columns(folder / "history.csv")}, missing) or {}
    settings = _read(model, "the settings of the training", lambda folder: _json(folder / "settings.json"), missing)
    if settings is None:
        return found
    found["settings"] = dict(leaves(settings, lists=False))
    try:
        parsed = TrainerSettings.parse(settings)
    except CANNOT_BE_READ:
        missing.append("the task: its settings cannot be read here, so a larger score is taken for the better one")
        return found
    metric = parsed.task.headline_metric() or ""
    return {
        **found,
        "metric": metric,
        "larger_is_better": parsed.task.best_is(metric) == "max",
        "chance": parsed.task.chance,
        "even": tuple(parsed.task.even_metrics()),
        "requires": parsed.task.requires,
        "mixes": any(isinstance(one, Mixing) and one.mixes_labels for one in parsed.augment),
    }


def _scored(run: RunFacts, missing: list[str]) -> dict[str, Any]:
    """The scores of the served model, its confusions, its slices and its calibration."""
    evaluation = run.newest("ModelEvaluation")
    what = "the scores: intervals, unlike splits, confusions, slices, calibration"
    found = _read(evaluation, what, _scores_in, missing) or {}
    headline = evaluation.properties.get("headline") if evaluation else None
    return {**found, "metric": headline} if found and headline else found


def _scores_in(folder: Path) -> dict[str, Any]:
    data = _json(folder / "scores.json")
    splits = data["splits"]
    tables = {"confused": "confused_pairs.csv", "slices": "slices.csv", "calibration": "calibration.csv"}
    there = {name: _rows(folder / file) for name, file in tables.items() if (folder / file).is_file()}
    there["slices"] = [row for row in there.get("slices", []) if row["split"] == TEST]
    return {
        "scores": {split: {name: _score(cell) for name, cell in of["scores"].items()} for split, of in splits.items()},
        "examples": {split: int(of["count"]) for split, of in splits.items()},
        "human": data.get("human", {}).get("scores", {}),
        **there,
    }


def _data(run: RunFacts, requires: Sequence[str], missing: list[str]) -> dict[str, Any]:
    """Numbers of images by what the task learns, and their copies.

    Args:
        requires: the annotations that the task requires; if it requires none, the first ones that the images have count.
    """
    what = "the images: how many of each class, copies"
    return _read(run.newest("ExampleStatistics"), what, lambda folder: _images_in(folder, requires), missing) or {}


def _images_in(folder: Path, requires: Sequence[str]) -> dict[str, Any]:
    data = _json(folder / "statistics.json")
    learned = next((one for one in label_counts(data) if not requires or one.annotation in requires), None)
    names = {"one": learned.one, "many": learned.many, "things": learned.things} if learned else {}
    return {
        "classes": len(data["classes"]),
        "counts": {split: of for split, of in learned.counts.items() if of} if learned else {},
        **names,
        "shared": len(data.get("shared_between_splits", ())) + len(data.get("near_shared_between_splits", ())),
        "contradictions": len(data.get("contradictions", ())),
    }


def _simple(run: RunFacts, missing: list[str]) -> dict[str, Any]:
    what = "simple models on the same images"
    rows = _read(run.newest("SimpleScores"), what, lambda folder: _rows(folder / "simple_scores.csv"), missing)
    return {"simple": [row for row in rows or () if row["score"]]}


def _read(artifact: ArtifactFacts | None, what: str, read: Callable[[Path], T], missing: list[str]) -> T | None:
    """The content of an artifact; None, with the reason in `missing`, if the run does not have it or it cannot be read."""
    if artifact is None:
        missing.append(f"{what}: this run did not get that far")
        return None
    try:
        return read(artifact.folder)
    except CANNOT_BE_READ as error:
        missing.append(f"{what}: {type(error).__name__}: {error}")
        return None


def _json(file: Path) -> dict[str, Any]:
    data = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError(f"{file} does not contain a JSON object")
    return data


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _columns(file: Path) -> dict[str, list[float]]:
    rows = _rows(file)
    return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _score(cell: Mapping[str, float]) -> Score:
    return Score(cell["score"], cell.get("low", math.nan), cell.get("high", math.nan))


def _number(cell: str) -> float:
    return float(cell) if cell else math.nan
