"""What a unit does with its sum, and what its weights start from: the options `activation` and `initialization`.

    activation    f(z)                              source
    sigmoid       1 / (1 + exp(-z))
    tanh          tanh(z)
    relu          max(z, 0)                         Nair & Hinton, 2010
    leaky_relu    max(z, 0.01 z)                    Maas et al., 2013
    elu           z, or exp(z) - 1 below 0          Clevert et al., 2015, https://arxiv.org/abs/1511.07289
    maxout        the larger of two sums z1 and z2  Goodfellow et al., 2013, https://arxiv.org/abs/1302.4389

    initialization    every weight of a unit with n inputs, in a layer of m units
    small_normal      normal, deviation 0.01
    xavier            uniform, variance 2 / (n + m)      Glorot & Bengio, 2010, equation 16
    he                normal, variance 2 / n             He et al., 2015, https://arxiv.org/abs/1502.01852, equation 10
    zeros             0
    sparse            normal, deviation 1, of 15 inputs  Martens, 2010, section 5; Sutskever et al., 2013, section 3.1
                      that are drawn for each unit; the others 0

A unit of a convolution has kernel height x kernel width x channels inputs. Biases start at 0. A builder chooses the
activation once, with `units_chosen`; the functions of `blocks` that it calls then make layers of that kind.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization, check_units
from kerasvision.progress import say

CONNECTIONS = 15
NEGATIVE_SLOPE = 0.01

_LAYERS: dict[str, Callable[..., keras.Layer]] = {
    "sigmoid": partial(layers.Activation, "sigmoid"),
    "tanh": partial(layers.Activation, "tanh"),
    "relu": layers.ReLU,
    "leaky_relu": partial(layers.LeakyReLU, negative_slope=NEGATIVE_SLOPE),
    "elu": layers.ELU,
}
_chosen: ContextVar[Activation] = ContextVar("activation", default="relu")


@contextmanager
def units_chosen(network: str, *, activation: Activation, initialization: str | None) -> Iterator[None]:
    """Within it, `activated` and `unit` make this activation. The builder then calls `initialized`.

    Args:
        network: the network's name.
        activation, initialization: names; see the top of this file.

    Raises:
        ConfigError: the network has no such activation or initialization.

    >>> with units_chosen("alexnet", activation="elu", initialization=None):
    ...     layer = activated(keras.Input((4,)), name="layer1")._keras_history.operation
    >>> layer.name, type(layer).__name__
    ('layer1_elu', 'ELU')
    """
    check_units(network, {"activation": activation, "initialization": initialization})
    before = _chosen.set(activation)
    try:
        yield
    finally:
        _chosen.reset(before)


def activated(x: KerasTensor, *, name: str, number: int | str = "") -> KerasTensor:
    """The chosen activation of each value, by a layer "<name>_<activation><number>"; float32 of any shape in and out."""
    kind = _chosen.get()
    return _LAYERS[kind](name=f"{name}_{kind}{number}")(x)


def unit(linear: Callable[[str], KerasTensor], *, name: str, kind: str = "") -> KerasTensor:
    """Sums and the chosen activation: layers "<name>_<kind>" and "<name>_<activation>".

    Args:
        linear: from a layer's name to the sums that this layer computes. For maxout it is called twice.
        name: prefix of the layers.
        kind: "conv" or "dense"; "" calls the first layer as `name` says.

    Returns:
        The shape that `linear` returns.
    """
    own = f"{name}_{kind}" if kind else name
    sums = linear(own)
    if _chosen.get() != "maxout":
        return activated(sums, name=name)
    return layers.Maximum(name=f"{name}_maxout")([sums, linear(f"{own}_b")])


def initialized(model: keras.Model, initialization: Initialization | None) -> keras.Model:
    """The same model, whose kernels start as the initialization says; None leaves them as the network has them.

    All kernels of dense layers and convolutions, that of the logits included, are drawn again. Biases stay, and so do
    kernels that a network starts at zero on purpose.

    >>> dense = keras.Sequential([keras.Input((100,)), keras.layers.Dense(8)])
    >>> kernel = initialized(dense, "sparse").weights[0].numpy()
    >>> (kernel != 0).sum(axis=0).tolist()
    [15, 15, 15, 15, 15, 15, 15, 15]
    """
    if initialization is None:
        return model
    drawn = [layer for layer in model.layers if isinstance(layer, layers.Conv2D | layers.Dense) and not _is_zero(layer)]
    for layer in drawn:
        if initialization == "sparse":
            layer.kernel.assign(_sparse(layer.kernel.shape, dtype=layer.kernel.dtype))
        else:
            layer.kernel_initializer = _initializer(initialization)
            layer.kernel.assign(layer.kernel_initializer(layer.kernel.shape, dtype=layer.kernel.dtype))
    if initialization == "zeros" and len(drawn) > 1:
        say(
            f"{model.name} starts from zeros: all units of a hidden layer compute the same and receive the same gradient, "
            "so they stay alike (symmetry). Any other initialization breaks it"
        )
    return model


def _is_zero(layer: layers.Conv2D | layers.Dense) -> bool:
    return isinstance(layer.kernel_initializer, keras.initializers.Zeros)


def _initializer(initialization: Initialization) -> keras.initializers.Initializer:
    """A new one for each layer: Keras gives layers that share an initializer the same weights."""
    if initialization == "small_normal":
        return keras.initializers.RandomNormal(stddev=0.01)
    if initialization == "xavier":
        return keras.initializers.GlorotUniform()
    if initialization == "he":
        return keras.initializers.VarianceScaling(2.0, mode="fan_in", distribution="untruncated_normal")
    return keras.initializers.Zeros()


def _sparse(shape: tuple[int, ...], *, dtype: str) -> KerasTensor:
    """A kernel whose last axis numbers the units, each with `CONNECTIONS` weights that are not 0, or fewer inputs."""
    units = shape[-1]
    flat = (units, -1)
    weights = keras.ops.reshape(keras.random.normal(shape, dtype=dtype), flat)
    inputs = weights.shape[-1]
    order = keras.ops.argsort(keras.random.uniform((units, inputs)), axis=-1)
    # The rank of each input in a random order of the inputs.
    kept = keras.ops.argsort(order, axis=-1) < CONNECTIONS
    sparse = keras.ops.where(kept, weights, keras.ops.zeros_like(weights))
    return keras.ops.reshape(keras.ops.transpose(sparse), shape)
