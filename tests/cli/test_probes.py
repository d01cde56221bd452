"""`models check`, `tune --find-learning-rate`, `doctor --overfit|--distribute`: output, files and exit codes."""

import re
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest
from typer.testing import CliRunner

from kerasvision.cli import app, doctor
from kerasvision.errors import ConfigError, GraphError
from kerasvision.pipeline import standard
from kerasvision.pipeline.artifacts import Examples, Out
from kerasvision.pipeline.graph import Pipeline

DIGITS = Path(__file__).parents[2] / "pipelines" / "digits.py"
SMALL = ("--set", "training.batch_size=8")  # learned sooner, in shorter steps
MODULE = """
import keras
import tensorflow as tf


class Wrong(keras.layers.Layer):
    def call(self, inputs):
        @tf.custom_gradient
        def halved(x):
            return x * x, lambda upstream: upstream * x

        return halved(inputs)


def planted(*, image_shape, num_classes, is_right=False):
    image = keras.Input(image_shape)
    x = keras.layers.Dense(4, name="below")(keras.layers.Flatten()(image))
    x = keras.layers.Activation("tanh")(x) if is_right else Wrong(name="culprit")(x)
    return keras.Model(image, keras.layers.Dense(num_classes, name="above")(x))
"""


def words(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["models", "check", "lenet6"], 2, "no model is named 'lenet6'; did you mean 'lenet5'?"),
        (["doctor", "--steps", "3"], 2, "--steps, --replicas and --set require --overfit or --distribute"),
        (["doctor", "--overfit", "pipelines/digit.py"], 2, "there is no pipeline file pipelines/digit.py"),
        (["tune", "pipelines/digit.py", "--find-learning-rate"], 2, "there is no pipeline file pipelines/digit.py"),
    ],
)
def test_mistake_exits_with_its_code_and_says_the_way_out(kerasvision, arguments, code, message):
    done = kerasvision(*arguments)
    assert done.returncode == code
    assert message in words(done.stderr)


def invoke(*arguments):
    """Runs a command in this process, which has already imported TensorFlow."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def root(digits_root, tmp_path_factory):
    """A copy of the root in which pipelines/digits.py ran, so the commands read no images."""
    return shutil.copytree(digits_root, tmp_path_factory.mktemp("probes") / "root")


def test_models_check_names_the_wrong_layer_of_an_own_builder_and_exits_1(tmp_path, monkeypatch):
    (tmp_path / "planted_builder.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    wrong = invoke("models", "check", "planted_builder:planted", "--image-side", "5", "--classes", "3")
    assert wrong.exit_code == 1
    assert re.search(r"below .*differs", wrong.output)
    assert re.search(r"above .*agrees", wrong.output)
    assert "the layer culprit computes a wrong gradient: off by 50.0%" in wrong.output
    right = invoke("models", "check", "planted_builder:planted", "--image-side", "5", "--option", "is_right=true")
    assert right.exit_code == 0, right.output
    assert "2 of 2 layers agree with finite differences" in right.output


def test_models_check_activations_prints_a_row_for_each_layer_and_draws_them(tmp_path):
    picture = tmp_path / "layers.png"
    options = ("--option", "hidden=(8, 8)", "--option", "activation=tanh", "--option", "initialization=small_normal")
    done = invoke("models", "check", "mlp", "--activations", "--image-side", "4", *options, "--output", picture)
    assert done.exit_code == 0, done.output
    assert re.search(r"hidden2_tanh +8 .* 0\.0%", done.output)
    assert "the deviation is 0." in done.output
    assert picture.stat().st_size > 1000


def test_models_check_says_what_activations_need(tmp_path):
    alone = invoke("models", "check", "mlp", "--images", tmp_path)
    assert "--images and --output require --activations" in str(alone.exception)
    text = invoke("models", "check", "mlp", "--activations", "--output", tmp_path / "layers.txt")
    assert "--output must end in .png" in str(text.exception)


@pytest.mark.slow
def test_tune_learning_rate_writes_table_and_picture_and_says_how_to_try_it(root):
    done = invoke("tune", DIGITS, "--find-learning-rate", "--root", root, "--steps", "60", *SMALL)
    assert done.exit_code == 0, done.output
    assert re.search(r"to try it: --set training.optimizer.learning_rate=0\.\d+", done.output)
    folder = root / "runs" / "reports" / "digits"
    assert len(pd.read_csv(folder / "learning_rate.csv")) <= 60
    assert (folder / "learning_rate.png").exists()


@pytest.mark.slow
def test_doctor_overfit_exits_0_where_the_batch_is_learned_and_1_where_not(root):
    command = ("doctor", "--overfit", DIGITS, "--root", root, *SMALL)
    learned = invoke(*command)
    assert learned.exit_code == 0, learned.output
    assert "the batch was learned" in learned.output
    slow = invoke(*command, "--steps", "20", "--set", "training.optimizer.learning_rate=1e-8")
    assert slow.exit_code == 1
    assert "the loss hardly changed" in slow.output


def test_doctor_says_when_a_batch_is_larger_than_the_data(root):
    done = invoke("doctor", "--overfit", DIGITS, "--root", root, "--set", "training.batch_size=5000")
    assert isinstance(done.exception, ConfigError)
    assert "must not exceed the number of training images" in str(done.exception)


@pytest.mark.parametrize(("agrees", "code"), [(True, 0), (False, 1)])
def test_doctor_distribute_passes_its_options_on_and_exits_by_the_verdict(monkeypatch, tmp_path, agrees, code):
    asked = {}

    def agreement(experiment, examples_folder, transform_folder, **options):
        asked.update(name=experiment.name, epochs=experiment.training.epochs, folder=transform_folder, **options)
        return SimpleNamespace(agrees=agrees, text="the outcome", table=pd.DataFrame({"weight": ["conv1/kernel"]}))

    stand_in = ModuleType("kerasvision.training.probes.agreement")
    stand_in.agreement = agreement
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    ready = SimpleNamespace(examples_folder=tmp_path / "data", transform_file=tmp_path / "transform.json")
    monkeypatch.setattr(doctor, "prepared", lambda *_, **__: ready)
    done = invoke("doctor", "--distribute", DIGITS, "--set", "training.epochs=3", "--replicas", "4")
    assert done.exit_code == code, done.output
    assert "conv1/kernel" in done.output
    assert "the outcome" in done.output
    assert asked == {"name": "digits", "epochs": 3, "folder": tmp_path, "replicas": 4}


def test_trainer_with_settings_of_its_own_is_refused_before_anything_runs(monkeypatch, tmp_path):
    def trainer(examples: Out[Examples]) -> None:
        raise AssertionError

    own = Pipeline("own")
    own.add(trainer)
    monkeypatch.setattr(standard, "load_pipeline", lambda *_, **__: own)
    done = invoke("doctor", "--overfit", DIGITS, "--root", tmp_path)
    assert isinstance(done.exception, GraphError)
    assert "`kerasvision doctor` requires a stage trainer with TrainerSettings; received None" in str(done.exception)


def test_images_that_are_too_small_are_refused():
    done = invoke("models", "check", "lenet5", "--image-side", "4")
    assert isinstance(done.exception, ConfigError)
    assert "lenet5 reads images of at least 12 x 12 pixels" in str(done.exception)


def test_replicas_without_distribute_are_refused():
    done = invoke("doctor", "--overfit", DIGITS, "--replicas", "2")
    assert isinstance(done.exception, ConfigError)
    assert "--replicas requires --distribute" in str(done.exception)
