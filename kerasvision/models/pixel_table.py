"""The rows of `kerasvision.models.table` for networks that give every pixel its logits.

>>> [row.name for row in PER_PIXEL]
['unet', 'fcn32s', 'fcn16s', 'fcn8s', 'fcn', 'deconvnet', 'deeplab_v3']
"""

from kerasvision.models.figures import INDEPENDENT, RGB, TORCHVISION, Figure, Network

PER_PIXEL = (
    Network(
        name="unet",
        family="unet",
        paper="Ronneberger et al., 2015, figure 1",
        url="https://arxiv.org/abs/1505.04597",
        smallest_side=16,  # four poolings halve it to one pixel
        # The padding changes no weights, so the paper's network ("valid") and ours ("same") have the same number.
        figures=(
            Figure((572, 572, 1), 2, INDEPENDENT, 31_030_658, 31_030_658),
            Figure((572, 572, 1), 2, INDEPENDENT, 31_030_658, 31_030_658, options={"padding": "valid"}),
        ),
    ),
    # On vgg16.
    *(
        Network(
            name=name,
            family="fcn",
            paper="Long et al., 2015, figure 3",
            url="https://arxiv.org/abs/1411.4038",
            smallest_side=32,  # five poolings halve it to one pixel
            figures=(Figure(RGB, 21, INDEPENDENT, weights, weights),),
        )
        for name, weights in (("fcn32s", 136_152_917), ("fcn16s", 134_815_994), ("fcn8s", 134_489_759))
    ),
    # On resnet50.
    Network(
        name="fcn",
        family="fcn",
        paper="Long et al., 2015, on a dilated ResNet as in torchvision",
        url="https://arxiv.org/abs/1411.4038",
        smallest_side=32,  # as resnet50, its backbone
        figures=(
            Figure(RGB, 21, TORCHVISION, 32_957_013),
            Figure(RGB, 21, TORCHVISION, 35_322_218, options={"auxiliary_head": True}),
        ),
    ),
    Network(
        name="deconvnet",
        family="deconvnet",
        paper="Noh et al., 2015, figure 2",
        url="https://arxiv.org/abs/1505.04366",
        smallest_side=32,  # five poolings halve it to one pixel
        side_step=32,  # each of them must leave out no pixel, so that unpooling gives the size back
        figures=(Figure(RGB, 21, INDEPENDENT, 251_805_653, 251_839_061),),
    ),
    Network(
        name="deeplab_v3",
        family="deeplab",
        paper="Chen et al., 2017, figure 5",
        url="https://arxiv.org/abs/1706.05587",
        smallest_side=32,  # as resnet50, its backbone
        figures=(
            Figure(RGB, 21, TORCHVISION, 39_638_869),
            Figure(RGB, 21, TORCHVISION, 42_004_074, options={"auxiliary_head": True}),
        ),
    ),
)
