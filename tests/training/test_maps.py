"""A network whose outputs are a flat dict of maps goes through all that training does with a network of logits."""

from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.training import transfer
from kerasvision.training.devices.full_precision import in_float32
from kerasvision.training.devices.precision import building_in
from kerasvision.training.fit import fit
from kerasvision.training.probes.agreement import agreement
from kerasvision.training.probes.gradient_check import check_builder
from kerasvision.training.probes.learning_rate_finder import find_learning_rate
from kerasvision.training.probes.overfit import _died, overfit
from kerasvision.training.probes.replica_run import _outputs
from kerasvision.training.probes.training_time import training_time
from kerasvision.training.transfer import FeatureMaps

NAMES = ("p1_class_logits", "p1_distances", "p2_class_logits", "p2_distances")


@pytest.fixture(scope="module", autouse=True)
def map_task():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import map_task

        yield map_task


@pytest.fixture(scope="module")
def settings(map_task):
    def made(options=None, **training):
        defaults = {"epochs": 1, "batch_size": 8, "optimizer": c.Adam(learning_rate=3e-2), "seed": 1}
        model = c.Model(name="map_task:maps", options=options or {})
        return TrainerSettings(
            task=map_task.Maps(), model=model, training=c.Training(**{**defaults, **training}), augment=()
        )

    return made


@pytest.fixture(scope="module")
def data(stripes):
    return {
        "examples": ExampleSet(stripes.examples),
        "classes": stripes.classes,
        "transform": ImageTransform.load(stripes.transform),
    }


# --- Probes


@pytest.mark.parametrize(("kernel", "is_same"), [(0.0, True), (0.5, False)])
def test_a_network_that_gives_all_images_the_same_maps_is_named(map_task, stripes, kernel, is_same):
    network = map_task.maps(image_shape=(8, 8, 1), num_classes=3)
    network.get_layer("conv1").set_weights([np.full((3, 3, 1, 4), kernel, np.float32)])
    objective = map_task.MapTask(map_task.Maps(), stripes.classes).objective()
    batch = tf.reshape(tf.range(192, dtype=tf.float32), (3, 8, 8, 1)) ** 2, tf.eye(3)
    found = _died(SimpleNamespace(network=network, objective=objective), batch)
    assert ("in the end, the network gives all images the same answer" in found) == is_same


@pytest.mark.slow
def test_a_batch_is_learned_by_heart(data, settings):
    checked = overfit(settings({"dropout": 0.5}), **data)
    assert checked.learned, checked.text


@pytest.mark.slow
def test_a_learning_rate_is_found(data, settings):
    found = find_learning_rate(settings(), steps=20, **data)
    assert len(found.table) >= 10
    assert np.isfinite(found.table["loss"].iloc[0])


def test_the_gradients_of_all_maps_are_right():
    check = check_builder("map_task:maps", image_shape=(8, 8, 1), num_classes=2, first=2)
    assert check.passed, check.text
    assert {"conv1", "conv2", "classes2", "distances2"} <= set(check.table["layer"])


def test_each_layer_has_a_fingerprint_for_the_comparison_of_replicas(map_task):
    network = map_task.maps(image_shape=(8, 8, 1), num_classes=2)
    found = _outputs(network, tf.ones((3, 8, 8, 1)), tf.distribute.get_strategy())
    assert {"conv1", "classes1", "positive2"} <= set(found)
    assert all(rows.shape == (3,) for rows in found.values())


@pytest.mark.slow
def test_replicas_agree(stripes, settings):
    made = settings(clip_norm=1.0)
    experiment = c.Experiment(
        name="maps",
        source=c.Digits(),
        transform=c.Transform(image_size=(16, 16), color_mode="grayscale"),
        task=made.task,
        model=made.model,
        training=made.training,
    )
    seen = agreement(experiment, stripes.examples, stripes.transform.parent, steps=5)
    assert seen.agrees, seen.text


@pytest.mark.slow
def test_the_time_of_a_training_is_measured(stripes, settings, tmp_path):
    rows = list(ExampleSet(stripes.examples).dataset("train").as_numpy_iterator())
    files = {label: [] for label in stripes.classes}
    for number, row in enumerate(rows[:30]):
        file = tmp_path / f"{number}.png"
        file.write_bytes(row["image"])
        files[stripes.classes[row["label"]]].append(file)
    made = settings(batch_size=6)
    experiment = c.Experiment(
        name="maps",
        source=c.Digits(),
        transform=c.Transform(image_size=(16, 16), color_mode="grayscale"),
        task=made.task,
        model=made.model,
        training=made.training,
    )
    assert training_time(experiment, files).step_image > 0


