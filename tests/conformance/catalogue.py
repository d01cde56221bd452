"""The networks of the package, one row each; every row passes every check in this folder.

A builder has a row for each set of options that changes its graph. Images are small, because each check runs on each row. A
row and its checks are `slow` if it only repeats a block more often than another row, or if it takes long. A row with a
`shorter` builder has each kind of block of its network once, where the network repeats them.
"""

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from kerasvision.models import build, densenet, efficientnet_lite, googlenet, resnet, resnet_small, resnet_v2

WIDEST_DENSE = 256


@dataclass(frozen=True)
class Network:
    """A builder with its options, the (H, W, C) of the images for its checks, and whether these checks are slow.

    `rows`: how many rows of ten numbers a network with several outputs answers for each image; see `as_rows`. `per_pixel`:
    it answers ten logits for each pixel.
    `shorter`: builds the network with fewer blocks. `everywhere`: two replicas, another backend and a process without
    kerasvision compute with this row in every run of the tests; for the other rows that is slow. `idle`: a pattern for the
    paths of weights that training cannot change, because a norm subtracts what they add.
    `repeats`: other rows have all its layers. Its checks are slow, although they take no longer than those of a fast row.
    """

    name: str
    image_shape: tuple[int, int, int]
    options: dict[str, Any] = field(default_factory=dict)
    slow: bool = False
    repeats: bool = False
    rows: int | None = None
    per_pixel: bool = False
    shorter: Callable[..., keras.Model] | None = None
    everywhere: bool = False
    idle: str | None = None

    def __str__(self) -> str:
        shorter = [] if self.shorter is None else ["shorter"]
        # It is also the name of a file.
        return " ".join(
            [self.name.replace("/", "-"), *shorter, *(f"{option}={value}" for option, value in self.options.items())]
        )

    def is_idle(self, path: str) -> bool:
        """Whether `idle` matches the path of a weight."""
        return self.idle is not None and re.search(self.idle, path) is not None

    @property
    def per_image(self) -> tuple[int, ...]:
        """The shape of the logits' rows per image: (), (captions, steps), (H, W), or (rows,) of several outputs."""
        if self.rows is not None:
            return (self.rows,)
        if self.per_pixel:
            return self.image_shape[:2]
        return (2, self.options["max_length"] + 1) if "max_length" in self.options else ()

    def inputs(self, count: int = 4) -> list[np.ndarray]:
        """`count` random images, and for a captioner two random captions for each, from ten words."""
        random = np.random.default_rng(0)
        images = random.normal(size=(count, *self.image_shape)).astype("float32")
        is_captioner = "max_length" in self.options
        return [images, random.integers(10, size=(count, *self.per_image), dtype="int32")] if is_captioner else [images]

    def as_rows(self, outputs: Any) -> Any:
        """Logits (N, ..., 10) as they are; of several outputs, all numbers of an image one after the other, (N, rows, 10).

        They are tensors of a backend, or symbolic ones. Zeros fill the last row.
        """
        if not isinstance(outputs, dict):
            return outputs
        flat = [keras.ops.reshape(outputs[name], (-1, math.prod(outputs[name].shape[1:]))) for name in sorted(outputs)]
        joined = keras.ops.concatenate(flat, axis=1)
        return keras.ops.reshape(keras.ops.pad(joined, ((0, 0), (0, -joined.shape[1] % 10))), (-1, *self.per_image, 10))

    def build(self, *, num_classes: int | None = 10, **changes: Any) -> keras.Model:
        """The network on its own images with its own options, unless changed, and with narrow dense layers."""
        with narrow_dense_layers():
            return self.build_wide(num_classes=num_classes, **changes)

    def build_wide(self, *, num_classes: int | None = 10, **changes: Any) -> keras.Model:
        """`build` with dense layers of their full width."""
        builder = self.shorter or partial(build, self.name)
        return builder(num_classes=num_classes, **{"image_shape": self.image_shape, **self.options, **changes})


@contextlib.contextmanager
def narrow_dense_layers() -> Iterator[None]:
    """A dense layer has at most `WIDEST_DENSE` units: the 4096 of AlexNet and VGG took most of their time."""
    begin = keras.layers.Dense.__init__

    def begin_narrow(self, units, *args, **options):
        begin(self, min(units, WIDEST_DENSE), *args, **options)

    keras.layers.Dense.__init__ = begin_narrow
    try:
        yield
    finally:
        keras.layers.Dense.__init__ = begin


