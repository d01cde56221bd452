"""Networks on a backbone, captioners so far, that begin with trained weights: the backbone's, or their own.

    "imagenet", <file>.h5     of the backbone, as `kerasvision.models.pretrained` has them
    <file>.keras              a network of ours that is its backbone with another head, a classifier say; or the same
                              network, whose words are loaded too where it knows as many

All else begins freshly initialised.
"""

from functools import partial
from pathlib import Path
from typing import Any

import keras

from kerasvision.lookup import MODELS, backbone_of, load
from kerasvision.models.pretrained import Held, check_same_layers, check_settings, load_layers, pretrained
from kerasvision.models.saved import load_network
from kerasvision.models.scaling import scaled, scaling_of
from kerasvision.models.weight_files import is_keras_archive

# The layers whose size is the number of words.
OF_THE_WORDS = ("decoder_words", "logits")


def pretrained_on_backbone(
    name: str, *, image_shape: tuple[int, int, int], num_classes: int | None, weights: str, **options: Any
) -> keras.Model:
    """The network of that name with trained weights.

    Args:
        name: a name of `kerasvision.lookup.MODELS` whose builder takes a `backbone`, or "module:attribute" of one.
        image_shape: (height, width, channels) in pixels.
        num_classes: how many words it knows; None gives the backbone.
        weights: "imagenet", or the path of a file; see the top of this file.
        options: what else that builder takes.

    Raises:
        ConfigError: no such weights, or weights that do not fit; the message names the layer.
        ExportError: the `.keras` file is damaged or hostile.
    """
    make = partial(load(MODELS.path(name)), image_shape=image_shape)
    backbone, chosen = backbone_of(name, options)
    if Path(weights).is_file() and is_keras_archive(Path(weights)):
        source = load_network(Path(weights))
        if source.name == MODELS.name(MODELS.path(name)):
            return _with_own_weights(make, source, num_classes, Path(weights), options)
    maps = pretrained(backbone, image_shape=image_shape, num_classes=None, weights=weights, **chosen)
    return make(num_classes=num_classes, **{**options, "backbone": maps})


def _with_own_weights(
    make: Any, source: keras.Model, num_classes: int | None, file: Path, options: dict[str, Any]
) -> keras.Model:
    """The network of its own `.keras` file, with the layer "scaling" where that has one."""
    maps, in_front = make(num_classes=None, **options), scaling_of(source)
    if in_front is not None:
        maps = scaled(maps, in_front)
    knows = source.get_layer("logits").units
    # All layers, whatever is asked for: those of the file must be among them.
    whole = make(num_classes=num_classes or knows, **{**options, "backbone": maps})
    stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in source.layers if layer.weights}
    check_same_layers(whole, stored, file)
    left_out = () if num_classes in (knows, None) else OF_THE_WORDS
    load_layers([layer for layer in whole.layers if layer.weights and layer.name not in left_out], stored, file)
    check_settings(whole, source, file)
    return maps if num_classes is None else whole
