"""Frozen layers do not change, the others learn, and kept features give the same weights."""

import functools

import keras
import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.training.checkpointing.checkpoint_files import read_contents, read_manifest
from kerasvision.training.fit import fit
from kerasvision.training.session import TrainingFiles, train
from kerasvision.training.transfer import freeze, map_makers, without_auxiliary_heads

LENET = c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"})
RESNET = c.Model(name="resnet20")
# See conftest.py.
SMALL = c.Model(name="small_networks:normalised")
# In float32 a map depends slightly on the batch in which it was computed.
CLOSE = {"rtol": 0, "atol": 1e-5}


@functools.cache
def opened(examples):
    """The data set, opened once for all trainings here: reading the images took a quarter of each."""
    return ExampleSet(examples)


@pytest.fixture(scope="module")
def run(stripes, small_networks):
    """Fits on `stripes`, by default for two epochs."""

    def fitted(model=LENET, *, augment=(), work=None, **training):
        defaults = {"epochs": 2, "batch_size": 16, "optimizer": c.Sgd(learning_rate=0.02, momentum=0.9), "seed": 3}
        settings = TrainerSettings(
            task=c.Classification(), model=model, training=c.Training(**{**defaults, **training}), augment=augment
        )
        return fit(
            settings,
            examples=opened(stripes.examples),
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            work=work,
        )

    return fitted


def initial(model=LENET):
    """The initial weights of `run`, by layer."""
    keras.utils.set_random_seed(3)
    return by_layer(models.build(model.name, image_shape=(16, 16, 1), num_classes=3, **model.options))


