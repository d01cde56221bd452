"""What every network promises, checked on every row of the catalogue."""

import functools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.lookup import MODELS
from kerasvision.models import table

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}


def asked(model, inputs, **options):
    """The outputs of a network for its inputs. Most networks have one input, an image."""
    return model(inputs if len(inputs) > 1 else inputs[0], **options)


def lived_in(network):
    """The network with no weight at its initial value, because a zero, a one or a mean of zero can hide a mistake."""
    keras.utils.set_random_seed(0)
    model = network.build()
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(generator.normal(0.0, 0.02, weight.shape))
    for _ in range(3):  # moves the statistics of batch normalisation
        asked(model, network.inputs(8), training=True)
    return model


def copied(model, network):
    """A copy of the network with the same weights; a test may change it."""
    copy = network.build()
    copy.set_weights(model.get_weights())
    return copy


def assert_equal_but_for_rounding(logits, expected):
    """To 1e-4 of the largest: in deep networks whose statistics have hardly moved, logits are in the tens."""
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def run_on_jax(folder, how):
    # Each network runs once, so XLA's optimization would take longer than it saves.
    hasty = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = os.environ | NO_GPU | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax", "XLA_FLAGS": hasty}
    command = [sys.executable, str(HERE / "other_backend.py"), str(folder), how]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)


def assert_trained_alike(run):
    assert run["moved"] > 1e-7  # the training reached every weight
    assert run["apart"] < 1e-5


@pytest.fixture(scope="module")
def living():
    """Each network after `lived_in`. Those of fast rows are made once, since `saved_networks` takes them all at once."""
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
def together(networks):
    """The names of the rows that one run of a script handles: all fast ones, or one slow one."""
    fast = tuple(str(network) for network in networks if not network.slow)
    return lambda network: (str(network),) if network.slow else fast


@pytest.fixture(scope="module")
def saved_networks(networks, living, together, tmp_path_factory, warm):
    """A folder with each row's network, its images, and its logits in plain Keras and on another backend."""

    @functools.cache
    def of(names):
        folder = tmp_path_factory.mktemp("saved")
        for network in networks:
            if str(network) in names:
                living(network).save(folder / f"{network}.keras")
                np.savez(folder / f"{network}.npz", *network.inputs())
        with ThreadPoolExecutor() as pool:
            scripts = [
                pool.submit(warm.run_script, HERE / "reload.py", folder, timeout_seconds=1500, **NO_GPU),
                pool.submit(run_on_jax, folder, "eager"),
            ]
        for script in scripts:
            assert script.result().returncode == 0, script.result().stderr
        return folder

    return lambda network: of(together(network))


@pytest.fixture(scope="module")
def compiled_networks(saved_networks):
    """The same folder, with the logits of each row's network that JAX compiled as a whole."""

    @functools.cache
    def of(folder):
        done = run_on_jax(folder, "compiled")
        assert done.returncode == 0, done.stderr
        return folder

    return lambda network: of(saved_networks(network))


@pytest.fixture(scope="module")
def replica_runs(together, warm):
    @functools.cache
    def of(mode, names):
        done = warm.run_script(HERE / "two_replicas.py", mode, *names, timeout_seconds=1500, **NO_GPU)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return lambda network, mode: of(mode, together(network))[str(network)]


def test_every_network_has_a_row_here(networks):
    assert {network.name for network in networks} == set(MODELS)


def test_image_becomes_one_finite_logit_per_class(model, network):
    logits = asked(model, network.inputs())
    assert logits.shape == (4, *network.per_image, 10)
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()


def test_output_is_logits_not_probabilities(model):
    last = model.layers[-1]
    assert last.name == "logits"
    # NiN's logits are the means of its last maps, and a pooling has no activation.
    pooled = isinstance(last, keras.layers.GlobalAveragePooling2D)
    assert pooled or last.activation is keras.activations.linear


@pytest.mark.usefixtures("shapes_only")
def test_logits_stay_float32_where_a_mixed_policy_computes_in_16_bits(network):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network.build()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[1].compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


