"""YOLO: each cell of one map answers for the object whose centre lies in it (Redmon et al., 2016).

Source: https://arxiv.org/abs/1506.02640, figure 3, from 448 x 448 pixels to 7 x 7 cells:

    conv1           7x7   64, stride 2    then pooling 2x2, stride 2     112 x 112
    conv2           3x3  192              then pooling                    56 x  56
    conv3 to 6      128, 256, 256, 512    then pooling                    28 x  28    1x1 and 3x3 in turn
    conv7 to 16     4 x (256, 512), 512, 1024    then pooling             14 x  14
    conv17 to 22    2 x (512, 1024), 1024, and 1024 with stride 2          7 x   7
    conv23, conv24  3x3 1024                                               7 x   7
    hidden          4096
    answers         for each cell: scores of the classes, and two boxes with a confidence each

All layers but the last have a leaky ReLU. `yolo` is the same answer on the last map of any backbone.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import check_yolo, check_yolo_v1
from kerasvision.errors import ConfigError
from kerasvision.models.backbones import backbone_network, level_number
from kerasvision.models.blocks import batch_norm as make_batch_norm
from kerasvision.models.blocks import conv, he_normal

# (kernel, channels) of conv1 to conv24; a pooling before the convolution of that number; and those with a stride of 2.
_CONVS: Sequence[tuple[int, int]] = (
    (7, 64),
    (3, 192),
    (1, 128), (3, 256), (1, 256), (3, 512),
    *((1, 256), (3, 512)) * 4, (1, 512), (3, 1024),
    *((1, 512), (3, 1024)) * 2, (3, 1024), (3, 1024),
    (3, 1024), (3, 1024),
)  # fmt: skip
_POOLED_BEFORE = (2, 3, 7, 17)
_STRIDES = {1: 2, 22: 2}
_SLOPE = 0.1
_HIDDEN = 4096
# Numbers of a box: y and x in its cell, the roots of its height and width, its confidence.
_OF_BOX = 5


def yolo_v1(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    boxes_per_cell: int = 2,
    dropout: float = 0.5,
    width: float = 1.0,
) -> keras.Model:
    """YOLO of 2016: 271,703,550 trainable weights with 20 classes at 448 x 448 pixels.

    Args:
        image_shape: (height, width, channels); both sides are multiples of 64.
        num_classes: how many classes; None gives the 24 convolutions.
        boxes_per_cell: of which one learns the object of the cell.
        dropout: share of the hidden layer that training drops, in [0, 1).
        width: factor on the channels of the convolutions.

    Returns:
        Model from float32 (N, H, W, C) to two float32 maps; see `cell_answers`. Or to the last map of each stride, level l
        being float32 (N, H / 2**l, W / 2**l, channels).

    Raises:
        ConfigError: an option out of its range, or images of other sizes.

    >>> maps = yolo_v1(image_shape=(448, 448, 3), num_classes=20, width=1 / 64).output
    >>> {name: x.shape for name, x in maps.items()}
    {'p6_class_scores': (None, 7, 7, 20), 'p6_cell_boxes': (None, 7, 7, 10)}
    """
    check_yolo_v1({"boxes_per_cell": boxes_per_cell, "dropout": dropout, "width": width})
    image = keras.Input(image_shape, name="image")
    maps = _maps(image, width=width)
    if num_classes is None:
        return keras.Model(image, maps, name="yolo_v1")
    _check_sides("yolo_v1", image_shape, level=6)
    answers = cell_answers(
        maps["c6"], level=6, num_classes=num_classes, boxes_per_cell=boxes_per_cell, hidden=_HIDDEN, dropout=dropout
    )
    return keras.Model(image, answers, name="yolo_v1")


def yolo(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    backbone: str | keras.Model = "resnet18",
    level: str | None = None,
    channels: int = 512,
    depth: int = 2,
    boxes_per_cell: int = 2,
    hidden: int | None = None,
    dropout: float = 0.0,
    batch_norm: bool = True,
    width: float | None = None,
    layout: Literal["torchvision", "paper", "keras"] | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """YOLO's answer on one map of any backbone: 15,912,542 trainable weights with ResNet-18 and 20 classes.

    Args:
        image_shape: (height, width, channels); both sides are multiples of the stride of the map.
        num_classes: how many classes; None gives the backbone.
        backbone: a name of `kerasvision.lookup.MODELS`, or a model from an image to its maps by level.
        level: which of its maps answers, for example "c4" with cells of 16 x 16 pixels; None: the last one. Each cell can
            find one object, so small objects that are close together need small cells.
        channels, depth: of the 3x3 convolutions after the backbone. The paper has four of 1024 channels.
        boxes_per_cell: of which one learns the object of the cell.
        hidden: units of a dense layer that sees all cells before the answer, as in the paper; None: each cell answers by a
            1x1 convolution, which takes far fewer weights.
        dropout: share of the map, or of the hidden layer, that training drops before the answer, in [0, 1).
        batch_norm: normalise after each convolution of `depth`, as later versions of YOLO do.
        width: the backbone's option of that name, if it has one: a factor on its channels.
        layout: the backbone's option of that name, if it has one.
        synchronized: normalise by the batch of all replicas.

    Returns:
        Model from float32 (N, H, W, C) to two float32 maps; see `cell_answers`.

    Raises:
        ConfigError: an option out of its range, images of another or of unknown size, or a backbone that does not exist,
            lacks an option or the level, or does not cover the image with cells of one size.

    >>> small = {"backbone": "resnet9", "width": 0.125, "channels": 8, "depth": 1}
    >>> maps = yolo(image_shape=(48, 64, 3), num_classes=5, **small).output
    >>> {name: x.shape for name, x in maps.items()}
    {'p3_class_scores': (None, 6, 8, 5), 'p3_cell_boxes': (None, 6, 8, 10)}
    """
    check_yolo(
        {
            "level": level, "channels": channels, "depth": depth, "boxes_per_cell": boxes_per_cell, "hidden": hidden,
            "dropout": dropout, "batch_norm": batch_norm, "width": width, "synchronized": synchronized,
        }
    )  # fmt: skip
    network = backbone_network(backbone, image_shape, width=width, layout=layout, synchronized=synchronized)
    if num_classes is None:
        return network
    level = level or max(network.output, key=level_number)
    if level not in network.output:
        raise ConfigError(f"level must be one of the backbone, which has {', '.join(network.output)}", received=level)
    number = level_number(level)
    _check_sides("yolo", image_shape, level=number)
    x = network.output[level]
    cells = tuple(side >> number for side in image_shape[:2])
    if x.shape[1:3] != cells:
        raise ConfigError(
            f"yolo requires a map of {cells[0]} x {cells[1]} cells at level {level}; received one of {x.shape[1]} x "
            f"{x.shape[2]} from the backbone",
            hint="choose a backbone that pads its convolutions, such as resnet18",
        )
    norm = make_batch_norm(synchronized=synchronized) if batch_norm else None
    for place in range(1, depth + 1):
        x = _conv_leaky(x, kernel=3, width=channels, norm=norm, name=f"head_conv{place}")
    answers = cell_answers(
        x, level=number, num_classes=num_classes, boxes_per_cell=boxes_per_cell, hidden=hidden, dropout=dropout
    )
    return keras.Model(network.input, answers, name="yolo")


def cell_answers(
    x: KerasTensor, *, level: int, num_classes: int, boxes_per_cell: int, hidden: int | None, dropout: float
) -> dict[str, KerasTensor]:
    """What each cell answers, without an activation and in full precision.

    Args:
        x: float32 (N, h, w, C), of stride 2**level.
        level: its number.
        num_classes: K.
        boxes_per_cell: B.
        hidden: units of a dense layer before the answer; None for none.
        dropout: share of what the answer is made from that training drops.

    Returns:
        "p<level>_class_scores" (N, h, w, K): the probability of each class, if an object is there; and "p<level>_cell_boxes"
        (N, h, w, B * 5): for each box y and x of its centre in the cell, from 0 to 1, the roots of its height and width as
        shares of the image, and its confidence, which learns its IoU with the object.
    """
    shape = x.shape[1:3]
    if hidden is not None:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(hidden, kernel_initializer=he_normal("fan_in"), name="hidden_dense")(x)
        x = layers.LeakyReLU(_SLOPE, name="hidden_leaky")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    answer = _map_answer if hidden is None else _dense_answer(shape)
    return {
        f"p{level}_class_scores": answer(x, num_classes, "class_scores"),
        f"p{level}_cell_boxes": answer(x, boxes_per_cell * _OF_BOX, "cell_boxes"),
    }


def _map_answer(x: KerasTensor, size: int, name: str) -> KerasTensor:
    """A 1x1 convolution: float32 (N, h, w, C) to (N, h, w, size)."""
    return layers.Conv2D(size, 1, kernel_initializer=_small(), dtype=keras.config.floatx(), name=name)(x)


def _dense_answer(shape: tuple[int, int]) -> Callable[[KerasTensor, int, str], KerasTensor]:
    """A dense layer for all cells: float32 (N, C) to (N, h, w, size)."""
    height, width = shape

    def answer(x: KerasTensor, size: int, name: str) -> KerasTensor:
        dtype = keras.config.floatx()
        x = layers.Dense(height * width * size, kernel_initializer=_small(), dtype=dtype, name=name)(x)
        return layers.Reshape((height, width, size), dtype=dtype, name=f"{name}_map")(x)

    return answer


def _small() -> keras.initializers.Initializer:
    """Small noise: otherwise the confidences of the many empty cells would be most of the first losses."""
    return keras.initializers.RandomNormal(stddev=0.01)


def _maps(image: KerasTensor, *, width: float) -> dict[str, KerasTensor]:
    """The 24 convolutions: the last map of each stride, by level."""
    maps, x, level = {}, image, 0
    for number, (kernel, channels) in enumerate(_CONVS, start=1):
        stride = _STRIDES.get(number, 1)
        if number in _POOLED_BEFORE:
            x = layers.MaxPooling2D(2, name=f"pool{level}")(x)
        level += (number in _POOLED_BEFORE) + (stride > 1)
        x = _conv_leaky(x, kernel=kernel, width=max(1, round(width * channels)), stride=stride, name=f"conv{number}")
        maps[f"c{level}"] = x
    return maps


def _conv_leaky(
    x: KerasTensor,
    *,
    kernel: int,
    width: int,
    stride: int = 1,
    norm: Callable[..., keras.Layer] | None = None,
    name: str,
) -> KerasTensor:
    """A convolution, the norm if there is one, and a leaky ReLU.

    From float32 (N, h, w, C) to (N, h / stride, w / stride, width).
    """
    x = conv(x, width=width, kernel=kernel, stride=stride, bias=norm is None, fan="fan_in", name=name)
    x = norm(name=f"{name}_norm")(x) if norm else x
    return layers.LeakyReLU(_SLOPE, name=f"{name}_leaky")(x)


def _check_sides(name: str, image_shape: tuple[int, int, int], *, level: int) -> None:
    stride = 2**level
    if any(side is None or side % stride for side in image_shape[:2]):
        raise ConfigError(
            f"{name} requires images of one size, whose sides are multiples of {stride}, the side of a cell; "
            f"received {tuple(image_shape[:2])}",
            hint="set transform.image_size to such a size" + ("" if name == "yolo_v1" else ", or choose a finer level"),
        )
