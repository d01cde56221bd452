"""What the networks that make images share: the sizes of their maps, their inputs, and their parts.

Such a network is one Keras model, so that one training step, one file and one checkpoint have all of it:

- inputs: `image` float32 (N, H, W, C) in [0, 1], `noise` float32 (N, Z), standard normal, and if it is conditional `label`,
  float32 (N, K), one-hot
- outputs: a dict, which depends on the kind of the network

The layers that make an image from `noise` and `label` also run alone, see `computed`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import KerasTensor, layers

from kerasvision.config.generator_sizes import halvings
from kerasvision.errors import ConfigError
from kerasvision.models.blocks import check_positive

IMAGE, NOISE, LABEL = "image", "noise", "label"
# The outputs of an autoencoder with a learned prior; see `kerasvision.models.vae`.
PRIOR_NOISE, LOG_DETERMINANT, PRIOR_CODE = "prior_noise", "log_determinant", "prior_code"
# The layer of an autoencoder that all classes share: the encoder receives the label after it.
FEATURES = "encoder_flatten"


def inputs(
    image_shape: tuple[int, int, int], *, num_classes: int | None, latent_size: int, channels: int
) -> dict[str, KerasTensor]:
    """The inputs by name; without classes there is no `label`.

    Raises:
        ConfigError: the sides of the images are not such as `halvings` requires, or a number is not positive.
    """
    check_positive(latent_size=latent_size, channels=channels)
    if None in image_shape:
        raise ConfigError("a network that makes images requires height and width", received=image_shape)
    halvings(image_shape[:2])
    shapes: dict[str, tuple[int, ...]] = {IMAGE: image_shape, NOISE: (latent_size,)}
    shapes |= {LABEL: (num_classes,)} if num_classes else {}
    return {name: keras.Input(shape, name=name) for name, shape in shapes.items()}


def map_sizes(image_shape: tuple[int, int, int], *, channels: int) -> list[tuple[int, int, int]]:
    """(height, width, channels) of the maps below the image, from the largest: each halves the sides.

    >>> map_sizes((64, 64, 3), channels=128)  # those of Radford et al., 2016, figure 1, from the image down
    [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    """
    height, width, _ = image_shape
    count = halvings((height, width))
    return [(height >> level, width >> level, channels << (level - 1)) for level in range(1, count + 1)]


def joined(x: KerasTensor, given: dict[str, KerasTensor], *, name: str) -> KerasTensor:
    """`x`, float32 (N, F), with the label after its numbers if the network is conditional: (N, F + K).

    Source: Mirza & Osindero, 2014, "Conditional Generative Adversarial Nets", https://arxiv.org/abs/1411.1784, section 3.
    """
    return layers.Concatenate(name=name)([x, given[LABEL]]) if LABEL in given else x


def computed(network: keras.Model, given: Mapping[str, Any], *, to: str) -> Any:
    """The output of a layer in inference mode, from the outputs of some other layers.

    It calls the layers between them one by one. A `keras.Model` that begins inside of another one adds nodes to its layers,
    and then Keras 3.15 cannot save the other one.

    Args:
        network: its inputs and layers are named as here.
        given: name of an input or of a layer -> what it returns, such as `code` float32 (N, Z).
        to: the name of a layer that depends on nothing else.

    Returns:
        That layer's output, such as `picture` float32 (N, H, W, C).

    Raises:
        ConfigError: the layer depends on something that is not given.
    """
    known = {id(network.get_layer(name).output): value for name, value in given.items()}
    wanted = id(network.get_layer(to).output)
    for _, nodes in sorted(network._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.is_input or any(id(tensor) not in known for tensor in node.input_tensors):
                continue
            if all(id(tensor) in known for tensor in node.outputs):
                continue
            arguments, options = node.arguments.fill_in(known)
            outputs = node.operation(*arguments, **options)
            known |= {id(one): value for one, value in zip(node.outputs, keras.tree.flatten(outputs), strict=True)}
        if wanted in known:
            return known[wanted]
    raise ConfigError(f"the layer {to} of {network.name} depends on more than {', '.join(given)}")


def has_learned_prior(network: keras.Model) -> bool:
    """Whether the network makes codes of noise by couplings."""
    return isinstance(network.output, dict) and PRIOR_CODE in network.output


def label_count(network: keras.Model) -> int:
    """How many classes the network is conditional on; 0 for none."""
    return next((int(tensor.shape[-1]) for tensor in network.inputs if tensor.name == LABEL), 0)


def weights_of(network: keras.Model, part: str) -> Sequence[keras.Variable]:
    """The trainable weights of the layers whose names begin with a word, in the order of the network."""
    return [weight for layer in network.layers if layer.name.startswith(part) for weight in layer.trainable_variables]
