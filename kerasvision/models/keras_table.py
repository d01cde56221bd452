"""The networks of keras.applications as rows of the table of networks.

>>> keras_row("keras/mobilenetv3_small").smallest_side
32
"""

from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.models.figures import KERAS, Figure, Network

# The published heads are for these classes.
_CLASSES = 1000


def keras_row(name: str) -> Network | None:
    """The row of a network of keras.applications; None for other names."""
    known = KERAS_NETWORKS.get(name)
    if known is None:
        return None
    # The head is one dense layer: a weight per feature and a bias for each class.
    total = known.weights + (known.features + 1) * _CLASSES
    return Network(
        name=name,
        family="keras_applications",
        paper=known.family.paper,
        url=known.family.url,
        smallest_side=known.family.least_side,
        figures=(Figure((known.side, known.side, 3), _CLASSES, f"{KERAS}, with our head", total_weights=total),),
    )
