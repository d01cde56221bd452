"""Optimizers: each update equals the paper's rule in NumPy, and the right weights decay."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import models
from kerasvision.config import training as t
from kerasvision.errors import ConfigError
from kerasvision.training.optimizing.muon import Muon
from kerasvision.training.optimizing.optimizers import is_decayed, make_optimizer

RATE, STEPS = 0.01, 6
# The kernel of a convolution, the kernel of a dense layer, and a bias.
SHAPES = {"conv/kernel": (3, 3, 2, 5), "dense/kernel": (4, 6), "bias": (7,)}
RANDOM = np.random.default_rng(0)
START = {name: RANDOM.normal(size=shape) for name, shape in SHAPES.items()}
GRADIENTS = [{name: RANDOM.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]


def trained(settings):
    """The weights after six steps in a graph."""
    variables = [keras.Variable(value.astype("float32"), name=name.rpartition("/")[2]) for name, value in START.items()]
    optimizer = make_optimizer(t.Training(optimizer=settings), steps_per_epoch=STEPS)
    optimizer.build(variables)
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    for gradients in GRADIENTS:
        step([tf.constant(gradient, tf.float32) for gradient in gradients.values()])
    return dict(zip(START, (variable.numpy() for variable in variables), strict=True))


def by_rule(rule, decay=0.0):
    """The same by a rule: (gradient, state, step from 1) -> what to subtract from the weight; `state` starts empty."""
    weights = {}
    for name, weight in START.items():
        state = {}
        for number, gradients in enumerate(GRADIENTS, 1):
            shrunk = weight * (1 - RATE * decay * (name != "bias"))
            weight = shrunk - rule(gradients[name], state, number)
        weights[name] = weight
    return weights


def momentum_rule(momentum, nesterov):
    # cs231n: v = mu * v - learning_rate * dx; x += v, or x += -mu * v_prev + (1 + mu) * v
    def rule(gradient, state, step):
        before = state.get("v", 0.0)
        state["v"] = momentum * before - RATE * gradient
        return momentum * before - (1 + momentum) * state["v"] if nesterov else -state["v"]

    return rule


def adagrad_rule(start, epsilon=1e-7):
    def rule(gradient, state, step):
        state["sum"] = state.get("sum", start) + gradient**2
        return RATE * gradient / np.sqrt(state["sum"] + epsilon)

    return rule


def rmsprop_rule(momentum, centered, epsilon=1e-7):
    def rule(gradient, state, step):
        state["v"] = 0.9 * state.get("v", 0.0) + 0.1 * gradient**2
        state["mean"] = 0.9 * state.get("mean", 0.0) + 0.1 * gradient
        variance = state["v"] - centered * state["mean"] ** 2
        state["m"] = momentum * state.get("m", 0.0) + RATE * gradient / np.sqrt(variance + epsilon)
        return state["m"]

    return rule


def adam_rule(beta_1, beta_2, epsilon):
    # Kingma & Ba, the form at the end of section 2.
    def rule(gradient, state, step):
        state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * gradient
        state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * gradient**2
        rate = RATE * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        return rate * state["m"] / (np.sqrt(state["v"]) + epsilon)

    return rule


def lion_rule(gradient, state, step):
    # Chen et al., algorithm 2.
    update = np.sign(0.9 * state.get("m", 0.0) + 0.1 * gradient)
    state["m"] = 0.99 * state.get("m", 0.0) + 0.01 * gradient
    return RATE * update


RULES = {
    "sgd": (t.Sgd(learning_rate=RATE), momentum_rule(0.0, False)),
    "momentum": (t.Sgd(learning_rate=RATE, momentum=0.9), momentum_rule(0.9, False)),
    "nesterov": (t.Sgd(learning_rate=RATE, momentum=0.9, nesterov=True), momentum_rule(0.9, True)),
    "adagrad": (t.Adagrad(learning_rate=RATE), adagrad_rule(0.1)),
    "adagrad of the notes": (t.Adagrad(learning_rate=RATE, initial_accumulator_value=0), adagrad_rule(0.0)),
    "rmsprop": (t.RmsProp(learning_rate=RATE), rmsprop_rule(0.0, False)),
    "rmsprop, momentum": (t.RmsProp(learning_rate=RATE, momentum=0.8), rmsprop_rule(0.8, False)),
    # Epsilon is large here, because the variance of the first step comes from a single gradient.
    "rmsprop, centred": (
        t.RmsProp(learning_rate=RATE, momentum=0.8, centered=True, epsilon=0.1),
        rmsprop_rule(0.8, True, 0.1),
    ),
    "adam": (t.Adam(learning_rate=RATE), adam_rule(0.9, 0.999, 1e-7)),
    "adamw": (t.AdamW(learning_rate=RATE, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0), adam_rule(0.8, 0.9, 1e-3)),
    "lion": (t.Lion(learning_rate=RATE), lion_rule),
}


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize(("settings", "rule"), RULES.values(), ids=RULES)
def test_steps_follow_the_rule_and_decay_spares_the_bias(settings, rule, decay):
    weights = trained(settings.model_copy(update={"weight_decay": decay}))
    for name, expected in by_rule(rule, decay).items():
        np.testing.assert_allclose(weights[name], expected, rtol=2e-5, atol=2e-6, err_msg=name)


# --- Muon


def newton_schulz(matrix):
    """Jordan's polynomial, applied five times, on the smaller side."""
    if matrix.shape[0] > matrix.shape[1]:
        return newton_schulz(matrix.T).T
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def muon_rule(gradient, state, step):
    state["m"] = 0.95 * state.get("m", 0.0) + gradient
    matrix = (gradient + 0.95 * state["m"]).reshape(-1, gradient.shape[-1])
    return RATE * 0.2 * np.sqrt(max(matrix.shape)) * newton_schulz(matrix).reshape(gradient.shape)


