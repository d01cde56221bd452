"""The overfit check accepts a good experiment, and names each planted fault."""

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.tasks.classification.task import ClassificationTask
from kerasvision.training.probes.batch_faults import batch_faults
from kerasvision.training.probes.overfit import overfit, unhindered


@pytest.fixture(scope="module")
def data(stripes):
    return {
        "examples": ExampleSet(stripes.examples),
        "classes": stripes.classes,
        "transform": ImageTransform.load(stripes.transform),
    }


@pytest.fixture
def build_with(monkeypatch):
    """Changes each network that is built."""
    build = ClassificationTask.build

    def use(change):
        def built(self, model, *, image_shape):
            network = build(self, model, image_shape=image_shape)
            return change(network) or network

        monkeypatch.setattr(ClassificationTask, "build", built)

    return use


def findings(checked):
    return " | ".join(checked.findings)


def test_sound_experiment_learns_its_batch_by_heart(data, dense_settings):
    checked = overfit(dense_settings(), **data)
    assert checked.learned
    assert checked.findings == ()
    assert checked.table["loss"].iloc[-1] <= 0.01 * checked.table["loss"].iloc[0]
    assert checked.table["accuracy"].iloc[-1] == 1.0
    assert "the batch was learned" in checked.text


def test_what_keeps_a_network_from_learning_by_heart_is_turned_off():
    settings = TrainerSettings(
        task=c.Classification(label_smoothing=0.1),
        model=c.Model(name="lenet5"),
        training=c.Training(
            epochs=2,
            warmup_epochs=1,
            schedule="cosine",
            l1=0.1,
            l2=0.1,
            average_decay=0.9,
            optimizer=c.Sgd(weight_decay=0.5),
        ),
        augment=(c.PadCrop(pad=1),),
    )
    plain = unhindered(settings)
    assert plain.task.label_smoothing == plain.training.l1 == plain.training.l2 == plain.training.optimizer.weight_decay == 0
    assert plain.augment == ()
    assert (plain.training.warmup_epochs, plain.training.average_decay) == (0, None)
    assert plain.training.schedule == c.Constant()


@pytest.mark.slow
def test_dropout_is_turned_off(data, stripes_settings, build_with):
    def nine_tenths_away(network):
        dropped = keras.layers.Dropout(0.9)(network.layers[-2].output)
        return keras.Model(network.input, keras.layers.Dense(3, name="head")(dropped))

    build_with(nine_tenths_away)
    assert overfit(stripes_settings(), **data).learned


@pytest.mark.slow
def test_learning_rate_that_is_too_low_is_told_from_a_network_that_cannot(data, stripes_settings):
    checked = overfit(stripes_settings(optimizer=c.Sgd(learning_rate=1e-7)), **data, steps=150)
    assert not checked.learned
    assert "the loss hardly changed" in findings(checked)
    assert "so the network can learn it, and the cause is the optimizer's settings" in findings(checked)


@pytest.mark.slow
def test_learning_rate_that_is_too_high_is_told(data, stripes_settings):
    checked = overfit(stripes_settings(optimizer=c.Sgd(learning_rate=1e4)), **data, steps=60)
    assert not checked.learned
    assert "learning rate is too high" in findings(checked)


@pytest.mark.slow
def test_layers_without_a_gradient_are_named(data, stripes_settings, build_with):
    def kill(network):
        layer = network.get_layer("dense2")
        layer.bias.assign(keras.ops.full_like(layer.bias, -1e6))

    build_with(kill)
    checked = overfit(stripes_settings(), **data, steps=20)
    assert not checked.learned
    assert "no gradient reaches the weights of conv1, conv2, dense1, dense2" in findings(checked)
    assert "does not learn it either" in findings(checked)


@pytest.mark.slow
def test_the_same_image_with_two_labels_is_named(tmp_path, dense_settings):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (16, 16, 16), np.uint8)
    pixels[5] = pixels[2]  # the sixth image equals the third; even and odd images have different labels
    rows = [(f"{number:02d}.png", encode_png(image), "ab"[number % 2]) for number, image in enumerate(pixels)]
    write_examples(lambda split: rows, splits={"train": rows}, classes=("a", "b"), folder=tmp_path / "data")
    examples = ExampleSet(tmp_path / "data")
    images = examples.dataset("train").map(lambda example: example["image"])
    transform = ImageTransform.fit(c.Transform(image_size=(16, 16), color_mode="grayscale"), images)
    checked = overfit(dense_settings(), examples=examples, classes=("a", "b"), transform=transform, steps=120)
    assert not checked.learned
    assert "2 images in the batch have different targets" in findings(checked)
    assert all(name in findings(checked) for name in ("02.png", "05.png"))
    # The best probabilities for two equal images with two labels are one half: a loss of ln 2 for 2 of 16 images.
    assert checked.table["loss"].min() > np.log(2) * 2 / 16 - 1e-3


def test_images_that_are_no_numbers_or_all_alike_are_named():
    assert batch_faults((np.array([[1.0], [np.nan]]), np.array([0, 1])), ids=["a", "b"]) == [
        "1 of 2 images have values that are infinite or not a number: b"
    ]
    assert batch_faults((np.ones((3, 2)), np.ones(3)), ids=["a", "b", "c"]) == [
        "all 3 images are the same as the network sees them"
    ]


@pytest.mark.parametrize(("layer", "told"), [("logits", "number at step 1: nothing had been learned yet"), ("conv1", "")])
def test_weights_that_are_no_numbers_are_named_even_where_a_relu_hides_them(data, stripes_settings, build_with, layer, told):
    def poison(network):
        kernel = network.get_layer(layer).kernel
        kernel.assign(keras.ops.full_like(kernel, np.nan))

    build_with(poison)
    checked = overfit(stripes_settings(), **data, steps=5)
    assert not checked.learned
    assert f"weights are infinite or not a number: {layer}" in findings(checked)
    assert told in findings(checked)


def test_batch_larger_than_the_data_is_refused(data, stripes_settings):
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 96; received 128"):
        overfit(stripes_settings(batch_size=128), **data)
    with pytest.raises(ConfigError, match="steps must be at least 1; received 0"):
        overfit(stripes_settings(), **data, steps=0)
