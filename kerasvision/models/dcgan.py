"""DCGAN: a generator and a discriminator of strided convolutions (Radford et al., 2016, https://arxiv.org/abs/1511.06434).

    noise -- dense --> 4 x 4 map -- transposed convolutions --> picture --+
                                                                          +--> strided convolutions --> fake
    image ----------------------------------------------------------------+                         --> real

Both have batch normalisation, except at the image: the last layer of the generator, and the first of the discriminator. The
discriminator normalises real and generated images separately, as batches of their own.

With classes, the generator receives the label beside the noise (Mirza & Osindero, 2014). The discriminator is a projection
discriminator (Miyato & Koyama, 2018, https://arxiv.org/abs/1802.05637, equation 11): it adds the product of its features
with a vector of the class.
"""

from collections.abc import Callable, Sequence

import keras
from keras import KerasTensor, layers, ops

from kerasvision.models.blocks import Norm, batch_norm, norm_relu
from kerasvision.models.generators import IMAGE, LABEL, NOISE, inputs, joined, map_sizes

KERNEL = 5
# All weights begin with this deviation, and leaky ReLUs have this slope below 0 (section 4).
DEVIATION, SLOPE = 0.02, 0.2


def generator(
    given: dict[str, KerasTensor], *, sizes: Sequence[tuple[int, int, int]], image_channels: int, norm: Norm
) -> KerasTensor:
    """From the noise, and the label if there is one, to images float32 (N, H, W, C) in [0, 1]."""
    smallest, *larger = reversed(sizes)
    code = layers.Identity(dtype=keras.config.floatx(), name="code")(given[NOISE])
    x = joined(code, given, name="generator_join")
    units = smallest[0] * smallest[1] * smallest[2]
    x = layers.Dense(units, use_bias=False, kernel_initializer=_small(), name="generator_dense")(x)
    x = layers.Reshape(smallest, name="generator_map")(x)
    for level, (_, _, channels) in zip(range(len(sizes), 1, -1), larger, strict=True):
        x = norm_relu(x, norm=norm, name="generator", number=level)
        x = _enlarged(x, channels, bias=False, name=f"generator_conv{level}")
    x = norm_relu(x, norm=norm, name="generator", number=1)
    x = _enlarged(x, image_channels, bias=True, name="generator_image", dtype=keras.config.floatx())
    x = layers.Activation("tanh", dtype=keras.config.floatx(), name="generator_tanh")(x)
    return layers.Rescaling(0.5, 0.5, dtype=keras.config.floatx(), name="picture")(x)


def discriminator(
    sizes: Sequence[tuple[int, int, int]], *, num_classes: int | None, norm: Norm
) -> Callable[[KerasTensor], tuple[KerasTensor, KerasTensor | None]]:
    """A function with layers of its own, to apply to real and to generated images.

    From images float32 (N, H, W, C) in [0, 1] to logits float32 (N, 1), above 0 for an image taken for a real one, and what
    each class adds to them, float32 (N, K); None without classes.
    """
    dtype = keras.config.floatx()
    chain: list[layers.Layer] = [layers.Rescaling(2.0, -1.0, dtype=dtype, name="discriminator_scale")]
    for level, (_, _, channels) in enumerate(sizes, 1):
        bias = level == 1
        options = {"use_bias": bias, "kernel_initializer": _small(), "name": f"discriminator_conv{level}"}
        chain.append(layers.Conv2D(channels, KERNEL, 2, "same", **options))
        if not bias:
            chain.append(norm(name=f"discriminator_norm{level}"))
        chain.append(layers.LeakyReLU(SLOPE, name=f"discriminator_relu{level}"))
    chain.append(layers.Flatten(name="discriminator_flatten"))
    logit = layers.Dense(1, kernel_initializer=_small(), dtype=dtype, name="discriminator_logit")
    of_classes = (
        layers.Dense(num_classes, use_bias=False, kernel_initializer=_small(), dtype=dtype, name="discriminator_classes")
        if num_classes
        else None
    )

    def apply(x: KerasTensor) -> tuple[KerasTensor, KerasTensor | None]:
        for layer in chain:
            x = layer(x)
        return logit(x), None if of_classes is None else of_classes(x)

    return apply


def dcgan(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    latent_size: int = 100,
    channels: int = 128,
    synchronized: bool = False,
) -> keras.Model:
    """DCGAN: 18,855,043 trainable weights of the generator for 64 x 64 x 3 without classes, 17,232,897 of the discriminator.

    Args:
        image_shape: (height, width, channels) in pixels; multiples of 4, at least 16.
        num_classes: how many classes images can be asked of; None: it is not conditional.
        latent_size: how many numbers the noise has.
        channels: of the largest map; each map of half the size has twice as many. The paper has 128 at 64 x 64.
        synchronized: normalise by the whole batch on several replicas; see `kerasvision.models.blocks.batch_norm`.

    Returns:
        Model from the inputs that `kerasvision.models.generators` names to `real` and `fake` float32 (N, 1), the
        discriminator's logits for the images and for generated ones, and `picture` float32 (N, H, W, C), these images in
        [0, 1]; and `real_classes` float32 (N, K), the logits for the images as images of each class, (N, 1) without classes.

    Raises:
        ConfigError: an image that it cannot make, or a number that is not positive.
    """
    given = inputs(image_shape, num_classes=num_classes, latent_size=latent_size, channels=channels)
    sizes = map_sizes(image_shape, channels=channels)
    norm = batch_norm(synchronized=synchronized)
    picture = generator(given, sizes=sizes, image_channels=image_shape[-1], norm=norm)
    judged = discriminator(sizes, num_classes=num_classes, norm=norm)
    outputs = {"picture": picture}
    for name, images in {"real": given[IMAGE], "fake": picture}.items():
        logit, of_classes = judged(images)
        outputs[name] = logit if of_classes is None else logit + ops.sum(of_classes * given[LABEL], -1, keepdims=True)
        if name == "real":
            every = logit if of_classes is None else logit + of_classes
            outputs["real_classes"] = layers.Identity(dtype=keras.config.floatx(), name="real_classes")(every)
    return keras.Model(list(given.values()), outputs, name="dcgan")


def _enlarged(x: KerasTensor, channels: int, *, bias: bool, name: str, dtype: str | None = None) -> KerasTensor:
    """Twice the sides: float32 (N, H, W, C) to (N, 2 H, 2 W, channels)."""
    options = {"use_bias": bias, "kernel_initializer": _small(), "dtype": dtype, "name": name}
    enlarged: KerasTensor = layers.Conv2DTranspose(channels, KERNEL, 2, "same", **options)(x)
    return enlarged


def _small() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=DEVIATION)
