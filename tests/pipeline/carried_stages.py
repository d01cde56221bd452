"""A pipeline for tests of stages whose artifacts travel in folders: it looks up earlier runs, and needs no TensorFlow.

`EXPERIMENT` is there because a pipeline file must have one. Its `name` is the text that the stages write.
"""

from pathlib import Path

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.errors import DataError
from kerasvision.pipeline.artifacts import Examples, Model, ModelBlessing, Out, PushedModel, SavedModel
from kerasvision.pipeline.graph import LatestBlessed, Pipeline, Previous

EXPERIMENT = c.Experiment(
    name="a",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32)),
    task=c.Classification(),
    model=c.Model(name="mlp"),
)


class Text(Config):
    text: str


def read(examples: Out[Examples], previous: Examples | None = None, *, settings: Text) -> None:
    """Writes its text, and below it the text of the examples before."""
    before = (previous.uri / "inside" / "now.txt").read_text() if previous else "nothing"
    (examples.uri / "inside").mkdir()
    (examples.uri / "inside" / "now.txt").write_text(settings.text)
    (examples.uri / "before.txt").write_text(before)


def train(examples: Examples, model: Out[Model]) -> None:
    text = (examples.uri / "inside" / "now.txt").read_text()
    if text == "bad":
        raise DataError("this text cannot be learned")
    (model.uri / "text.txt").write_text(f"model of {text}")
    model.properties.update(length=len(text), share=0.5, word=text)


def export(model: Model, saved_model: Out[SavedModel]) -> None:
    (saved_model.uri / "text.txt").write_text((model.uri / "text.txt").read_text())


def judge(saved_model: SavedModel, blessing: Out[ModelBlessing], baseline: SavedModel | None = None) -> None:
    """Blesses small letters, and writes with what it compared."""
    is_good = (saved_model.uri / "text.txt").read_text().islower()
    (blessing.uri / ("BLESSED" if is_good else "NOT_BLESSED")).touch()
    blessing.verdict.write_text((baseline.uri / "text.txt").read_text() if baseline else "no baseline")
    blessing.properties.update(blessed=int(is_good), verdict="BLESSED" if is_good else "NOT_BLESSED", reason="its case")


def push(saved_model: SavedModel, model_blessing: ModelBlessing, pushed_model: Out[PushedModel], *, root: Path) -> None:
    is_pushed = model_blessing.properties["blessed"] == 1
    if is_pushed:
        (root / "pushed.txt").write_text((saved_model.uri / "text.txt").read_text())
    pushed_model.record.write_text('{"pushed": false}')
    pushed_model.properties.update(pushed=int(is_pushed), pushed_destination="nowhere", pushed_version=1, reason="its case")


def pipeline(experiment: c.Experiment) -> Pipeline:
    return made(experiment.splits.salt or "a")


def made(text: str) -> Pipeline:
    built = Pipeline("carried")
    examples = built.add(read, previous=Previous("read", "examples"), settings=Text(text=text)).examples
    model = built.add(train, examples=examples).model
    saved_model = built.add(export, model=model).saved_model
    blessing = built.add(judge, saved_model=saved_model, baseline=LatestBlessed(other_than=saved_model)).blessing
    built.add(push, saved_model=saved_model, model_blessing=blessing)
    return built
