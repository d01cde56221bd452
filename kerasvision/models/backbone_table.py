"""The rows of `kerasvision.models.table` for networks on another one: captioners, localizer, autoencoder and detectors.

YOLO of 2016 has its own convolutions, and stands here with the other detectors.

>>> [row.name for row in ON_BACKBONES][:6]
['show_and_tell', 'show_attend_tell', 'localizer', 'autoencoder', 'fcos', 'retinanet']
"""

from kerasvision.models.figures import INDEPENDENT, RGB, TORCHVISION, Figure, Network
from kerasvision.models.region_table import TWO_STAGE

ON_BACKBONES = (
    # On resnet18, with 10,000 words as in Xu et al. Counted from a decoder of keras.layers and a dense layer for the image.
    Network(
        name="show_and_tell",
        family="captioner",
        paper="Vinyals et al., 2015, equations 10 to 12",
        url="https://arxiv.org/abs/1411.4555",
        smallest_side=32,  # as resnet18, its backbone
        figures=(Figure(RGB, 10_000, INDEPENDENT, 23_788_368, 23_797_968),),
    ),
    Network(
        name="show_attend_tell",
        family="captioner",
        paper="Xu et al., 2015, section 3.1 with the soft attention of section 4.2",
        url="https://arxiv.org/abs/1502.03044",
        smallest_side=32,  # as resnet18, its backbone
        figures=(Figure(RGB, 10_000, INDEPENDENT, 26_149_713, 26_159_313),),
    ),
    Network(
        name="localizer",
        family="localizer",
        paper="Sermanet et al., 2013, section 4",
        url="https://arxiv.org/abs/1312.6229",
        smallest_side=32,  # as resnet18, its backbone
        # torchvision's ResNet-18 without its head of 513,000, and 513 weights for each of 91 classes and 4 sides.
        figures=(Figure(RGB, 91, INDEPENDENT, 11_689_512 - 513_000 + 513 * 95),),
    ),
    Network(
        name="autoencoder",
        family="autoencoder",
        paper="Masci et al., 2011",
        url="https://doi.org/10.1007/978-3-642-21735-7_7",
        smallest_side=32,  # as resnet18, its backbone
        flattens=True,
        # torchvision's ResNet-18 without its head of 513,000; five 3x3 convolutions, each with a norm; and the last one.
        figures=(
            Figure(
                RGB,
                3,
                INDEPENDENT,
                11_689_512
                - 513_000
                + sum(
                    9 * wide * narrow + 2 * narrow
                    for wide, narrow in ((512, 256), (256, 128), (128, 64), (64, 32), (32, 16))
                )
                + (9 * 16 + 1) * 3,
            ),
        ),
    ),
    # On resnet50. torchvision's documentation counts 53,120 less: it freezes the backbone's norms, which are part of the
    # trainable weights here.
    Network(
        name="fcos",
        family="fcos",
        paper="Tian et al., 2019, figure 2",
        url="https://arxiv.org/abs/1904.01355",
        smallest_side=32,  # as resnet50, its backbone
        figures=(Figure((800, 800, 3), 91, f"{TORCHVISION} with the backbone's norms", 32_269_600 + 53_120),),
    ),
    Network(
        name="retinanet",
        family="retinanet",
        paper="Lin et al., 2017, figure 3",
        url="https://arxiv.org/abs/1708.02002",
        smallest_side=32,  # as resnet50, its backbone
        figures=(Figure((800, 800, 3), 91, f"{TORCHVISION} with the backbone's norms", 34_014_999 + 53_120),),
    ),
    Network(
        name="ssd300",
        family="ssd",
        paper="Liu et al., 2016, figure 2",
        url="https://arxiv.org/abs/1512.02325",
        smallest_side=268,  # 268 -> 134 -> 67 -> 34 -> 17 -> 9 -> 5 -> 3 -> 1: one pixel less leaves the last map empty
        own_side=268,
        flattens=True,  # its boxes are shares of the image, which takes images of one size just as well
        # Both count the background as a class: 91 with it.
        figures=(Figure((300, 300, 3), 90, TORCHVISION, 35_641_826, 35_641_826, "34.86"),),
    ),
    Network(
        name="ssd",
        family="ssd",
        paper="Liu et al., 2016, section 2, on any backbone",
        url="https://arxiv.org/abs/1512.02325",
        smallest_side=32,  # as resnet50, its backbone
        flattens=True,  # as ssd300
        # torchvision's ResNet-50 without its head of 2,049,000; two maps beyond it, each by a 1x1 and a 3x3 convolution; and
        # a 3x3 convolution on each of the five maps, for six boxes of 91 logits and 4 sides in each cell.
        figures=(
            Figure(
                (300, 300, 3),
                90,
                INDEPENDENT,
                25_557_032
                - 2_049_000
                + sum(wide * 128 + 128 + 9 * 128 * 256 + 256 for wide in (2048, 256))
                + sum((9 * wide + 1) * 6 * (91 + 4) for wide in (512, 1024, 2048, 256, 256)),
            ),
        ),
    ),
    Network(
        name="yolo_v1",
        family="yolo",
        paper="Redmon et al., 2016, figure 3",
        url="https://arxiv.org/abs/1506.02640",
        smallest_side=64,  # the side of its cells
        flattens=True,
        # 60,155,968 of the convolutions and 211,547,582 of the dense layers.
        figures=(Figure((448, 448, 3), 20, INDEPENDENT, 271_703_550, 271_703_550),),
    ),
    Network(
        name="yolo",
        family="yolo",
        paper="Redmon et al., 2016, section 2, on any backbone",
        url="https://arxiv.org/abs/1506.02640",
        smallest_side=32,  # as resnet18, its backbone
        flattens=True,  # heights and widths are shares of the image
        # torchvision's ResNet-18 without its head of 513,000; two 3x3 convolutions with norms; 20 classes and 2 boxes of 5
        # numbers by a 1x1 convolution.
        figures=(
            Figure(
                (448, 448, 3),
                20,
                INDEPENDENT,
                11_689_512 - 513_000 + 2 * (9 * 512 * 512 + 2 * 512) + (512 + 1) * (20 + 2 * 5),
            ),
        ),
    ),
    *TWO_STAGE,
)