# --- Precision, freezing, kept features


def test_sixteen_bits_become_float32_with_the_same_names_and_weights(map_task):
    with building_in("mixed_bfloat16"):
        network = map_task.maps(image_shape=(16, 16, 1), num_classes=3)
    assert {part.dtype for part in network.output.values()} == {"bfloat16"}
    other = in_float32(network)
    assert tuple(other.output) == NAMES
    assert {part.dtype for part in other.output.values()} == {"float32"}
    for one, same in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("precision", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
def test_a_training_in_sixteen_bits_is_scored(data, settings, precision):
    fitted = fit(settings(precision=precision, epochs=2), **data)
    assert np.isfinite(fitted.history["val_balanced"]).all()
    assert fitted.history["loss"].iloc[1] < fitted.history["loss"].iloc[0]
    assert set(fitted.model.output) == set(NAMES)


@pytest.fixture(scope="module")
def frozen(data, settings):
    """The training of the maps of the last level over a frozen backbone, by the way of its features."""
    return {
        features: fit(settings({"first": 2}, freeze="backbone", features=features, epochs=2), **data)
        for features in ("each_step", "once")
    }


def test_kept_features_end_at_the_weights_and_scores_of_features_of_each_step(frozen):
    one, other = frozen["each_step"], frozen["once"]
    for weight, same in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_allclose(same, weight, rtol=0, atol=1e-5)
    assert list(one.history) == list(other.history)
    np.testing.assert_allclose(other.history, one.history, rtol=1e-4)
    assert one.history["val_rows"].tolist() == [24, 24]


def test_the_frozen_part_keeps_its_weights(frozen, map_task):
    keras.utils.set_random_seed(1)
    start = map_task.maps(image_shape=(16, 16, 1), num_classes=3, first=2)
    moved = {
        layer.name
        for layer, before in zip(frozen["once"].model.layers, start.layers, strict=True)
        for weight, initial in zip(layer.get_weights(), before.get_weights(), strict=True)
        if (weight != initial).any()
    }
    assert moved == {"classes2", "distances2"}


def test_heads_on_several_levels_need_every_step_which_is_found_before_any_map_is_made(data, settings, monkeypatch):
    monkeypatch.setattr(transfer, "FeatureMaps", lambda *_, **__: pytest.fail("maps were made"))
    with pytest.raises(ConfigError, match=r"keeps only the map of backbone, but maps also uses earlier maps. Set features"):
        fit(settings(freeze="backbone", features="once"), **data)


@pytest.mark.slow
def test_kept_maps_keep_the_objects_that_are_read(map_task, tmp_path):
    def row(name, *boxes):
        things = [{"bbox": box, "label": "thing", "crowd": False, "area": 1.0} for box in boxes]
        return Example(name, encode_png(np.zeros((16, 16), np.uint8)), objects=things)

    rows = [row("none"), row("two", (0.0, 0.0, 0.5, 1.0), (0.25, 0.25, 0.75, 0.5))]
    write_examples(lambda split: rows, splits=["train"], classes=(), object_classes=["thing"], folder=tmp_path / "data")
    frozen = map_task.maps(image_shape=(16, 16, 1), num_classes=None)
    last = keras.Model(frozen.input, frozen.output["c2"])
    transform = ImageTransform(c.Transform(image_size=(16, 16), color_mode="grayscale"), (0.0,), (1.0,))
    for reads, kept in ({"objects"}, True), ({"label"}, False):
        known = ReadExamples(ExampleSet(tmp_path / "data"), reads)
        maps = FeatureMaps(last, examples=known, transform=transform, training=c.Training())
        assert maps.object_classes == (("thing",) if kept else ())
        found = {example["id"].decode(): example for example in maps.dataset("train").as_numpy_iterator()}
        assert found["two"]["image"].shape == (4, 4, 8)
        assert ("objects" in found["two"]) == kept
        if kept:
            assert found["none"]["objects"]["label"].tolist() == [-1, -1]
            assert found["two"]["objects"]["bbox"].tolist() == [[0.0, 0.0, 0.5, 1.0], [0.25, 0.25, 0.75, 0.5]]