SHORT_18 = partial(resnet.resnet, resnet.Depth("resnet18", (1, 1, 1, 1), bottlenecks=False))
# The first bottleneck of a stage always has a projection, so one stage has two.
SHORT_50 = partial(resnet.resnet, resnet.Depth("resnet50", (2, 1, 1, 1), bottlenecks=True))
SHORT_20 = partial(resnet_small.cifar_resnet, resnet_small.Depth("resnet20", 1))
SHORT_18_V2 = partial(resnet_v2.resnet_v2, resnet.Depth("resnet18_v2", (1, 1, 1, 1), bottlenecks=False))
# Eight blocks of half the width, one of them with a shortcut.
SHORT_LITE = partial(efficientnet_lite.efficientnet_lite, efficientnet_lite.Size("efficientnet_lite0", 0.5, 0.26))


def short_googlenet(stage: Callable[..., Any] = googlenet.stage, **options: Any) -> keras.Model:
    """GoogLeNet with the last Inception module of each level: three of nine."""
    with patch.object(googlenet, "stage", lambda x, *, modules, **rest: stage(x, modules=modules[-1], **rest)):
        return googlenet.googlenet(**options)


def short_densenet_small(dense_maps: Callable[..., Any] = densenet.dense_maps, **options: Any) -> keras.Model:
    """Stages of two layers instead of four: the second layer reads what the first one added."""
    with patch.object(densenet, "dense_maps", lambda x, *, counts, **rest: dense_maps(x, counts=(2, 2, 2, 2), **rest)):
        return densenet.densenet_small(**options)


SMALL_VGG = {"width": 0.25, "dropout": 0.0}
SMALL_DETECTOR = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p4", "depth": 1}
SMALL_SSD = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p4", "channels": 8}
SMALL_REGIONS = {"backbone": "resnet9", "width": 0.125, "proposals": 8, "channels": 8, "hidden": 16, "pooled": 3}
SMALL_WINDOWS = {"backbone": "resnet9", "width": 0.125, "proposals": 8, "window_sides": (8, 16)}
SMALL_VOTES = {"backbone": "resnet9", "width": 0.125, "proposals": 8, "channels": 8, "proposal_channels": 8, "bins": 3}
SMALL_FCN = {"backbone": "vgg11", "width": 0.0625, "dropout": 0.0}
SMALL_DILATED = {"backbone": "resnet18", "width": 0.0625, "dropout": 0.0, "output_stride": 16}
MIRRORED = {"padding": "valid", "mirrored": True}
SMALL_CAPTIONER = {"backbone": "resnet9", "width": 0.125, "max_length": 3, "embedding": 8, "units": 8, "dropout": 0.0}

# A block of EfficientNet-Lite ends in a norm without activation, and only 1x1 convolutions read it. The norm after each of
# them subtracts the beta. In training that norm sees inputs with a mean of zero, so its moving mean stays zero too.
LINEAR = r"_project_norm/beta|(_expand|final)_norm/moving_mean"

