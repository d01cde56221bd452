"""Auxiliary heads train the network, are invisible elsewhere, and are removed in the end."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models.saved import load_network
from kerasvision.pipeline.artifacts import HyperParameters
from kerasvision.pipeline.stages.tuner import tuner
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit
from kerasvision.training.session import TrainingFiles, train
from kerasvision.training.step import TrainStep

CLASSES = ("ant", "bee", "cow", "doe")

# A network of one layer and two auxiliary heads, which trains quickly.
SMALL = """
import keras
from keras import layers


def small(*, image_shape, num_classes, auxiliary_heads=False):
    image = keras.Input(image_shape, name="image")
    x = layers.Conv2D(6, 3, 2, activation="relu", name="conv")(image)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    names = ["logits", "auxiliary1", "auxiliary2"] if auxiliary_heads else ["logits"]
    outputs = {name: layers.Dense(num_classes, name=name)(x) for name in names}
    return keras.Model(image, outputs if auxiliary_heads else outputs["logits"], name="small")


def stacked(*, image_shape, num_classes):
    pool = layers.GlobalAveragePooling2D(name="pool")
    return keras.Sequential([keras.Input(image_shape), layers.Conv2D(6, 3, 2), pool, layers.Dense(num_classes)])


class Subclassed(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.pool, self.head = layers.GlobalAveragePooling2D(), layers.Dense(num_classes)

    def build(self, shape):
        self.head.build((None, shape[-1]))

    def call(self, images):
        return self.head(self.pool(images))


def subclassed(*, image_shape, num_classes):
    network = Subclassed(num_classes)
    network.build((None, *image_shape))
    return network
"""


@pytest.fixture(scope="module", autouse=True)
def small_network(tmp_path_factory):
    """Makes `small_network:small` a builder, for child processes too."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "small_network.py").write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def task():
    return make_task(c.Classification(), CLASSES)


def built(name="small_network:small", *, image_shape=(8, 8, 1), **options):
    return task().build(c.Model(name=name, options=options), image_shape=image_shape)


def step(*, rate):
    keras.utils.set_random_seed(0)
    return TrainStep(
        built(),
        objective=task().objective(),
        optimizer=keras.optimizers.SGD(rate),
        strategy=tf.distribute.get_strategy(),
    )


def trained_once(step, *batch):
    return step.run(iter(tf.data.Dataset.from_tensors(batch)), 1)


def batch(count=8):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(count, 8, 8, 1)).astype("float32")
    weights = generator.uniform(0.5, 2, count).astype("float32")
    return images, np.eye(4, dtype="float32")[generator.integers(4, size=count)], weights


def cross_entropy(targets, logits, weights):
    """The weighted sum over the number of rows."""
    logits = np.asarray(logits, float)
    log_softmax = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -((targets * log_softmax).sum(axis=1) * weights).sum() / len(targets)


# --- Networks with heads


def test_training_turns_the_heads_on_where_there_are_any_and_nobody_says_no():
    assert set(built().output) == {"logits", "auxiliary1", "auxiliary2"}
    assert set(built(auxiliary_heads=True).output) == {"logits", "auxiliary1", "auxiliary2"}
    assert built(auxiliary_heads=False).output.shape == (None, 4)
    assert built("lenet5", image_shape=(12, 12, 1)).output.shape == (None, 4)


def test_googlenet_trains_with_its_heads_and_small_images_are_told_how_to_do_without(shapes_only):
    assert set(built("googlenet", image_shape=(65, 65, 1)).output) == {"logits", "auxiliary1", "auxiliary2"}
    with pytest.raises(ConfigError, match=r"at least 65 x 65 pixels; received \(64, 80, 1\).*auxiliary_heads=False"):
        built("googlenet", image_shape=(64, 80, 1))
    assert built("googlenet", image_shape=(64, 80, 1), auxiliary_heads=False).output.shape == (None, 4)


# --- Training


