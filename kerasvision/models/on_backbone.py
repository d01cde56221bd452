"""Networks on a backbone that begin with trained weights: the backbone's, or their own. So far these are captioners.

    "imagenet", <file>.h5     weights of the backbone, as in `kerasvision.models.pretrained`
    <file>.keras              a network of ours with the same backbone and another head, for example a classifier; or the
                              same network, whose words are also loaded, each by its name

All other weights begin freshly initialised. If no words are given, the file's words are loaded if their number is the same.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from kerasvision.config.keras_files import head_names
from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS, backbone_of, load
from kerasvision.models.heads import by_name, say_fresh, say_head, shared_rows
from kerasvision.models.pretrained import Held, check_same_layers, check_settings, load_layers, pretrained
from kerasvision.models.saved import load_network
from kerasvision.models.scaling import scaled, scaling_of
from kerasvision.models.weight_files import Stored, is_keras_archive

# The layers whose size is the number of words, and the axes of their weights that have this length.
OF_THE_WORDS: dict[str, list[tuple[int, ...]]] = {"decoder_words": [(0,)], "logits": [(1,), (0,)]}


def pretrained_on_backbone(
    name: str,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    weights: str,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> keras.Model:
    """The network of that name with trained weights.

    Args:
        name: a name of `kerasvision.lookup.MODELS` whose builder takes a `backbone`, or "module:attribute" of one.
        image_shape: (height, width, channels) in pixels.
        num_classes: how many words it knows; None gives the backbone.
        weights: "imagenet", or the path of a file; see the top of this file.
        classes: the words in the order of their numbers.
        options: the builder's other options.

    Returns:
        Model of the builder; see `kerasvision.models.captioner`.

    Raises:
        ConfigError: the weights do not exist or do not fit; the message names the layer.
        ExportError: the `.keras` file is damaged or hostile.
    """
    make = partial(load(MODELS.path(name)), image_shape=image_shape)
    found = backbone_of(name, options)
    if found is None:
        raise ConfigError("weights for a backbone require a network with a backbone", received=name)
    backbone, chosen = found
    if Path(weights).exists() and is_keras_archive(Path(weights)):
        source = load_network(Path(weights))
        if source.name == MODELS.name(MODELS.path(name)):
            return _with_own_weights(make, source, num_classes, Path(weights), options, words=classes)
    maps = pretrained(backbone, image_shape=image_shape, num_classes=None, weights=weights, **chosen)
    return make(num_classes=num_classes, **{**options, "backbone": maps})


def _with_own_weights(
    make: Any,
    source: keras.Model,
    num_classes: int | None,
    file: Path,
    options: dict[str, Any],
    *,
    words: Sequence[str] | None,
) -> keras.Model:
    """The network of its own `.keras` file, with the layer "scaling" if the file has one."""
    maps, in_front = make(num_classes=None, **options), scaling_of(source)
    if in_front is not None:
        maps = scaled(maps, in_front)
    knows = source.get_layer("logits").units
    # With all layers, even if only the backbone is wanted: the file's layers must be among them.
    whole = make(num_classes=num_classes or knows, **{**options, "backbone": maps})
    stored: dict[str, Sequence[Stored]]
    stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in source.layers if layer.weights}
    check_same_layers(whole, stored, file)
    if words is None:
        left_out: Sequence[str] = () if num_classes in (knows, None) else tuple(OF_THE_WORDS)
    else:
        stored, left_out = _words_by_name(whole, stored, file, words=words)
    load_layers([layer for layer in whole.layers if layer.weights and layer.name not in left_out], stored, file)
    check_settings(whole, source, file)
    return maps if num_classes is None else whole


def _words_by_name(
    whole: keras.Model, stored: Mapping[str, Sequence[Stored]], file: Path, *, words: Sequence[str]
) -> tuple[dict[str, Sequence[Stored]], Sequence[str]]:
    """The weights with the rows in the order of these words, and the layers that begin fresh. Prints a line about it."""
    theirs = head_names(file)
    if theirs is None:
        say_fresh(file, "does not name its words")
        return dict(stored), tuple(OF_THE_WORDS)
    rows = shared_rows(words, theirs)
    taken = by_name(whole, stored, file, axes=OF_THE_WORDS, rows=rows, count=len(theirs))
    say_head(words, rows, file, noun="words")
    return taken, ()