NETWORKS = [
    Network("linear", (8, 8, 3)),
    Network("mlp", (8, 8, 3), {"hidden": 16}),
    Network("mlp", (8, 8, 3), {"hidden": (16, 8), "activation": "maxout"}),
    Network("lenet5", (28, 28, 1), everywhere=True),
    Network("lenet5", (32, 32, 3), {"activation": "relu", "pooling": "max"}, slow=True),
    Network("alexnet", (67, 67, 3), {"dropout": 0.0}),
    Network("alexnet_2012", (67, 67, 3), {"dropout": 0.0}, slow=True),
    Network("alexnet_2012", (67, 67, 3), {"dropout": 0.0, "activation": "maxout", "initialization": "he"}, slow=True),
    Network("vgg11", (32, 32, 3), SMALL_VGG),
    Network("vgg11", (32, 32, 3), {**SMALL_VGG, "batch_norm": True}, repeats=True, idle=r"_conv\d/bias"),
    Network("vgg13", (32, 32, 3), SMALL_VGG, slow=True),
    Network("vgg16", (32, 32, 3), SMALL_VGG, slow=True),
    Network("vgg19", (32, 32, 3), SMALL_VGG, slow=True),
    Network("nin", (67, 67, 3), {"dropout": 0.0}),
    Network("googlenet", (64, 64, 3), {"dropout": 0.0}, shorter=short_googlenet),
    Network("googlenet", (64, 64, 3), {"dropout": 0.0}, slow=True),
    Network("googlenet", (64, 64, 3), {"dropout": 0.0, "batch_norm": True}, slow=True),
    Network("inception_v3", (107, 107, 3), {"dropout": 0.0}, slow=True),
    Network("resnet18", (32, 32, 3), shorter=SHORT_18),
    Network("resnet18", (32, 32, 3), slow=True),
    Network("resnet34", (32, 32, 3), slow=True),
    Network("resnet50", (32, 32, 3), shorter=SHORT_50, slow=True),
    Network("resnet50", (32, 32, 3), slow=True),
    Network("resnet50", (32, 32, 3), {"layout": "paper"}, slow=True),
    Network("resnet50", (32, 32, 3), {"layout": "keras"}, slow=True),
    Network("resnet101", (32, 32, 3), slow=True),
    Network("resnet152", (32, 32, 3), slow=True),
    Network("resnet20", (16, 16, 3), {"synchronized": True}, shorter=SHORT_20, everywhere=True),
    Network("resnet20", (16, 16, 3), {"synchronized": True}, slow=True),
    Network("resnet32", (16, 16, 3), slow=True),
    Network("resnet44", (16, 16, 3), slow=True),
    Network("resnet56", (16, 16, 3), slow=True),
    Network("resnet110", (16, 16, 3), slow=True),
    Network("resnet9", (16, 16, 3), {"width": 0.125}),
    Network("resnet9", (16, 16, 3), {"width": 0.125, "activation": "elu", "initialization": "xavier"}, slow=True),
    Network("resnet18_v2", (32, 32, 3), shorter=SHORT_18_V2, slow=True),
    Network("resnet18_v2", (32, 32, 3), slow=True),
    Network("resnet34_v2", (32, 32, 3), slow=True),
    Network("resnet50_v2", (32, 32, 3), {"layout": "paper"}, slow=True),
    Network("resnet50_v2", (32, 32, 3), {"layout": "keras"}, slow=True, idle=r"block\d_(conv3|shortcut_conv)/bias"),
    Network("resnet101_v2", (32, 32, 3), slow=True),
    Network("resnet152_v2", (32, 32, 3), slow=True),
    Network("densenet121", (32, 32, 3), slow=True),
    Network("densenet169", (32, 32, 3), slow=True),
    Network("densenet201", (32, 32, 3), slow=True),
    Network("densenet_small", (32, 32, 3), shorter=short_densenet_small),
    Network("densenet_small", (32, 32, 3), slow=True),
    Network("efficientnet_lite0", (32, 32, 3), {"dropout": 0.0}, shorter=SHORT_LITE, idle=LINEAR),
    Network("efficientnet_lite0", (32, 32, 3), {"dropout": 0.0}, slow=True, idle=LINEAR),
    Network("efficientnet_lite1", (32, 32, 3), {"dropout": 0.0}, slow=True, idle=LINEAR),
    Network("efficientnet_lite2", (32, 32, 3), {"dropout": 0.0}, slow=True, idle=LINEAR),
    Network("efficientnet_lite3", (32, 32, 3), {"dropout": 0.0}, slow=True, idle=LINEAR),
    Network("efficientnet_lite4", (32, 32, 3), {"dropout": 0.0}, slow=True, idle=LINEAR),
    # The other networks of keras.applications have tests/models/test_keras_applications.py.
    Network("keras/mobilenet", (32, 32, 3), {"width": 0.25, "dropout": 0.0}, slow=True),
    # As in EfficientNet-Lite, see LINEAR.
    Network("keras/mobilenetv3_small", (32, 32, 3), {"width": 0.25, "dropout": 0.0}, slow=True, idle=r"_project_bn/beta"),
    Network("show_and_tell", (16, 16, 3), SMALL_CAPTIONER, repeats=True),
    Network("show_and_tell", (16, 16, 3), {**SMALL_CAPTIONER, "cell": "gru", "layers": 2}, slow=True),
    Network("show_attend_tell", (16, 16, 3), {**SMALL_CAPTIONER, "attention": 8}),
    Network("show_attend_tell", (16, 16, 3), {**SMALL_CAPTIONER, "attention": 8, "cell": "rnn", "level": "c2"}, slow=True),
    Network("localizer", (16, 16, 3), {"backbone": "resnet9", "width": 0.125}, repeats=True, rows=2),
    Network(
        "localizer", (16, 16, 3), {"backbone": "lenet5", "pooling": "flatten", "activation": "linear"}, slow=True, rows=2
    ),
    # A code of 8 numbers, and 16 * 16 * 10 of the restored image. The dense decoder has 256 units at 32 x 32 pixels.
    Network("autoencoder", (16, 16, 3), {"backbone": "resnet9", "width": 0.125, "code_channels": 2}, rows=257),
    Network(
        "autoencoder",
        (16, 16, 3),
        {"backbone": "resnet9", "width": 1 / 32, "bottleneck": "16-8", "upsampling": "transposed"},
        slow=True,
        rows=257,
    ),
    # Maps of 2 x 4 and 1 x 2 cells: 10 cells of 10 + 4 + 1 numbers, and of 9 * (10 + 4).
    Network("fcos", (16, 32, 3), {**SMALL_DETECTOR, "channels": 16}, rows=15),
    Network("fcos", (16, 32, 3), {**SMALL_DETECTOR, "channels": 8, "distances": "exp", "norm": "batch"}, slow=True, rows=15),
    Network("retinanet", (16, 32, 3), {**SMALL_DETECTOR, "channels": 8}, rows=126, slow=True),
    Network("retinanet", (16, 32, 3), {**SMALL_DETECTOR, "channels": 16, "norm": "group"}, slow=True, rows=126),
    # A cell has 4 boxes of 10 logits, a logit of the background and 4 offsets: 60 numbers. The maps have 10 cells.
    Network("ssd", (16, 32, 3), {**SMALL_SSD, "ratios": "2"}, rows=60),
    Network("ssd", (16, 32, 3), {**SMALL_SSD, "levels": "p2-p4"}, slow=True, rows=(32 + 8 + 2) * 9),
    # Maps of 34, 17, 9, 5, 3 and 1 cells a side, with 4 or 6 boxes each: 7,034 boxes of 15 numbers.
    Network("ssd300", (268, 268, 3), {"backbone": "vgg11", "width": 1 / 16}, slow=True, rows=7_034 * 15 // 10),
    # 2 x 4 cells of 10 classes and 2 boxes of 5 numbers.
    Network("yolo", (16, 32, 3), {"backbone": "resnet9", "width": 0.125, "channels": 8, "depth": 1}, repeats=True, rows=16),
    Network(
        "yolo",
        (16, 32, 3),
        {"backbone": "resnet9", "width": 0.125, "channels": 8, "depth": 1, "hidden": 16, "batch_norm": False},
        slow=True,
        rows=16,
    ),
    Network("yolo_v1", (64, 64, 3), {"width": 1 / 32, "dropout": 0.0}, slow=True, rows=2),
    # Eight regions with 4 numbers each, 11 logits and 44 deltas.
    Network("rcnn", (32, 32, 3), {**SMALL_WINDOWS, "crop": 16}, slow=True, rows=48),
    Network("fast_rcnn", (32, 32, 3), {**SMALL_WINDOWS, "hidden": 16, "pooled": 3, "dropout": 0.0}, repeats=True, rows=48),
    # 96 anchors with 9 numbers each, and 8 regions with 59 each.
    Network("faster_rcnn", (32, 32, 3), {**SMALL_REGIONS, "anchor_sizes": (8, 16), "dropout": 0.0}, rows=134),
    Network(
        "faster_rcnn_fpn", (16, 24, 3), {**SMALL_REGIONS, "levels": "p2-p3", "anchor_strides": 3.0}, slow=True, rows=134
    ),
    # 96 anchors with 9 numbers each, and 8 regions with 19 each.
    Network("rfcn", (32, 32, 3), {**SMALL_VOTES, "anchor_sizes": (8, 16)}, slow=True, rows=102),
    Network("unet", (16, 24, 3), {"width": 4, "dropout": 0.0}, per_pixel=True),
    Network("unet", (16, 24, 3), {"width": 4, "dropout": 0.0, "batch_norm": True}, slow=True, per_pixel=True),
    Network("unet", (16, 24, 3), {"width": 4, "dropout": 0.0, "depth": 1, **MIRRORED}, slow=True, per_pixel=True),
    Network("fcn32s", (32, 40, 3), {**SMALL_FCN, "hidden": 8, "upsampling": "fixed"}, slow=True, per_pixel=True),
    Network("fcn16s", (32, 40, 3), {**SMALL_FCN, "upsampling": "fixed"}, slow=True, per_pixel=True),
    Network("fcn8s", (32, 40, 3), {**SMALL_FCN, "hidden": 8}, per_pixel=True),
    Network("fcn", (32, 32, 3), SMALL_DILATED, slow=True, per_pixel=True),
    Network("deconvnet", (32, 64, 3), {"width": 1 / 16}, slow=True, per_pixel=True, idle=r"conv\d?/bias"),
    Network(
        "deconvnet", (32, 64, 3), {"width": 1 / 16, "unpooling": "nearest"}, slow=True, per_pixel=True, idle=r"conv\d?/bias"
    ),
    Network("deeplab_v3", (32, 40, 3), {**SMALL_DILATED, "channels": 8}, slow=True, per_pixel=True),
]