def test_training_loss_is_that_of_the_logits_plus_three_tenths_of_each_auxiliary_one():
    training = step(rate=0.0)
    images, targets, weights = batch()
    logits = training.network(images, training=True)
    of = {name: cross_entropy(targets, values, weights) for name, values in logits.items()}
    (loss,) = trained_once(training, images, targets, weights)
    assert loss == pytest.approx(of["logits"] + 0.3 * (of["auxiliary1"] + of["auxiliary2"]), rel=1e-5)
    assert of["auxiliary1"] != pytest.approx(of["auxiliary2"], rel=1e-3)  # otherwise one of them could be counted twice


def test_every_weight_takes_the_step_that_the_gradient_of_that_sum_says():
    training = step(rate=0.5)
    network, (images, targets, weights) = training.network, batch()
    with tf.GradientTape() as tape:
        logits = network(images, training=True)
        of = {name: tf.nn.softmax_cross_entropy_with_logits(targets, values) for name, values in logits.items()}
        rows = of["logits"] + 0.3 * (of["auxiliary1"] + of["auxiliary2"])
        loss = tf.reduce_mean(rows * weights)
    gradients = [gradient.numpy() for gradient in tape.gradient(loss, network.trainable_weights)]
    before = network.get_weights()
    trained_once(training, images, targets, weights)
    for start, gradient, end in zip(before, gradients, network.get_weights(), strict=True):
        assert np.abs(gradient).max() > 1e-6
        np.testing.assert_allclose(end, start - 0.5 * gradient, rtol=1e-4, atol=1e-6)


def test_validation_and_metrics_see_the_main_logits_only():
    training = step(rate=0.0)
    images, targets, weights = batch()
    main = training.network(images, training=False)["logits"].numpy()
    expected = cross_entropy(targets, main, weights)
    right = main.argmax(axis=1) == targets.argmax(axis=1)
    evaluated = training.evaluate(tf.data.Dataset.from_tensors((images, targets, weights)))
    trained_once(training, images, targets, weights)
    for shown in (evaluated, training.results()):
        assert set(shown) == {"loss", "accuracy", "log_loss"}
        assert shown["accuracy"] == pytest.approx((right * weights).sum() / weights.sum(), rel=1e-5)
        assert shown["log_loss"] == pytest.approx(expected * len(targets) / weights.sum(), rel=1e-5)
    assert evaluated["loss"] == pytest.approx(expected, rel=1e-5)


# --- The saved network


def test_trained_network_has_the_same_weights_and_no_auxiliary_head():
    model = built()
    network = task().trained(model)
    assert [layer.name for layer in network.layers] == ["image", "conv", "pool", "logits"]
    assert type(network) is type(built(auxiliary_heads=False))  # a plain Keras model, which loads without kerasvision
    assert network.get_layer("conv").kernel is model.get_layer("conv").kernel
    images, _, _ = batch()
    np.testing.assert_array_equal(network(images), model(images)["logits"])


def test_network_without_heads_is_trained_as_it_is():
    network = built(auxiliary_heads=False)
    assert task().trained(network) is network


@pytest.mark.parametrize("name", ["stacked", "subclassed"])
def test_network_of_any_kind_is_trained_as_it_is(name):
    network = built(f"small_network:{name}")
    assert task().trained(network) is network
    images, targets, weights = batch()
    training = TrainStep(
        network, objective=task().objective(), optimizer=keras.optimizers.SGD(0.1), strategy=tf.distribute.get_strategy()
    )
    (loss,) = trained_once(training, images, targets, weights)
    assert loss > 0
    assert task().trained(network) is network  # a Keras model may have more attributes after its first call


@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_sequential_network_of_a_user_is_fitted(stripes, precision):
    given = settings(epochs=1, precision=precision).model_copy(update={"model": c.Model(name="small_network:stacked")})
    model = fit(
        given,
        examples=ExampleSet(stripes.examples),
        classes=stripes.classes,
        transform=ImageTransform.load(stripes.transform),
    ).model
    assert type(model) is keras.Sequential
    assert model(np.zeros((2, 16, 16, 1), "float32")).dtype == "float32"


def settings(**training):
    defaults = {"epochs": 3, "batch_size": 16, "optimizer": c.Sgd(learning_rate=0.1, momentum=0.9)}
    return TrainerSettings(
        task=c.Classification(),
        model=c.Model(name="small_network:small"),
        training=c.Training(**{**defaults, **training}),
        augment=(),
    )


