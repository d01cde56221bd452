"""The rows of `kerasvision.models.table` for networks that give every pixel its logits.

>>> [row.name for row in PER_PIXEL]
['unet']
"""

from kerasvision.models.figures import INDEPENDENT, Figure, Network

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
)