def test_muon_takes_orthogonal_steps_for_kernels_and_adams_for_the_bias():
    weights = trained(t.Muon(learning_rate=RATE, weight_decay=0.5))
    muon, adam = by_rule(muon_rule_or_nothing, 0.5), by_rule(adam_rule(0.9, 0.999, 1e-7), 0.5)
    for name, expected in {**muon, "bias": adam["bias"]}.items():
        np.testing.assert_allclose(weights[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def muon_rule_or_nothing(gradient, state, step):
    return muon_rule(gradient, state, step) if gradient.ndim > 1 else 0.0


def test_muon_leaves_the_last_layer_to_adam():
    network = models.build("lenet5", image_shape=(12, 12, 1), num_classes=4)

    def by_adam(**fields):
        optimizer = make_optimizer(t.Training(optimizer=t.Muon(**fields)), steps_per_epoch=1)
        optimizer.build(network.trainable_variables)
        kept = zip(network.trainable_variables, optimizer.adam_velocities, strict=True)
        return {variable.path for variable, velocity in kept if velocity is not None and variable.name == "kernel"}

    assert by_adam() == {"logits/kernel"}
    assert len(by_adam(adam_layers=())) == 0
    assert len(by_adam(adam_layers=("logits", "conv"))) == 3


# --- Which weights decay


def test_kernels_of_a_resnet_decay_and_nothing_else():
    network = models.build("resnet20", image_shape=(16, 16, 3), num_classes=4)
    optimizer = make_optimizer(t.Training(optimizer=t.AdamW(weight_decay=0.5)), steps_per_epoch=1)
    before = [variable.numpy() for variable in network.trainable_variables]
    optimizer.apply([tf.zeros(variable.shape) for variable in network.trainable_variables], network.trainable_variables)
    unlike = {
        variable.path
        for variable, old in zip(network.trainable_variables, before, strict=True)
        if not np.array_equal(variable.numpy(), old)
    }
    assert unlike == {layer.kernel.path for layer in network.layers if hasattr(layer, "kernel")}
    # He et al., 2015, section 4.2: 6n + 2 layers with weights, n = 3.
    assert len(unlike) == 20


def test_bias_of_an_attention_head_does_not_decay_though_it_has_two_dimensions():
    layer = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3)
    layer.build((None, 5, 8), (None, 5, 8))
    assert {(variable.name, is_decayed(variable)) for variable in layer.weights} == {("kernel", True), ("bias", False)}
    assert any(len(variable.shape) == 2 for variable in layer.weights if variable.name == "bias")


def test_without_decay_keras_goes_through_no_weights():
    assert make_optimizer(t.Training(optimizer=t.AdamW(weight_decay=0)), steps_per_epoch=1).weight_decay is None
    muon = make_optimizer(t.Training(optimizer="muon"), steps_per_epoch=1)
    assert (muon.weight_decay, muon.adam_weight_decay) == (None, None)


# --- Settings


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (t.Sgd(learning_rate=0.3, momentum=0.9, nesterov=True), keras.optimizers.SGD),
        (t.Adagrad(learning_rate=0.3, initial_accumulator_value=0.2, epsilon=0.1), keras.optimizers.Adagrad),
        (t.RmsProp(learning_rate=0.3, rho=0.8, momentum=0.5, epsilon=0.1, centered=True), keras.optimizers.RMSprop),
        (t.Adam(learning_rate=0.3, beta_1=0.8, beta_2=0.9, epsilon=0.1), keras.optimizers.Adam),
        (t.AdamW(learning_rate=0.3, weight_decay=0.2), keras.optimizers.AdamW),
        (t.Lion(learning_rate=0.3, beta_1=0.8, beta_2=0.7), keras.optimizers.Lion),
        (
            t.Muon(
                learning_rate=0.3, momentum=0.9, nesterov=False, ns_steps=3, adam_beta_1=0.8, adam_beta_2=0.7, epsilon=0.1
            ),
            keras.optimizers.Muon,
        ),
    ],
)
def test_every_field_of_the_settings_reaches_the_optimizer(settings, kind):
    optimizer = make_optimizer(t.Training(optimizer=settings), steps_per_epoch=10)
    assert isinstance(optimizer, kind)
    fields = {name: value for name, value in settings.own_values().items() if name not in ("learning_rate", "adam_layers")}
    assert {name: getattr(optimizer, name) or 0.0 for name in fields} == fields
    assert float(optimizer.learning_rate) == pytest.approx(0.3)


