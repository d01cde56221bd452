"""A convolutional variational autoencoder (Kingma & Welling, 2014, https://arxiv.org/abs/1312.6114, section 3).

    image -- strided convolutions --> mean, log_variance of q(z | x, y)
                                  label --+
                                          |
                              code z = mean + exp(log_variance / 2) * noise
                                          |
    picture <-- transposed convolutions --+-- label

The paper's networks have one hidden layer; here each side has a convolution for every halving of the image. There is no
batch normalisation, so the images of a batch do not meet.

The prior of the code is standard normal, as in the paper. With `couplings` it is learned, see
`kerasvision.models.couplings`.
"""

import keras
from keras import KerasTensor, layers, ops

from kerasvision.config.generator_sizes import check_couplings
from kerasvision.models.blocks import he_normal
from kerasvision.models.couplings import Couplings
from kerasvision.models.generators import (
    FEATURES,
    IMAGE,
    LOG_DETERMINANT,
    NOISE,
    PRIOR_CODE,
    PRIOR_NOISE,
    inputs,
    joined,
    map_sizes,
)

KERNEL = 4
# Width of the layer between the smallest map and the code.
HIDDEN = 256


def encoder(given: dict[str, KerasTensor], *, sizes: list[tuple[int, int, int]]) -> KerasTensor:
    """From the image, and the label if there is one, to float32 (N, 256).

    A convolution of stride 2 for each map, then a dense layer, which also receives the label.
    """
    x = given[IMAGE]
    for level, (_, _, channels) in enumerate(sizes, 1):
        initializer = he_normal("fan_in")
        x = layers.Conv2D(channels, KERNEL, 2, "same", kernel_initializer=initializer, name=f"encoder_conv{level}")(x)
        x = layers.ReLU(name=f"encoder_relu{level}")(x)
    x = joined(layers.Flatten(name=FEATURES)(x), given, name="encoder_join")
    x = layers.Dense(HIDDEN, kernel_initializer=he_normal("fan_in"), name="encoder_hidden")(x)
    return layers.ReLU(name="encoder_hidden_relu")(x)


def decoder(x: KerasTensor, *, sizes: list[tuple[int, int, int]], image_channels: int) -> KerasTensor:
    """From float32 (N, F) to logits float32 (N, H, W, C): a dense layer, then a transposed convolution for each halving."""
    smallest, *larger = reversed(sizes)
    x = layers.Dense(HIDDEN, kernel_initializer=he_normal("fan_in"), name="decoder_hidden")(x)
    x = layers.ReLU(name="decoder_hidden_relu")(x)
    units = smallest[0] * smallest[1] * smallest[2]
    x = layers.Dense(units, kernel_initializer=he_normal("fan_in"), name="decoder_dense")(x)
    x = layers.ReLU(name="decoder_dense_relu")(x)
    x = layers.Reshape(smallest, name="decoder_map")(x)
    for level, (_, _, channels) in zip(range(len(sizes), 1, -1), larger, strict=True):
        x = layers.Conv2DTranspose(
            channels, KERNEL, 2, "same", kernel_initializer=he_normal("fan_in"), name=f"decoder_conv{level}"
        )(x)
        x = layers.ReLU(name=f"decoder_relu{level}")(x)
    dtype = keras.config.floatx()
    return layers.Conv2DTranspose(image_channels, KERNEL, 2, "same", dtype=dtype, name="logits")(x)


def vae(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    latent_size: int = 20,
    channels: int = 32,
    couplings: int = 0,
) -> keras.Model:
    """A variational autoencoder: 1,691,369 trainable weights for 28 x 28 x 1 without classes.

    If it is conditional, decoder and encoder receive the label, p(x | z, y) and q(z | x, y), as in Sohn et al., 2015,
    https://papers.nips.cc/paper/5775, section 4.1. An encoder without it leaves the class in the code, and the decoder then
    often follows the code instead of the label.

    Args:
        image_shape: (height, width, channels) in pixels; multiples of 4, at least 16.
        num_classes: how many classes images can be asked of; None: it is not conditional.
        latent_size: how many numbers a code has.
        channels: of the largest map; each map of half the size has twice as many.
        couplings: how many the learned prior has; it requires codes of at least 2 numbers. 0: the prior is standard normal.

    Returns:
        Model from the inputs that `kerasvision.models.generators` names to `logits` float32 (N, H, W, C), whose sigmoid is
        the restored image in [0, 1], and `mean` and `log_variance` float32 (N, latent_size). With couplings also
        `prior_noise` float32 (N, latent_size), the noise that the prior makes this code of, with its `log_determinant`
        float32 (N,), and `prior_code` float32 (N, latent_size), the code that the prior makes of the input `noise`.

    Raises:
        ConfigError: an image that it cannot make, a number that is not positive, or couplings with a code of one number.
    """
    check_couplings(couplings, latent_size=latent_size)
    given = inputs(image_shape, num_classes=num_classes, latent_size=latent_size, channels=channels)
    sizes = map_sizes(image_shape, channels=channels)
    dtype = keras.config.floatx()
    x = encoder(given, sizes=sizes)
    mean = layers.Dense(latent_size, dtype=dtype, name="mean")(x)
    log_variance = layers.Dense(latent_size, dtype=dtype, name="log_variance")(x)
    # In full precision, like the two that it is made of.
    code = layers.Identity(dtype=dtype, name="code")(mean + ops.exp(log_variance / 2) * given[NOISE])
    logits = decoder(joined(code, given, name="decoder_join"), sizes=sizes, image_channels=image_shape[-1])
    picture = layers.Activation("sigmoid", dtype=dtype, name="picture")(logits)
    outputs = {"logits": logits, "mean": mean, "log_variance": log_variance, "picture": picture}
    if couplings:
        prior = Couplings(couplings, size=latent_size, given=given)
        noise, log_determinant = prior.to_noise(code)
        found = {PRIOR_NOISE: noise, LOG_DETERMINANT: log_determinant, PRIOR_CODE: prior.to_code(given[NOISE])}
        outputs |= {name: layers.Identity(dtype=dtype, name=name)(value) for name, value in found.items()}
    return keras.Model(list(given.values()), outputs, name="vae")
