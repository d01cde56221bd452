"""Network in Network (Lin et al., 2013, https://arxiv.org/abs/1312.4400), as Dive into Deep Learning teaches it.

Each block is a convolution and two 1x1 convolutions, a small dense network at every pixel (the paper's "mlpconv", section
3.1). The last block has one map per class, and the mean of that map is the class's logit (section 3.2). At 224 x 224:

    block1   54 x 54 x  96           11x11, stride 4           level c2
             26 x 26 x  96           3x3 max pooling, stride 2
    block2   26 x 26 x 256           5x5                       level c3
             12 x 12 x 256           3x3 max pooling, stride 2
    block3   12 x 12 x 384           3x3                       level c4
              5 x  5 x 384           3x3 max pooling, stride 2 level c5
    block4    5 x  5 x num_classes   3x3
    logits    num_classes            mean

The sizes are those of https://d2l.ai/chapter_convolutional-modern/nin.html. The paper's own networks read 32 x 32 images.
"""

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import Activation, Initialization
from kerasvision.models.blocks import check_share, conv_relu
from kerasvision.models.units import initialized, units_chosen


def block(x: KerasTensor, *, width: int, kernel: int, name: str, **options: int | str) -> KerasTensor:
    """A convolution and two 1x1 convolutions, each with ReLU: "<name>_window", "<name>_mlp1" and "<name>_mlp2".

    Args:
        x: float32 (N, H, W, C).
        width: channels of all three convolutions.
        kernel: side of the first convolution.
        name: prefix of its layers.
        options: options of the first convolution; see `blocks.conv`.

    Returns:
        float32 (N, H', W', width). Only the first convolution changes height and width.
    """
    x = conv_relu(x, width=width, kernel=kernel, **options, name=f"{name}_window")
    x = conv_relu(x, width=width, kernel=1, name=f"{name}_mlp1")
    return conv_relu(x, width=width, kernel=1, name=f"{name}_mlp2")


def nin(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    dropout: float = 0.5,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
) -> keras.Model:
    """NiN: 7,439,608 trainable weights and 0.966 GMACs at 224 x 224 x 3 and 1000 classes.

    A logit is a mean of ReLUs, so no logit is negative, unless `activation` is another one.

    Args:
        image_shape: (height, width, channels), at least 67 x 67 pixels.
        num_classes: how many logits; None gives the backbone.
        dropout: share of the last pooling's values that training drops, in [0, 1).
        activation: of all hidden units, see `units`.
        initialization: of all kernels, see `units`; None: as `conv` says.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c2", "c3", "c4", "c5"} of
        strides 4, 8, 16, 32 and 96, 256, 384, 384 channels.

    Raises:
        ConfigError: dropout outside [0, 1), or an unknown activation or initialization.

    >>> nin(image_shape=(224, 224, 1), num_classes=10).count_params()
    1992166
    """
    check_share("dropout", dropout)
    with units_chosen("nin", activation=activation, initialization=initialization):
        model = _nin(image_shape, num_classes, dropout=dropout)
    return initialized(model, initialization)


def _nin(image_shape: tuple[int, int, int], num_classes: int | None, *, dropout: float) -> keras.Model:
    image = keras.Input(image_shape, name="image")
    c2 = block(image, width=96, kernel=11, stride=4, padding="valid", name="block1")
    x = layers.MaxPooling2D(3, strides=2, name="block1_pool")(c2)
    c3 = block(x, width=256, kernel=5, name="block2")
    x = layers.MaxPooling2D(3, strides=2, name="block2_pool")(c3)
    c4 = block(x, width=384, kernel=3, name="block3")
    c5 = layers.MaxPooling2D(3, strides=2, name="block3_pool")(c4)
    if num_classes is None:
        return keras.Model(image, {"c2": c2, "c3": c3, "c4": c4, "c5": c5}, name="nin")

    x = layers.Dropout(dropout, name="dropout")(c5)
    x = block(x, width=num_classes, kernel=3, name="block4")
    # In full precision even under a mixed policy; see `blocks.logits`.
    logits = layers.GlobalAveragePooling2D(dtype=keras.config.floatx(), name="logits")(x)
    return keras.Model(image, logits, name="nin")
