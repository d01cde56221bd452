"""A training that begins with the last blessed model: which one that is, and when it runs again."""

import json

import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.config.stages import TrainerSettings
from kerasvision.config.warm_start import latest_options
from kerasvision.errors import ConfigError, DataError, GraphError
from kerasvision.pipeline.artifacts import Examples, Model, ModelBlessing, Out, SavedModel
from kerasvision.pipeline.graph import LatestTraining, Pipeline
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.spec import compile_pipeline
from kerasvision.pipeline.standard import standard_pipeline
from kerasvision.training.warm_start import with_latest_weights


class Text(Config):
    text: str


def read(examples: Out[Examples]) -> None:
    (examples.uri / "images.txt").write_text("cat")


def train(examples: Examples, model: Out[Model], base_model: Model | None = None, *, settings: Text) -> None:
    """Appends its text to that of the model that it begins with."""
    before = (base_model.uri / "text.txt").read_text() if base_model else ""
    (model.uri / "text.txt").write_text(before + settings.text)


def export(model: Model, saved_model: Out[SavedModel]) -> None:
    (saved_model.uri / "text.txt").write_text((model.uri / "text.txt").read_text())


def judge(saved_model: SavedModel, blessing: Out[ModelBlessing]) -> None:
    """Blesses every model whose last letter is small."""
    blessing.properties["blessed"] = int((saved_model.uri / "text.txt").read_text()[-1].islower())


def pipeline(text):
    made = Pipeline("growing")
    examples = made.add(read).examples
    base = LatestTraining("train", "model")
    model = made.add(train, examples=examples, base_model=base, settings=Text(text=text)).model
    made.add(judge, saved_model=made.add(export, model=model).saved_model)
    return made


def trained(text, root):
    return (run(pipeline(text), root=root).artifact("train", "model").uri / "text.txt").read_text()


def test_a_training_begins_with_the_newest_blessed_model_of_another_training(tmp_path):
    assert [trained(text, tmp_path) for text in ("a", "b", "X", "c")] == ["a", "ab", "abX", "abc"]


def test_nothing_runs_again_if_nothing_changed(tmp_path):
    for text in ("a", "b"):
        trained(text, tmp_path)
        assert [stage.action for stage in plan(pipeline(text), root=tmp_path)] == ["reuse"] * 4
        assert all(stage.reused for stage in run(pipeline(text), root=tmp_path).stages)


def test_plan_names_the_model_as_a_reason(tmp_path):
    for text in ("a", "b"):
        trained(text, tmp_path)
    newest = run(pipeline("c"), root=tmp_path).stages[1].outputs["model"]
    planned = plan(pipeline("d"), root=tmp_path)[1]
    named = f"base_model is Model {newest.id}, in {newest.uri}"
    assert (planned.action, planned.why) == ("run", ("input base_model: content changed", "setting text: c -> d", named))


def test_only_a_node_that_trains_can_begin_with_its_own_training():
    made = Pipeline("wrong")
    examples = made.add(read).examples
    with pytest.raises(GraphError, match="train cannot begin with what another node trained; received 'read'"):
        made.add(train, examples=examples, base_model=LatestTraining("read", "examples"), settings=Text(text="a"))


# --- The standard pipeline


def experiment(**parts):
    least = {"transform": c.Transform(image_size=(32, 32)), "model": c.Model(name="lenet5", weights="latest")}
    return c.Experiment(name="any", source=c.Digits(), task=c.Classification(), **{**least, **parts})


def test_the_trainer_gets_the_model_and_the_examples_that_it_was_trained_on():
    nodes = {node["name"]: node for node in json.loads(compile_pipeline(standard_pipeline(experiment())))["nodes"]}
    inputs = nodes["trainer"]["inputs"]
    assert inputs["base_model"] == "model of the latest blessed training of trainer"
    assert inputs["base_examples"] == "examples of the latest blessed training of trainer"


@pytest.mark.parametrize(
    ("parts", "setting"),
    [
        ({"search": c.Search(space={"training.epochs": c.Int(1, 2)})}, "search"),
        ({"splits": c.Splits(folds=3)}, "splits.folds"),
        ({"training": c.Training(final="all")}, "training.final"),
        ({"training": c.Training(freeze="backbone")}, "training.freeze"),
        ({"training": c.Training(strategy="multi_worker")}, "training.strategy"),
    ],
)
def test_what_cannot_be_combined_is_refused_when_the_file_is_read(parts, setting):
    with pytest.raises(ConfigError, match=rf"model.weights='latest' cannot be combined with {setting}: "):
        experiment(**parts)


# --- The weights


@pytest.fixture
def manifests(tmp_path):
    """The manifests of examples, each from (bytes, split) of images."""

    def make(name, *rows):
        table = [(f"{sha256}.jpg", sha256, split, "") for sha256, split in rows]
        pd.DataFrame(table, columns=["id", "sha256", "split", "fault"]).to_parquet(tmp_path / name)
        return tmp_path / name

    return make


def settings(weights="latest"):
    model = c.Model(name="lenet5", weights=weights)
    return TrainerSettings(task=c.Classification(), model=model, training=c.Training(), augment=())


def test_the_weights_are_those_of_the_model_and_at_first_random(manifests, tmp_path, capsys):
    now, then = manifests("now", ("1", "train"), ("2", "test")), manifests("then", ("1", "train"), ("3", "test"))
    network = tmp_path / "model.keras"
    begun = with_latest_weights(settings(), network=network, manifest=now, network_manifest=then)
    assert begun.model.weights == str(network)
    assert f"model.weights: the network of an earlier training, {network}" in capsys.readouterr().err
    assert with_latest_weights(settings(), network=None, manifest=now, network_manifest=None).model.weights is None
    assert "no model of this pipeline is blessed yet" in capsys.readouterr().err
    other = settings("other.keras")
    assert with_latest_weights(other, network=None, manifest=now, network_manifest=None) is other


def test_a_model_that_learned_from_images_that_judge_now_is_refused(manifests, tmp_path):
    now = manifests("now", ("1", "test"), ("2", "validation"), ("3", "train"))
    then = manifests("then", ("1", "train"), ("2", "train"), ("3", "test"))
    with pytest.raises(
        DataError, match=r"2 images of the test and validation split were training images of .* such as 1\.jpg"
    ):
        with_latest_weights(settings(), network=tmp_path / "m.keras", manifest=now, network_manifest=then)


def test_an_option_of_a_users_network_may_be_called_latest():
    assert latest_options({"variant": "latest"}) == []
    assert latest_options({"variant": "latest", "proposer": "latest"}) == ["proposer"]
