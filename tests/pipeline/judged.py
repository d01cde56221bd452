"""A pipeline for tests of lists and comparisons: its stages claim to train and to judge, and need no TensorFlow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from kerasvision.config.base import Config
from kerasvision.errors import DataError
from kerasvision.pipeline.artifacts import Examples, HyperParameters, Model, ModelBlessing, ModelEvaluation, Out
from kerasvision.pipeline.graph import Pipeline

# Scores of a classifier with 0 epochs; the accuracy rises by 0.01 with each epoch.
ACCURACY = 0.5


class ReadSettings(Config):
    locations: ClassVar[frozenset[str]] = frozenset({"path"})
    path: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        yield "images.txt", self.path


class TrainSettings(Config):
    epochs: int = 1
    fails: bool = False


class JudgeSettings(Config):
    epochs: int
    bound: float = 0.0
    metric: str = "accuracy"


def read(examples: Out[Examples], *, settings: ReadSettings) -> None:
    (examples.uri / "images.txt").write_text(settings.path.read_text())


def tune(examples: Examples, best: Out[HyperParameters]) -> None:
    best.best.write_text(json.dumps({"epochs": 7}))


def train(
    examples: Examples, model: Out[Model], hyperparameters: HyperParameters | None = None, *, settings: TrainSettings
) -> None:
    if settings.fails:
        raise DataError("no image")
    (model.uri / "epochs.txt").write_text(str(settings.epochs))


def judge(model: Model, evaluation: Out[ModelEvaluation], blessing: Out[ModelBlessing], *, settings: JudgeSettings) -> None:
    accuracy = ACCURACY + settings.epochs / 100
    scores = {
        settings.metric: {"score": accuracy, "low": accuracy - 0.02, "high": accuracy + 0.02},
        "log_loss": {"score": 0.25},
        "recall[cat]": {"score": 1.0, "low": 0.75, "high": 1.0},
    }
    data = {"confidence": 0.95, "splits": {"test": {"count": 100, "scores": scores, "left_out": {}}}}
    evaluation.scores.write_text(json.dumps(data))
    evaluation.properties.update({settings.metric: accuracy, "log_loss": 0.25, "headline": settings.metric, "split": "test"})
    is_good = accuracy >= settings.bound
    blessing.properties.update(blessed=int(is_good), verdict="BLESSED" if is_good else "NOT_BLESSED", reason="")


def pipeline(
    path: Path, epochs: int = 1, *, bound: float = 0.0, fails: bool = False, tuned: bool = False, name: str = "judged"
) -> Pipeline:
    made = Pipeline(name)
    examples = made.add(read, settings=ReadSettings(path=path)).examples
    best = made.add(tune, examples=examples).best if tuned else None
    settings = TrainSettings(epochs=epochs, fails=fails)
    model = made.add(train, examples=examples, hyperparameters=best, settings=settings).model
    made.add(judge, model=model, settings=JudgeSettings(epochs=epochs, bound=bound))
    return made
