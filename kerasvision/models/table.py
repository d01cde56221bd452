"""The table of networks: for each its family, its paper, the smallest image that it reads, and its published sizes.

The sizes come from papers and from independent implementations, never from our own builders: the tests build each
network and compare. `kerasvision.lookup.MODELS` says where the code is. Three tables are files of their own: the networks
that are built on another one (`kerasvision.models.backbone_table`), those that give every pixel its logits
(`kerasvision.models.pixel_table`), and those of keras.applications (`kerasvision.models.keras_table`).

>>> find("lenet5").figures[0].trainable_weights
61706
"""

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS
from kerasvision.models.backbone_table import ON_BACKBONES
from kerasvision.models.figures import D2L, GREY, INDEPENDENT, KERAS, RGB, TORCHVISION, Figure, Network, Shape
from kerasvision.models.keras_table import keras_row
from kerasvision.models.pixel_table import PER_PIXEL

VGG_URL = "https://arxiv.org/abs/1409.1556"
RESNET_URL = "https://arxiv.org/abs/1512.03385"
RESNET_V2_URL = "https://arxiv.org/abs/1603.05027"
DENSENET_URL = "https://arxiv.org/abs/1608.06993"
LITE_URL = "https://arxiv.org/abs/1905.11946"
# Both count the weights. The multiply-adds were counted in the PyTorch network: of convolutions and dense layers alone.
LITE_SOURCE = "timm and efficientnet-lite-pytorch"

