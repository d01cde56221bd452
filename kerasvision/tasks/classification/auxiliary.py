"""Auxiliary heads: classifiers on the way up that push gradients into a deep network while it trains, and then go.

Source: Szegedy et al., 2014, https://arxiv.org/abs/1409.4842, section 5.
"""

from typing import Any

import keras

from kerasvision import config as c
from kerasvision import lookup

MAIN = "logits"
# Section 5 says so of the two heads of GoogLeNet; here it goes for every auxiliary head.
WEIGHT = 0.3


class WithAuxiliaryHeads(keras.Model):
    """A functional model to a dict: "logits", and those of the auxiliary heads under any other names.

    It trains by the losses of all of them, the auxiliary ones times 0.3. Validation and metrics see the main logits only,
    so that they are those of the network that is left in the end, under the names that every network has.
    """

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of the main logits; in training, plus 0.3 times that of each auxiliary head."""
        loss = super().compute_loss(x, y, y_pred[MAIN], sample_weight, training)
        if training:
            for name in sorted(y_pred.keys() - {MAIN}):
                loss += WEIGHT * self.loss(y, y_pred[name], sample_weight=sample_weight)
        return loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """The metrics of the main logits."""
        return super().compute_metrics(x, y, y_pred[MAIN], sample_weight)


def training_options(model: c.Model) -> dict[str, Any]:
    """The options of a network that is to be trained: with auxiliary heads, if it can have them and nobody says no."""
    known = lookup.keywords(lookup.MODELS.path(model.name)) or ()
    return {"auxiliary_heads": True, **model.options} if "auxiliary_heads" in known else dict(model.options)


def with_auxiliary_heads(network: keras.Model) -> keras.Model:
    """The network, so that `fit` trains every head that it has."""
    if not isinstance(network.output, dict):
        return network
    return WithAuxiliaryHeads(network.input, network.output, name=network.name)


def main_head_only(network: keras.Model) -> keras.Model:
    """The network with the same layers and weights from the image to the main logits, and no others."""
    if not isinstance(network, WithAuxiliaryHeads):
        return network
    return keras.Model(network.input, network.output[MAIN], name=network.name)