@pytest.fixture(scope="module")
def trained_on(stripes, tmp_path_factory):
    """Trains the small network and returns the files; several replicas run in a separate process."""

    def run(**training):
        folder = tmp_path_factory.mktemp("run")
        files = TrainingFiles(
            stripes.examples, stripes.schema, stripes.transform, folder / "model.keras", folder / "history.csv"
        )
        train(settings(**training), files)
        return files

    return run


@pytest.fixture(scope="module")
def one(trained_on):
    return trained_on(strategy="one_device")


def test_history_and_saved_network_look_like_those_of_any_other(one):
    history = pd.read_csv(one.history)
    shown = ["loss", "accuracy", "log_loss"]
    assert set(history.columns) == {"epoch", *shown, *(f"val_{name}" for name in shown)}
    # Without label smoothing, only the auxiliary heads make the loss differ from the log loss.
    np.testing.assert_allclose(history["val_loss"], history["val_log_loss"], rtol=1e-5)
    assert (history["loss"] > 1.3 * history["log_loss"]).all()
    assert [layer.name for layer in load_network(one.model).layers] == ["image", "conv", "pool", "logits"]


def test_served_network_answers_as_the_trained_one_and_holds_no_other_weights(one, stripes, tmp_path):
    network, transform = load_network(one.model), ImageTransform.load(stripes.transform)
    stripes_task = make_task(c.Classification(), stripes.classes)
    export_saved_model(network, task=stripes_task, transform=transform, folder=tmp_path / "saved_model")
    served = tf.saved_model.load(tmp_path / "saved_model")
    rows = list(ExampleSet(stripes.examples).dataset("validation").take(3).as_numpy_iterator())
    answers = served.signatures["serving_default"](image_bytes=tf.constant([row["image"] for row in rows]))
    logits = network(tf.stack([transform(row["image"]) for row in rows]))
    np.testing.assert_allclose(answers["scores"], tf.nn.softmax(logits), rtol=1e-4)
    stored = tf.train.list_variables(str(tmp_path / "saved_model" / "variables" / "variables"))
    shapes = sorted(shape for name, shape in stored if name.startswith("weights/"))
    assert shapes == sorted([[3, 3, 1, 6], [6], [6, 3], [3]])  # the auxiliary heads are (6, 3) and (3,) too


# tests/training/test_replicas.py compares single steps, also with these heads.
@pytest.mark.slow
def test_two_replicas_end_at_one_devices_weights_and_history(one, trained_on):
    two = trained_on(strategy="mirrored", replicas=2)
    for single, double in zip(load_network(one.model).get_weights(), load_network(two.model).get_weights(), strict=True):
        np.testing.assert_allclose(double, single, rtol=0, atol=1e-5 * np.abs(single).max())
    single, double = pd.read_csv(one.history), pd.read_csv(two.history)
    np.testing.assert_allclose(double[list(single.columns)], single, rtol=1e-5)


@pytest.mark.slow
def test_tuner_scores_trials_by_the_main_logits(stripes, tmp_path):
    rate = "training.optimizer.learning_rate"
    plan = TunerSettings(
        task=c.Classification(),
        model=settings().model,
        training=settings(epochs=1).training,
        augment=(),
        search=c.Search(space={rate: c.Choice(1e-6, 0.1)}, algorithm="grid", trials=2, epochs=1, objective="log_loss"),
    )
    out = HyperParameters(tmp_path / "artifact")
    out.uri.mkdir()
    tuner(
        SimpleNamespace(data=stripes.examples),
        SimpleNamespace(file=stripes.schema),
        SimpleNamespace(file=stripes.transform),
        out,
        settings=plan,
        work=tmp_path / "work",
    )
    assert set(json.loads(out.best.read_text())) == {rate}
    trials = pd.read_csv(out.trials)
    same = fit(
        settings(epochs=1, optimizer=c.Sgd(learning_rate=float(trials[rate].iloc[0]), momentum=0.9)),
        examples=ExampleSet(stripes.examples),
        classes=stripes.classes,
        transform=ImageTransform.load(stripes.transform),
    )
    assert trials["score"].iloc[0] == pytest.approx(same.history["val_loss"].iloc[0], rel=1e-5)
