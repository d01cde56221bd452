"""The rows of `kerasvision.models.table` for two-stage detectors.

>>> [row.name for row in TWO_STAGE]
['rcnn', 'fast_rcnn', 'faster_rcnn', 'faster_rcnn_fpn', 'rfcn']
"""

from kerasvision.models.figures import INDEPENDENT, TORCHVISION, Figure, Network

# VGG-16 without its head, two dense layers on 7 x 7 x 512, and 5 numbers for each of 21 classes.
_VGG16_REGIONS = 14_714_688 + (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 5 * 21
# On a map of 512 channels: a 3x3 convolution, and 6 numbers for each of nine anchors.
_PROPOSALS = (9 * 512 + 1) * 512 + (512 + 1) * 6 * 9
# The convolutions of AlexNet without groups.
_ALEXNET = sum(
    (side * side * before + 1) * after
    for side, before, after in ((11, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256))
)
# torchvision's ResNet-101 without its head; 1024 channels; proposals from them; 25 numbers for each of 49 bins.
_RFCN = 44_549_160 - 2_049_000 + (2048 + 1) * 1024 + (9 * 1024 + 1) * 512 + (512 + 1) * 6 * 9 + (1024 + 1) * 49 * 25

TWO_STAGE = (
    # On alexnet, with 5 numbers for each of 21 classes.
    Network(
        name="rcnn",
        family="fast_rcnn",
        paper="Girshick et al., 2013, section 2, with the loss of Girshick, 2015",
        url="https://arxiv.org/abs/1311.2524",
        smallest_side=1,  # its backbone reads crops of a size of their own
        flattens=True,
        figures=(Figure((256, 256, 3), 20, INDEPENDENT, _ALEXNET + (256 + 1) * 5 * 21),),
    ),
    # On vgg16.
    Network(
        name="fast_rcnn",
        family="fast_rcnn",
        paper="Girshick, 2015, figure 1",
        url="https://arxiv.org/abs/1504.08083",
        smallest_side=32,  # as vgg16, its backbone
        flattens=True,
        figures=(Figure((608, 1008, 3), 20, INDEPENDENT, 134_690_729),),
    ),
    Network(
        name="faster_rcnn",
        family="faster_rcnn",
        paper="Ren et al., 2015, figure 2",
        url="https://arxiv.org/abs/1506.01497",
        smallest_side=32,  # as vgg16, its backbone
        flattens=True,
        figures=(Figure((608, 1008, 3), 20, INDEPENDENT, _VGG16_REGIONS + _PROPOSALS),),
    ),
    # On resnet50. torchvision's 91 classes are 90 and background. Its documentation counts 53,120 less: it freezes the
    # backbone's norms, which are part of the trainable weights here.
    Network(
        name="faster_rcnn_fpn",
        family="faster_rcnn",
        paper="Ren et al., 2015, on the pyramid of Lin et al., 2017, section 4",
        url="https://arxiv.org/abs/1612.03144",
        smallest_side=32,  # as resnet50, its backbone
        flattens=True,
        figures=(Figure((800, 800, 3), 90, f"{TORCHVISION} with the backbone's norms", 41_755_286 + 53_120),),
    ),
    # On resnet101.
    Network(
        name="rfcn",
        family="rfcn",
        paper="Dai et al., 2016, figure 3",
        url="https://arxiv.org/abs/1605.06409",
        smallest_side=32,  # as resnet101, its backbone
        flattens=True,
        figures=(Figure((608, 1008, 3), 20, INDEPENDENT, _RFCN, options={"output_stride": 16}),),
    ),
)