NETWORKS = (
    Network(
        name="linear",
        family="linear",
        paper="cs231n, linear classification",
        url="https://cs231n.github.io/linear-classify/",
        smallest_side=1,
        flattens=True,
        figures=(
            Figure((28, 28, 1), 10, D2L, 7_850),
            # A matrix of 10 x 3073, with the bias as its last column.
            Figure((32, 32, 3), 10, "cs231n", 30_730),
        ),
    ),
    Network(
        name="mlp",
        family="mlp",
        paper="cs231n, neural networks, part 1, as in Dive into Deep Learning, section 5.2",
        url="https://cs231n.github.io/neural-networks-1/",
        smallest_side=1,
        flattens=True,
        figures=(
            Figure((28, 28, 1), 10, INDEPENDENT, 407_050),
            Figure((28, 28, 1), 10, D2L, 203_530, options={"hidden": 256}),
        ),
    ),
    Network(
        name="lenet5",
        family="lenet",
        paper="LeCun et al., 1998, figure 2, as in Dive into Deep Learning, section 7.6",
        url="https://d2l.ai/chapter_convolutional-neural-networks/lenet.html",
        smallest_side=12,  # 12 -> 12 -> 6 -> 2 -> 1: one pixel less leaves the second pooling nothing to pool
        flattens=True,
        figures=(
            Figure((28, 28, 1), 10, D2L, 61_706),
            Figure((32, 32, 1), 10, INDEPENDENT, 61_706),
            Figure((32, 32, 3), 10, INDEPENDENT, 62_006),
        ),
    ),
    Network(
        name="alexnet",
        family="alexnet",
        paper="Krizhevsky et al., 2012, figure 2, as in Dive into Deep Learning, section 8.1",
        url="https://d2l.ai/chapter_convolutional-modern/alexnet.html",
        smallest_side=67,  # 67 -> 15 -> 7 -> 3 -> 1: one pixel less leaves the third pooling nothing to pool
        flattens=True,
        figures=(
            Figure(RGB, 1000, INDEPENDENT, 50_844_008),
            Figure(GREY, 10, D2L, 46_764_746),
            Figure((227, 227, 3), 1000, INDEPENDENT, 62_378_344),
        ),
    ),
    Network(
        name="alexnet_2012",
        family="alexnet",
        paper="Krizhevsky et al., 2012, figure 2",
        url="https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
        smallest_side=67,  # as alexnet
        flattens=True,
        figures=(
            # The first counts the weights of Caffe's "bvlc_alexnet", which is this network; the second, in table II of
            # https://arxiv.org/abs/1703.09039, the multiply-adds.
            Figure(
                (227, 227, 3),
                1000,
                "Hewlett Packard's Deep Learning Cookbook and Sze et al., 2017",
                trainable_weights=60_965_224,
                giga_multiply_adds="0.724",
            ),
        ),
    ),
    Network(
        name="vgg11",
        family="vgg",
        paper="Simonyan & Zisserman, 2014, table 1, column A",
        url=VGG_URL,
        smallest_side=32,  # five poolings halve it to one pixel
        flattens=True,
        figures=(
            Figure(RGB, 1000, TORCHVISION, 132_863_336, 132_863_336, "7.609"),
            Figure(RGB, 1000, TORCHVISION, 132_868_840, 132_874_344, "7.609", {"batch_norm": True}),
            Figure(GREY, 10, INDEPENDENT, 128_806_154),
            Figure(GREY, 10, D2L, 43_093_322, options={"width": 0.25}),
        ),
    ),
    Network(
        name="vgg13",
        family="vgg",
        paper="Simonyan & Zisserman, 2014, table 1, column B",
        url=VGG_URL,
        smallest_side=32,  # five poolings halve it to one pixel
        flattens=True,
        figures=(
            Figure(RGB, 1000, TORCHVISION, 133_047_848, 133_047_848, "11.308"),
            Figure(RGB, 1000, TORCHVISION, 133_053_736, 133_059_624, "11.308", {"batch_norm": True}),
        ),
    ),
    Network(
        name="vgg16",
        family="vgg",
        paper="Simonyan & Zisserman, 2014, table 1, column D",
        url=VGG_URL,
        smallest_side=32,  # five poolings halve it to one pixel
        flattens=True,
        figures=(
            Figure(RGB, 1000, TORCHVISION, 138_357_544, 138_357_544, "15.470"),
            Figure(RGB, 1000, TORCHVISION, 138_365_992, 138_374_440, "15.470", {"batch_norm": True}),
        ),
    ),
    Network(
        name="vgg19",
        family="vgg",
        paper="Simonyan & Zisserman, 2014, table 1, column E",
        url=VGG_URL,
        smallest_side=32,  # five poolings halve it to one pixel
        flattens=True,
        figures=(
            Figure(RGB, 1000, TORCHVISION, 143_667_240, 143_667_240, "19.632"),
            Figure(RGB, 1000, TORCHVISION, 143_678_248, 143_689_256, "19.632", {"batch_norm": True}),
        ),
    ),
    Network(
        name="nin",
        family="nin",
        paper="Lin et al., 2013, section 3, as in Dive into Deep Learning, section 8.3",
        url="https://d2l.ai/chapter_convolutional-modern/nin.html",
        smallest_side=67,  # as alexnet
        figures=(
            Figure(RGB, 1000, INDEPENDENT, 7_439_608),
            Figure(GREY, 10, D2L, 1_992_166),
            Figure(RGB, 10, INDEPENDENT, 2_015_398),
        ),
    ),
    Network(
        name="googlenet",
        family="googlenet",
        paper="Szegedy et al., 2014, table 1",
        url="https://arxiv.org/abs/1409.4842",
        smallest_side=32,  # its last stage has stride 32
        figures=(
            # torchvision's 1.498 GMACs are of another network: it has 3x3 convolutions where the paper has 5x5.
            Figure(RGB, 1000, INDEPENDENT, 6_998_552),
            Figure(RGB, 1000, INDEPENDENT, 13_378_280, options={"auxiliary_heads": True}),
            Figure(RGB, 1000, INDEPENDENT, 7_005_832, 7_020_392, options={"batch_norm": True}),
            Figure(RGB, 1000, INDEPENDENT, 13_385_816, 13_400_888, options={"batch_norm": True, "auxiliary_heads": True}),
            Figure((96, 96, 1), 10, D2L, 5_977_530),
        ),
    ),
    Network(
        name="inception_v3",
        family="inception",
        paper="Szegedy et al., 2015, table 1",
        url="https://arxiv.org/abs/1512.00567",
        smallest_side=75,  # 75 -> 37 -> 35 -> 17 -> 15 -> 7 -> 3 -> 1: no border is added where the map shrinks
        figures=(
            Figure((299, 299, 3), 1000, f"{KERAS}; multiply-adds: {TORCHVISION}", 23_817_352, 23_851_784, "5.713"),
            # torchvision's normalisations have scales: 17,216 in the network and 896 in the head.
            Figure(
                (299, 299, 3), 1000, f"{TORCHVISION} without scales", 27_161_264 - 18_112, options={"auxiliary_heads": True}
            ),
        ),
    ),
    Network(
        name="resnet18",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # its last stage has stride 32
        figures=(
            Figure(RGB, 1000, TORCHVISION, 11_689_512, 11_699_112, "1.814"),
            Figure(RGB, 1000, "He et al., table 1", giga_multiply_adds="1.8", options={"layout": "paper"}),
            Figure(RGB, 10, INDEPENDENT, 11_181_642),
            Figure(GREY, 10, INDEPENDENT, 11_175_370),
        ),
    ),
    Network(
        name="resnet34",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # as resnet18
        figures=(
            # The paper's 3.6 is without projections.
            Figure(RGB, 1000, TORCHVISION, 21_797_672, 21_814_696, "3.664"),
        ),
    ),
    Network(
        name="resnet50",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # as resnet18
        figures=(
            # The paper's 3.8 (layout "paper") is 3.858, cut off.
            Figure(RGB, 1000, TORCHVISION, 25_557_032, 25_610_152, "4.089"),
        ),
    ),
    Network(
        name="resnet101",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # as resnet18
        figures=(
            Figure(RGB, 1000, TORCHVISION, 44_549_160, 44_654_504, "7.801"),
            Figure(RGB, 1000, "He et al., table 1", giga_multiply_adds="7.6", options={"layout": "paper"}),
        ),
    ),
    Network(
        name="resnet152",
        family="resnet",
        paper="He et al., 2015, table 1",
        url=RESNET_URL,
        smallest_side=32,  # as resnet18
        figures=(
            Figure(RGB, 1000, TORCHVISION, 60_192_808, 60_344_232, "11.514"),
            Figure(RGB, 1000, "He et al., table 1", giga_multiply_adds="11.3", options={"layout": "paper"}),
        ),
    ),
    *(
        Network(
            name=f"resnet{6 * n + 2}",
            family="resnet_small",
            paper=f"He et al., 2015, section 4.2, n = {n}",
            url=RESNET_URL,
            smallest_side=4,  # its last stage has stride 4
            figures=(Figure((32, 32, 3), 10, INDEPENDENT, weights),),
        )
        for n, weights in ((3, 269_722), (5, 464_154), (7, 658_586), (9, 853_018), (18, 1_727_962))
    ),
    Network(
        name="resnet9",
        family="resnet9",
        paper="Page, 2018",
        url="https://myrtle.ai/learn/how-to-train-your-resnet-4-architecture/",
        smallest_side=8,  # its last map has stride 8
        figures=(Figure((32, 32, 3), 10, INDEPENDENT, 6_573_130, giga_multiply_adds="0.379"),),  # counts in READMEs
    ),
    Network(
        name="resnet18_v2",
        family="resnet_v2",
        paper="He et al., 2016, figure 4e, at the depths of He et al., 2015, table 1",
        url=RESNET_V2_URL,
        smallest_side=32,  # as resnet18
        figures=(Figure(RGB, 1000, INDEPENDENT, 11_687_720, 11_695_528),),
    ),
    Network(
        name="resnet34_v2",
        family="resnet_v2",
        paper="He et al., 2016, figure 4e, at the depths of He et al., 2015, table 1",
        url=RESNET_V2_URL,
        smallest_side=32,  # as resnet18
        figures=(Figure(RGB, 1000, INDEPENDENT, 21_795_880, 21_811_112),),
    ),
    Network(
        name="resnet50_v2",
        family="resnet_v2",
        paper="He et al., 2016, figure 4e, at the depths of He et al., 2015, table 1",
        url=RESNET_V2_URL,
        smallest_side=32,  # as resnet18
        figures=(
            Figure(RGB, 1000, INDEPENDENT, 25_549_352, 25_594_792),
            Figure(RGB, 1000, KERAS, total_weights=25_613_800, options={"layout": "keras"}),
        ),
    ),
    Network(
        name="resnet101_v2",
        family="resnet_v2",
        paper="He et al., 2016, figure 4e, at the depths of He et al., 2015, table 1",
        url=RESNET_V2_URL,
        smallest_side=32,  # as resnet18
        figures=(
            Figure(RGB, 1000, INDEPENDENT, 44_541_480, 44_639_144),
            Figure(RGB, 1000, KERAS, total_weights=44_675_560, options={"layout": "keras"}),
        ),
    ),
    Network(
        name="resnet152_v2",
        family="resnet_v2",
        paper="He et al., 2016, figure 4e, at the depths of He et al., 2015, table 1",
        url=RESNET_V2_URL,
        smallest_side=32,  # as resnet18
        figures=(
            Figure(RGB, 1000, INDEPENDENT, 60_185_128, 60_328_872),
            Figure(RGB, 1000, KERAS, total_weights=60_380_648, options={"layout": "keras"}),
        ),
    ),
    Network(
        name="densenet121",
        family="densenet",
        paper="Huang et al., 2016, table 1",
        url=DENSENET_URL,
        smallest_side=29,  # 29 -> 15 -> 8 -> 4 -> 2 -> 1: one pixel less leaves the last pooling nothing to pool
        figures=(
            Figure(RGB, 1000, f"{TORCHVISION} and {KERAS}", 7_978_856, 8_062_504, "2.834"),
            Figure(GREY, 10, INDEPENDENT, 6_957_834, 7_041_482),
        ),
    ),
    Network(
        name="densenet169",
        family="densenet",
        paper="Huang et al., 2016, table 1",
        url=DENSENET_URL,
        smallest_side=29,  # as densenet121
        figures=(Figure(RGB, 1000, f"{TORCHVISION} and {KERAS}", 14_149_480, 14_307_880, "3.360"),),
    ),
    Network(
        name="densenet201",
        family="densenet",
        paper="Huang et al., 2016, table 1",
        url=DENSENET_URL,
        smallest_side=29,  # as densenet121
        figures=(Figure(RGB, 1000, f"{TORCHVISION} and {KERAS}", 20_013_928, 20_242_984, "4.291"),),
    ),
    Network(
        name="densenet_small",
        family="densenet",
        paper="Huang et al., 2016, without bottlenecks, as in Dive into Deep Learning, section 8.7",
        url="https://d2l.ai/chapter_convolutional-modern/densenet.html",
        smallest_side=29,  # as densenet121
        figures=(
            Figure((96, 96, 1), 10, f"{D2L}, without its 904 biases", 757_322, 763_930),
            Figure((96, 96, 1), 10, D2L, 758_226, 764_834, options={"bias": True}),
        ),
    ),
    *(
        Network(
            name=f"efficientnet_lite{size}",
            family="efficientnet_lite",
            paper="Tan & Le, 2019, table 1, in the Lite variant of 2020",
            url=LITE_URL,
            smallest_side=32,  # its last stage has stride 32
            figures=(Figure((side, side, 3), 1000, LITE_SOURCE, trainable, total, multiply_adds),),
        )
        for size, side, trainable, total, multiply_adds in (
            (0, 224, 4_652_008, 4_694_024, "0.385"),
            (1, 240, 5_416_680, 5_470_344, "0.600"),
            (2, 260, 6_092_072, 6_150_168, "0.860"),
            (3, 280, 8_197_096, 8_273_768, "1.383"),
            (4, 300, 13_006_568, 13_118_936, "2.553"),
        )
    ),
    *ON_BACKBONES,
    *PER_PIXEL,
)


def find(name: str) -> Network | None:
    """The row of that name; None for a network that is given by its path."""
    return next((row for row in NETWORKS if row.name == name), None) or keras_row(name)


def published(name: str, *, image_shape: Shape, num_classes: int) -> tuple[Figure, ...]:
    """The published sizes of this network for these images and this number of classes, with any options."""
    row = find(MODELS.name(MODELS.path(name)))
    figures = row.figures if row else ()
    return tuple(figure for figure in figures if (figure.image_shape, figure.num_classes) == (image_shape, num_classes))


def usual(name: str) -> Figure:
    """The image shape and the number of classes that the network was made for, with the size that it then has.

    Raises:
        ConfigError: an unknown name, or a network that is not in the table.

    >>> usual("resnet18").image_shape, usual("resnet18").num_classes
    ((224, 224, 3), 1000)
    """
    row = find(MODELS.name(MODELS.path(name)))
    if row is None:
        raise ConfigError(
            f"{name} has no usual image shape and no usual number of classes", hint="give both: --image-shape and --classes"
        )
    return row.figures[0]
