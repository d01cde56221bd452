"""The regions that a trained Faster R-CNN proposes, computed inside another network (Ren et al., 2015).

Source: https://arxiv.org/abs/1506.01497, section 3.2, step 2: a separate Fast R-CNN learns on the proposals of step 1.

Copies of the layers that lead to the proposals become part of the new network, so it can be served as one file. They are
frozen: they keep every weight, and their batch normalisation uses the moving statistics. Their names begin with `PREFIX`.
"""

from functools import cache
from pathlib import Path

import keras
from keras import KerasTensor

from kerasvision.errors import ConfigError
from kerasvision.models.saved import load_network
from kerasvision.models.scaling import copied, scaling_of

PREFIX = "proposer_"
# What a network that proposes its regions returns; see `kerasvision.models.faster_rcnn`.
_ANSWERS = {"proposals", "objectness"}


def proposed_regions(network: keras.Model, file: str, *, count: int) -> KerasTensor:
    """The first proposals of a trained network for the image that another network reads.

    Args:
        network: a model from an image to maps; the proposals are made from the same image.
        file: path of the `.keras` file of a Faster R-CNN that was trained on images with the same transform.
        count: how many proposals, P; fewer if the trained network has fewer.

    Returns:
        float32 (N, P, 4), corners in pixels, the best first, without a gradient. Rows that remain are zeros.

    Raises:
        ConfigError: the file's network proposes no regions, or reads images of another size or range.
        ExportError: the file is missing, damaged or hostile.
    """
    source = load_network(Path(file))
    _check(source, network, file)
    trained = keras.Model(source.input, source.output["proposals"])
    fixed = keras.models.clone_model(trained, input_tensors=network.input, clone_function=cache(_frozen))
    for layer in trained.layers:
        if layer.weights:
            fixed.get_layer(PREFIX + layer.name).set_weights(layer.get_weights())
    return fixed.output[:, :count]


def _frozen(layer: keras.Layer) -> keras.Layer:
    copy = copied(layer, name=PREFIX + layer.name)
    if isinstance(copy, keras.Layer):
        copy.trainable = False
    return copy


def _check(source: keras.Model, network: keras.Model, file: str) -> None:
    if not isinstance(source.output, dict) or not source.output.keys() >= _ANSWERS:
        raise ConfigError(
            f"proposer must be a file of a network that proposes regions; {file} contains {source.name}",
            hint="train faster_rcnn, and use its .keras file",
        )
    theirs, ours = source.input.shape[1:], network.input.shape[1:]
    if theirs != ours:
        sides = " x ".join(map(str, theirs))
        raise ConfigError(
            f"the network in {file} proposes regions for images of {sides}",
            received=" x ".join(map(str, ours)),
            hint="give both networks the same transform",
        )
    if (scaling_of(source) is None) != (scaling_of(network) is None):
        raise ConfigError(
            f"the network and the proposer in {file} read images of different ranges: only one of them began with published "
            "weights",
            hint="begin both with published weights, or neither",
        )