@pytest.mark.usefixtures("shapes_only")
def test_smallest_image_reaches_the_logits(network):
    smallest = table.find(network.name).smallest_side
    shape = network.build(image_shape=(smallest, smallest, 3)).output.shape
    assert (len(shape), shape[-1]) == (2 + len(network.per_image), 10)


def test_every_weight_gets_a_gradient(network):
    keras.utils.set_random_seed(0)
    model = network.build()
    with tf.GradientTape() as tape:
        logits = asked(model, network.inputs(8), training=True)
        rows = tf.reshape(logits, (-1, 10))
        labels = np.arange(len(rows)) % 10
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, rows, from_logits=True))
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
        assert gradient is not None, weight.path
        # A bias before a normalisation gets some 1e-9 of rounding here, which is not a gradient.
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 1e-6 or network.is_idle(weight.path), weight.path


def test_saved_equals_loaded_in_a_process_without_kerasvision(model, network, saved_networks):
    reloaded = np.load(saved_networks(network) / f"{network}.out.npy")
    # Plain Keras normalises by other operations than the fused kernel.
    assert_equal_but_for_rounding(reloaded, asked(model, network.inputs()))


def test_built_on_another_backend_it_answers_the_same(model, network, saved_networks):
    on_jax = np.load(saved_networks(network) / f"{network}.eager.npy")
    assert_equal_but_for_rounding(on_jax, asked(model, network.inputs()))


@pytest.mark.slow
def test_compiled_as_a_whole_on_another_backend_it_answers_the_same(model, network, compiled_networks):
    on_jax = np.load(compiled_networks(network) / f"{network}.compiled.npy")
    assert_equal_but_for_rounding(on_jax, asked(model, network.inputs()))


@pytest.mark.parametrize("training", [False, True])
def test_eager_equals_graph(model, network, training):
    eager, graph = (copied(model, network) for _ in range(2)) if training else (model, model)
    inputs = network.inputs()
    logits = asked(tf.function(graph), inputs, training=training)
    # The tolerance is wide, because batch normalisation over the few pixels of a small map magnifies rounding.
    np.testing.assert_allclose(logits, asked(eager, inputs, training=training), rtol=1e-3, atol=1e-3)
    for in_graph, in_eager in zip(graph.weights, eager.weights, strict=True):
        np.testing.assert_allclose(in_graph, in_eager, rtol=1e-3, atol=1e-3)


def test_image_alone_equals_its_row_in_a_batch(model, network):
    inputs = network.inputs()
    together = asked(model, inputs, training=False)
    for row in range(4):
        alone = asked(model, [part[row : row + 1] for part in inputs], training=False)
        assert_equal_but_for_rounding(alone[0], together[row])


@pytest.mark.timeout(1800)
def test_two_replicas_equal_one_device(network, replica_runs):
    assert_trained_alike(replica_runs(network, "eager"))


# For two replicas of a residual network, tracing the graph takes several times as long as running it. For the slow rows,
# which have the same layers, it would take hours.
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_replicas_equal_one_device_in_a_graph(fast_network, replica_runs):
    assert_trained_alike(replica_runs(fast_network, "graph"))


@pytest.mark.usefixtures("shapes_only")
def test_map_of_level_l_has_stride_two_to_the_l(network):
    small = network.build(num_classes=None, image_shape=(96, 96, 3)).output
    large = network.build(num_classes=None, image_shape=(128, 160, 3)).output
    for name, feature_map in small.items():
        stride = 2 ** int(name.removeprefix("c"))
        _, height, width, _ = feature_map.shape
        assert large[name].shape[1:3] == (height + 32 // stride, width + 64 // stride)


@pytest.mark.usefixtures("shapes_only")
def test_backbone_is_the_network_without_its_head(model, network):
    backbone = network.build(num_classes=None)
    in_network = {layer.name: layer.count_params() for layer in model.layers}
    assert {layer.name: layer.count_params() for layer in backbone.layers}.items() <= in_network.items()


@pytest.mark.usefixtures("shapes_only")
def test_layers_are_named_alike_in_every_model_of_a_process(model, network):
    assert [layer.name for layer in network.build().layers] == [layer.name for layer in model.layers]
