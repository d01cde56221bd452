"""What every network promises when it computes, checked on every row of the catalogue."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
# How the file of a network writes an argument that is a tensor, `:`, `...` or an array.
MARKS = {"__keras_tensor__", "__slice__", "__ellipsis__", "__numpy__"}


def asked(model, network, inputs=None, **options):
    """The rows of a network's outputs, by default for its own inputs. Most networks have one input, an image."""
    inputs = network.inputs() if inputs is None else inputs
    return network.as_rows(model(inputs if len(inputs) > 1 else inputs[0], **options))


def lived_in(network):
    """The network with no weight at its initial value, because a zero, a one or a mean of zero can hide a mistake."""
    keras.utils.set_random_seed(0)
    model = network.build()
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(generator.normal(0.0, 0.02, weight.shape))
    for _ in range(3):  # moves the statistics of batch normalisation
        asked(model, network, network.inputs(8), training=True)
    return model


def described(config):
    """Every part of a network's configuration that names a class or a function."""
    if isinstance(config, dict):
        yield from [config] if "class_name" in config else []
    for value in config.values() if isinstance(config, dict) else config if isinstance(config, list) else []:
        yield from described(value)


def norms_of(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]


def assert_equal_but_for_rounding(logits, expected):
    """To 1e-4 of the largest: in deep networks whose statistics have hardly moved, logits are in the tens."""
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def assert_parts_equal(model, network, logits, *, training):
    """The first image alone and the other three have their rows of the logits."""
    for part in (slice(1), slice(1, None)):
        of_part = asked(model, network, [values[part] for values in network.inputs()], training=training)
        assert_equal_but_for_rounding(of_part, logits[part])


def run_on_jax(folder, how, names):
    # Each network runs once, so XLA's optimization would take longer than it saves.
    hasty = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = os.environ | NO_GPU | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax", "XLA_FLAGS": hasty}
    command = [sys.executable, str(HERE / "other_backend.py"), str(folder), how, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def living():
    """Each network after `lived_in`. Those of fast rows are made once, since `saved_networks` takes several at once."""
    kept = {}

    def living_one(network):
        if network.slow:
            return lived_in(network)
        if str(network) not in kept:
            kept[str(network)] = lived_in(network)
        return kept[str(network)]

    return living_one


@pytest.fixture(scope="module")
def model(network, living):
    return living(network)


@pytest.fixture(scope="module")
def logits(model, network):
    return asked(model, network)


@pytest.fixture(scope="module")
def saved_networks(networks, living, computed_together, tmp_path_factory):
    """A folder with each row's network and its images."""

    @functools.cache
    def of(names):
        folder = tmp_path_factory.mktemp("saved")
        for network in networks:
            if str(network) in names:
                living(network).save(folder / f"{network}.keras")
                np.savez(folder / f"{network}.npz", *network.inputs())
        return folder

    return lambda network: of(computed_together(network))


@pytest.fixture(scope="module")
def reloaded_networks(saved_networks, warm):
    """The same folder, with each row's logits in plain Keras."""

    @functools.cache
    def of(folder):
        done = warm.run_script(HERE / "reload.py", folder, timeout_seconds=1500, **NO_GPU)
        assert done.returncode == 0, done.stderr
        return folder

    return lambda network: of(saved_networks(network))


@pytest.fixture(scope="module")
def on_jax(saved_networks, computed_together):
    """`on_jax(network, how)`: the same folder after a run on JAX that builds its networks, which then answer."""

    @functools.cache
    def of(folder, how, names):
        run_on_jax(folder, how, names)
        return folder

    return lambda network, how: of(saved_networks(network), how, computed_together(network))


@pytest.fixture(scope="module")
def jax_shapes(on_jax):
    """The path and shape of each weight of a row on JAX."""
    return lambda network: json.loads((on_jax(network, "eager") / f"{network}.shapes.json").read_text())


@pytest.fixture(scope="module")
def jax_answers(on_jax):
    """The logits of a row on JAX: `how` is "eager", or "compiled" as a whole."""
    return lambda network, how: np.load(on_jax(network, how) / f"{network}.{how}.npy")


def test_image_becomes_one_finite_logit_per_class(logits, network):
    assert logits.shape == (4, *network.per_image, 10)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


def test_output_is_logits_not_probabilities(model, network):
    # After the logits of pixels may follow what brings them to the size of the image.
    # YOLO's scores are the probabilities themselves, by a linear layer.
    of_rows = {"autoencoder": "restored", "yolo": "class_scores", "yolo_v1": "class_scores"}.get(
        network.name, "class_logits"
    )
    named = of_rows if network.rows else "logits" if network.per_pixel else ""
    # An SSD has a layer for the classes on each of its maps.
    last = [layer for layer in model.layers if layer.name.endswith(named)][-1]
    assert last.name.endswith(("logits", "restored", "class_scores"))
    # NiN's logits are the means of its last maps, and those of an FCN may be interpolated: such a layer has no activation.
    has_none = isinstance(last, keras.layers.GlobalAveragePooling2D | keras.layers.UpSampling2D)
    assert has_none or last.activation is keras.activations.linear


def test_file_of_a_network_names_nothing_but_what_keras_has(model):
    """Keras alone can load such a file. The next test checks that it then answers the same; for most rows it is slow."""
    named = {part.get("module") or part["class_name"] for part in described(json.loads(model.to_json()))}
    assert {name.partition(".")[0] for name in named - MARKS} == {"keras"}


@pytest.mark.slow
def test_saved_equals_loaded_in_a_process_without_kerasvision(logits, network, reloaded_networks):
    reloaded = np.load(reloaded_networks(network) / f"{network}.out.npy")
    # Plain Keras normalises by other operations than the fused kernel.
    assert_equal_but_for_rounding(reloaded, logits)


@pytest.mark.slow
def test_another_backend_builds_it_with_the_same_weights(model, network, jax_shapes):
    """Building runs the code of each layer on symbolic tensors, so a layer that calls TensorFlow fails."""
    assert jax_shapes(network) == [[weight.path, list(weight.shape)] for weight in model.weights]


@pytest.mark.slow
def test_built_on_another_backend_it_answers_the_same(logits, network, jax_answers):
    assert_equal_but_for_rounding(jax_answers(network, "eager"), logits)


@pytest.mark.slow
def test_compiled_as_a_whole_on_another_backend_it_answers_the_same(logits, network, jax_answers):
    assert_equal_but_for_rounding(jax_answers(network, "compiled"), logits)


def test_eager_equals_graph(model, logits, network):
    # Without AutoGraph, as `fit` and `predict` trace a network.
    graph = tf.function(model, autograph=False)
    np.testing.assert_allclose(asked(graph, network), logits, rtol=1e-3, atol=1e-3)


def test_images_alone_equal_their_rows_in_a_batch(model, logits, network):
    assert_parts_equal(model, network, logits, training=False)


def test_in_training_images_meet_in_norms_only(model, network):
    """Then two replicas compute what one device does, if all their norms are synchronized."""
    norms = norms_of(model)
    for norm in norms:
        norm.trainable = False  # it uses the statistics of earlier batches
    try:
        assert_parts_equal(model, network, asked(model, network, training=True), training=True)
    finally:
        for norm in norms:
            norm.trainable = True