def test_optimizer_survives_being_saved():
    for name in t.Optimizer.family():
        optimizer = make_optimizer(t.Training(optimizer=name), steps_per_epoch=1)
        assert type(optimizer).from_config(optimizer.get_config()).get_config() == optimizer.get_config()


def test_own_optimizer_is_taken_by_its_path():
    class Nadam(t.Optimizer):
        implementation = "keras.optimizers:Nadam"
        learning_rate: float = 0.1
        beta_1: float = 0.5

    optimizer = make_optimizer(t.Training(optimizer=Nadam(weight_decay=0.25)), steps_per_epoch=1)
    assert isinstance(optimizer, keras.optimizers.Nadam)
    assert (optimizer.beta_1, optimizer.weight_decay) == (0.5, 0.25)


@pytest.mark.parametrize("path", ["keras.optimizers:get", "keras.layers:Dense"])
def test_an_implementation_that_is_no_class_of_an_optimizer_is_refused(path):
    class Wrong(t.Optimizer):
        implementation = path
        learning_rate: float = 0.1

    with pytest.raises(ConfigError, match=r"must be a subclass of keras.optimizers.Optimizer; received <"):
        make_optimizer(t.Training(optimizer=Wrong()), steps_per_epoch=1)


@pytest.mark.parametrize("shape", [(3, 4), (3, 3, 2, 4), (4,)])
def test_muon_moves_weights_where_all_is_in_float64(shape):
    moved = {}
    for dtype in ("float32", "float64"):
        keras.config.set_floatx(dtype)
        try:
            weight = keras.Variable(np.ones(shape), dtype=dtype)
            gradient = np.random.default_rng(0).normal(size=shape).astype(dtype)
            Muon(learning_rate=0.1).apply([tf.constant(gradient)], [weight])
            moved[dtype] = weight.numpy()
        finally:
            keras.config.set_floatx("float32")
    np.testing.assert_allclose(moved["float32"], moved["float64"], atol=1e-3)