def by_layer(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


def moved(network, model=LENET):
    """The layers with a weight that differs from its initial value in any bit."""
    start = initial(model)
    return [
        name
        for name, weights in by_layer(network).items()
        if any((now != before).any() for now, before in zip(weights, start[name], strict=True))
    ]


# --- Frozen layers


@pytest.mark.parametrize(
    ("training", "learned"),
    [
        pytest.param({}, ["conv1", "conv2", "dense1", "dense2", "logits"], marks=pytest.mark.slow),
        pytest.param({"freeze": "c1"}, ["conv2", "dense1", "dense2", "logits"], marks=pytest.mark.slow),
        pytest.param({"freeze": "c2"}, ["dense1", "dense2", "logits"], marks=pytest.mark.slow),
        pytest.param({"freeze": "backbone"}, ["dense1", "dense2", "logits"], marks=pytest.mark.slow),
        pytest.param({"freeze": "c1", "features": "once"}, ["conv2", "dense1", "dense2", "logits"], marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_what_follows_the_frozen_level_learns_and_nothing_else_does(run, training, learned):
    assert moved(run(epochs=1, **training).model) == learned


@pytest.mark.slow
def test_without_a_frozen_level_every_layer_learns(run):
    assert moved(run(SMALL, epochs=1).model, SMALL) == ["conv1", "norm1", "conv2", "norm2", "logits"]


@pytest.fixture(scope="module")
def on_kept_maps(run):
    """LeNet-5 after an epoch on kept maps of its backbone: 120 of 2 x 2 x 16 in float32, or 30,720 bytes."""
    return run(freeze="backbone", features="once", memory_budget_gb=1e-4, epochs=1).model


def test_what_follows_a_backbone_whose_maps_are_kept_learns_and_nothing_else_does(on_kept_maps):
    assert moved(on_kept_maps) == ["dense1", "dense2", "logits"]


@pytest.fixture(scope="module")
def small_frozen(run):
    """SMALL, frozen up to c1, by where its maps come from."""
    return {features: run(SMALL, freeze="c1", features=features) for features in ("each_step", "once")}


@pytest.mark.parametrize("features", ["each_step", "once"])
def test_frozen_batch_normalisation_keeps_its_statistics_to_the_bit(small_frozen, features):
    learned = moved(small_frozen[features].model, SMALL)
    assert learned == ["conv2", "norm2", "logits"]


@pytest.mark.slow
@pytest.mark.parametrize("features", ["each_step", "once"])
def test_frozen_stages_of_a_resnet_keep_their_statistics_to_the_bit(run, features):
    learned = moved(run(RESNET, freeze="c1", features=features, epochs=1).model, RESNET)
    # Two weights and two statistics per norm; everything in stage 2 and nothing before it.
    blocks = [f"stage2_block{block}_{part}" for block in (1, 2, 3) for part in ("conv1", "norm1", "conv2", "norm2")]
    assert sorted(learned) == sorted([*blocks, "logits"])


def test_frozen_weights_have_no_optimizer_state(run, tmp_path):
    run(SMALL, freeze="backbone", optimizer=c.Adam(), epochs=1, work=tmp_path)
    (checkpoint,) = (tmp_path / "checkpoints").glob("step-*")
    arrays, _ = read_contents(checkpoint, read_manifest(checkpoint))
    # Kernel and bias of the logits; Adam keeps two numbers per weight, the number of steps, and its rate.
    assert sum(name.startswith("optimizer/") for name in arrays) == 2 + 2 * 2


# --- Features computed once


def assert_equal_fits(each_step, once):
    for name, weights in by_layer(once.model).items():
        for one, other in zip(weights, by_layer(each_step.model)[name], strict=True):
            np.testing.assert_allclose(one, other, **CLOSE, err_msg=name)
    pd.testing.assert_frame_equal(once.history, each_step.history, rtol=0, atol=1e-4)


def test_features_taken_once_end_at_the_weights_of_features_taken_in_each_step(small_frozen):
    assert_equal_fits(small_frozen["each_step"], small_frozen["once"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "level"),
    [
        pytest.param(LENET, "backbone", id="lenet5"),
        pytest.param(LENET, "c1", id="lenet5 c1"),
        pytest.param(RESNET, "c2", id="resnet20"),
    ],
)
def test_features_of_other_networks_and_levels_may_be_taken_once_too(run, model, level):
    assert_equal_fits(*(run(model, freeze=level, features=features) for features in ("each_step", "once")))


def test_the_result_is_the_whole_network_and_survives_saving(on_kept_maps, tmp_path):
    network = on_kept_maps
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype("float32")
    assert loaded.input_shape == (None, 16, 16, 1)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]
    np.testing.assert_allclose(loaded(images), network(images), **CLOSE)


@pytest.mark.slow
def test_an_image_goes_through_the_frozen_part_once(run, monkeypatch):
    seen = []
    # Not a convolution: kept features replace those together with the normalisations after them.
    original = keras.layers.ReLU.call

    def counting(layer, inputs, *args, **kwargs):
        import tensorflow as tf

        if layer.name == "relu1" and isinstance(inputs, tf.Tensor):
            tf.py_function(lambda rows: seen.append(int(rows)), [tf.shape(inputs)[0]], [])
        return original(layer, inputs, *args, **kwargs)

    monkeypatch.setattr(keras.layers.ReLU, "call", counting)
    run(SMALL, freeze="backbone", features="once", epochs=2)
    assert sum(seen) == 96 + 24  # training and validation images
    seen.clear()
    run(SMALL, freeze="backbone", epochs=2)
    # In each of 2 epochs, 6 training batches and 2 validation batches of 16 rows.
    assert sum(seen) == 2 * (6 + 2) * 16


def test_maps_larger_than_the_memory_budget_are_refused_with_their_size(run, on_kept_maps):
    # 120 maps of 8 x 8 x 6 in float32: 184,320 bytes.
    message = r"the 120 maps of 8 x 8 x 6 .* they take 0.000184 GB; received 0.0001. Raise the budget, freeze up to"
    with pytest.raises(ConfigError, match=message):
        run(freeze="c1", features="once", memory_budget_gb=1e-4)
    # Smaller maps fit into the same budget.
    assert moved(on_kept_maps)


@pytest.mark.slow
def test_a_head_on_an_inner_map_of_the_frozen_part_needs_every_step(run, monkeypatch, tmp_path):
    (tmp_path / "two_headed.py").write_text(
        "import keras\n"
        "from keras import layers\n"
        "def net(*, image_shape, num_classes):\n"
        "    image = keras.Input(image_shape, name='image')\n"
        "    c1 = layers.MaxPooling2D(name='c1')(layers.Conv2D(2, 3, padding='same', name='conv1')(image))\n"
        "    c2 = layers.MaxPooling2D(name='c2')(layers.Conv2D(2, 3, padding='same', name='conv2')(c1))\n"
        "    if num_classes is None:\n"
        "        return keras.Model(image, {'c1': c1, 'c2': c2})\n"
        "    both = [layers.GlobalAveragePooling2D(name=f'pool{n}')(x) for n, x in enumerate((c1, c2))]\n"
        "    logits = layers.Dense(num_classes, name='logits')(layers.Concatenate(name='both')(both))\n"
        "    return keras.Model(image, logits, name='two_headed')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = c.Model(name="two_headed:net")
    assert [layer.name for layer in run(model, freeze="c2", epochs=1).model.layers if not layer.trainable]
    with pytest.raises(ConfigError, match="keeps only the map of c2, but two_headed also uses earlier maps"):
        run(model, freeze="c2", features="once", epochs=1)


# --- The head of an earlier training


@pytest.mark.slow
def test_head_of_an_earlier_training_goes_by_name_also_over_a_frozen_backbone(stripes, trained, tmp_path):
    """The same images and class names with other label numbers: a trained head knows them without learning."""
    classes = tuple(reversed(stripes.classes))
    examples = opened(stripes.examples)

    def rows(split):
        for one in examples.dataset(split):
            yield Example(one["id"].numpy().decode(), one["image"].numpy(), label=stripes.classes[int(one["label"])])

    write_examples(rows, splits=("train", "validation"), classes=classes, folder=tmp_path / "data")
    model = c.Model(name="lenet5", weights=str(trained.model), options=LENET.options)
    training = c.Training(epochs=1, batch_size=16, optimizer=c.Sgd(learning_rate=1e-9), freeze="backbone")
    begun = fit(
        TrainerSettings(task=c.Classification(), model=model, training=training, augment=()),
        examples=ExampleSet(tmp_path / "data"),
        classes=classes,
        transform=ImageTransform.load(stripes.transform),
    )
    known = pd.read_csv(trained.history)["val_accuracy"].iloc[-1]
    assert known > 0.8
    assert begun.history["val_accuracy"].iloc[-1] == pytest.approx(known, abs=1e-6)


# --- Two replicas


@pytest.mark.slow
def test_two_replicas_freeze_as_one_device_does(on_replicas_in_each_case, small_networks):
    one, two = (on_replicas_in_each_case[f"{replicas} frozen"] for replicas in (1, 2))
    start = {f"{layer}/{place}": weight for layer, own in initial(SMALL).items() for place, weight in enumerate(own)}
    changed = {name.split("/")[0] for name, weight in two.items() if (weight != start[name]).any()}
    assert changed == {"logits"}
    assert one.keys() == two.keys() == start.keys()
    for name, weight in two.items():
        np.testing.assert_allclose(weight, one[name], **CLOSE, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("features", ["each_step", "once"])
def test_two_replicas_in_a_process_of_their_own_freeze_as_one_device_does(stripes, tmp_path, features):
    def trained(name, **devices):
        files = TrainingFiles(
            stripes.examples, stripes.schema, stripes.transform, tmp_path / f"{name}.keras", tmp_path / f"{name}.csv"
        )
        training = c.Training(
            epochs=1,
            batch_size=16,
            optimizer=c.Sgd(learning_rate=0.02, momentum=0.9),
            seed=3,
            freeze="backbone",
            features=features,
            **devices,
        )
        train(TrainerSettings(task=c.Classification(), model=LENET, training=training, augment=()), files)
        return keras.models.load_model(files.model, compile=False)

    one, two = trained("one", strategy="one_device"), trained("two", strategy="mirrored", replicas=2)
    assert moved(two) == ["dense1", "dense2", "logits"]
    for single, double in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(double, single, **CLOSE)


# --- Levels of a network


def test_levels_are_the_backbones_and_their_layers_the_networks():
    # By hand, from the tables in lenet.py and resnet.py.
    assert map_makers(LENET, image_shape=(28, 28, 1)) == {"c1": "pool1", "c2": "pool2"}
    assert map_makers(RESNET, image_shape=(32, 32, 3)) == {
        "c0": "stage0_block3_relu2",
        "c1": "stage1_block3_relu2",
        "c2": "stage2_block3_relu2",
    }


def test_the_frozen_part_computes_the_backbones_map():
    keras.utils.set_random_seed(0)
    network = models.build("resnet20", image_shape=(16, 16, 1), num_classes=3)
    frozen = freeze(network, model=RESNET, level="c1", image_shape=(16, 16, 1))
    backbone = models.build("resnet20", image_shape=(16, 16, 1), num_classes=None)
    for layer in backbone.layers:
        layer.set_weights(network.get_layer(layer.name).get_weights())
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype("float32")
    np.testing.assert_array_equal(frozen(images), backbone(images)["c1"])


def test_a_level_that_the_network_lacks_is_refused_with_those_it_has(run):
    with pytest.raises(ConfigError, match=r"lenet5 has no level 'c7'; choose from backbone, c1, c2."):
        run(freeze="c7")


def test_a_network_without_auxiliary_heads_is_left_as_it_is():
    assert without_auxiliary_heads(LENET) == LENET


def test_auxiliary_heads_are_left_out_unless_the_options_ask_for_them(tmp_path, monkeypatch):
    (tmp_path / "helped.py").write_text("def net(*, image_shape, num_classes, auxiliary_heads=True): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert without_auxiliary_heads(c.Model(name="helped:net")).options == {"auxiliary_heads": False}
    asked = c.Model(name="helped:net", options={"auxiliary_heads": True})
    assert without_auxiliary_heads(asked) == asked
