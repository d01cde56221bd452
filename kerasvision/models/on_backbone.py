"""Networks on a backbone that begin with trained weights: the backbone's, or their own.

    "imagenet", <file>.h5     weights of the backbone, as in `kerasvision.models.pretrained`
    <file>.keras              a network of ours with the same backbone and another head, for example a classifier or an
                              autoencoder; or the same network, whose classes or words are also loaded, each by its name.
                              What two-stage detectors take is in `kerasvision.models.region_weights`

All other weights begin freshly initialised. If no classes are given, the file's classes are loaded if their number is the
same.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import keras

from kerasvision.backbone_options import backbone_of
from kerasvision.config.keras_files import head_names
from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS, load
from kerasvision.models.heads import ClassAxes, by_name, repeated, say_fresh, say_head, shared_rows
from kerasvision.models.layer_weights import Held, check_same_layers, check_settings, load_layers
from kerasvision.models.pretrained import pretrained
from kerasvision.models.region_weights import TAKES, with_region_weights
from kerasvision.models.saved import load_network
from kerasvision.models.scaling import scaled, scaling_of
from kerasvision.models.weight_files import Stored, is_keras_archive


class Head(NamedTuple):
    """The part of a network whose size depends on the number of classes, or of words.

    Attributes:
        axes: each such layer, and the axes of its weights that have a row for each class. The last layer has a bias.
        noun: what the rows stand for.
        each: layer -> how many rows a class has in it, one for each anchor of a cell; 1 in a layer that is not there.
    """

    axes: ClassAxes
    noun: str = "classes"
    each: Mapping[str, int] = MappingProxyType({})

    def classes_of(self, network: keras.Model) -> int | None:
        """How many classes a network has; None if it lacks the head."""
        last = [*self.axes][-1]
        logits = next((layer for layer in network.layers if layer.name == last), None)
        return None if logits is None else logits.weights[-1].shape[0] // self.each.get(last, 1)


_DENSE: ClassAxes = {"class_logits": [(1,), (0,)]}
_CONVOLUTION: ClassAxes = {"class_logits": [(3,), (0,)]}
# A transposed convolution (height, width, channels out, channels in) enlarges the scores of all classes. The last layer is a
# 1x1 convolution, whose bias has one row for each class.
_SKIP_FCN: ClassAxes = {
    **{name: [(2, 3)] for name in ("logits", "score5_up", "score4_up")},
    **{name: [(3,), (0,)] for name in ("score3", "score4", "score5")},
}
_OF_PIXELS: ClassAxes = {name: [(3,), (0,)] for name in ("auxiliary_logits", "logits")}
# Its classes are the channels of the restored image.
_OF_CHANNELS: ClassAxes = {"restored": [(3,), (0,)]}
_OF_WORDS = Head({"decoder_words": [(0,)], "logits": [(1,), (0,)]}, noun="words")


def _anchors(network: keras.Model) -> Head:
    """The head of RetinaNet: each class has a row for each anchor of a cell, and each anchor has four deltas."""
    return Head(_CONVOLUTION, each={"class_logits": network.get_layer("deltas").filters // 4})


def _default_boxes(network: keras.Model) -> Head:
    """The head of an SSD: a convolution on each map has as many rows for each class as another has for the background."""
    boxes = {layer.name: layer.filters for layer in network.layers if layer.name.endswith("_background")}
    each = {name.replace("_background", "_class_logits"): count for name, count in boxes.items()}
    return Head({name: [(3,), (0,)] for name in each}, each=each)


def _cells(network: keras.Model) -> Head:
    """The head of YOLO: a convolution, or a dense layer that has a row of each class for each cell."""
    layer = next(layer for layer in network.layers if layer.name == "class_scores")
    if isinstance(layer, keras.layers.Conv2D):
        return Head({layer.name: [(3,), (0,)]})
    height, width, _ = network.get_layer(f"{layer.name}_map").target_shape
    return Head({layer.name: [(1,), (0,)]}, each={layer.name: height * width})


HEADS: Mapping[str, Head | Callable[[keras.Model], Head]] = {
    "show_and_tell": _OF_WORDS,
    "show_attend_tell": _OF_WORDS,
    "localizer": Head(_DENSE),
    "autoencoder": Head(_OF_CHANNELS, noun="channels"),
    "fcos": Head(_CONVOLUTION),
    "retinanet": _anchors,
    "ssd300": _default_boxes,
    "ssd": _default_boxes,
    "yolo": _cells,
    **{name: Head(_SKIP_FCN) for name in ("fcn32s", "fcn16s", "fcn8s")},
    **{name: Head(_OF_PIXELS) for name in ("fcn", "deeplab_v3")},
}


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
        num_classes: how many classes or words it knows; None gives the backbone.
        weights: "imagenet", or the path of a file; see the top of this file.
        classes: the classes or words in the order of their numbers.
        options: the builder's other options.

    Returns:
        Model of the builder.

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
        if source.name == MODELS.name(MODELS.path(name)) and source.name in HEADS:
            return _with_own_weights(make, source, num_classes, Path(weights), options, classes=classes)
        if source.name in TAKES.get(MODELS.name(MODELS.path(name)), ()):
            return with_region_weights(make, source, num_classes, Path(weights), options, classes=classes)
    maps = pretrained(backbone, image_shape=image_shape, num_classes=None, weights=weights, **chosen)
    return make(num_classes=num_classes, **{**options, "backbone": maps})


def _with_own_weights(
    make: Any,
    source: keras.Model,
    num_classes: int | None,
    file: Path,
    options: dict[str, Any],
    *,
    classes: Sequence[str] | None,
) -> keras.Model:
    """The network of its own `.keras` file, with the layer "scaling" if the file has one."""
    maps, in_front = make(num_classes=None, **options), scaling_of(source)
    if in_front is not None:
        maps = scaled(maps, in_front)
    found = HEADS[source.name]
    head = found if isinstance(found, Head) else found(source)
    knows = head.classes_of(source)
    # With all layers, even if only the backbone is wanted: the file's layers must be among them.
    whole = make(num_classes=num_classes or knows or 1, **{**options, "backbone": maps})
    stored: dict[str, Sequence[Stored]]
    stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in source.layers if layer.weights}
    check_same_layers(whole, stored, file)
    if classes is None or knows is None:
        left_out: Sequence[str] = () if num_classes in (knows, None) else tuple(head.axes)
    else:
        stored, left_out = _classes_by_name(whole, stored, file, head=head, classes=classes)
    load_layers([layer for layer in whole.layers if layer.weights and layer.name not in left_out], stored, file)
    check_settings(whole, source, file)
    return maps if num_classes is None else whole


def _classes_by_name(
    whole: keras.Model, stored: Mapping[str, Sequence[Stored]], file: Path, *, head: Head, classes: Sequence[str]
) -> tuple[dict[str, Sequence[Stored]], Sequence[str]]:
    """The weights with the rows in the order of these classes, and the layers that begin fresh. Prints a line about it."""
    theirs = head_names(file)
    if theirs is None:
        say_fresh(file, f"does not name its {head.noun}")
        return dict(stored), tuple(head.axes)
    rows = shared_rows(classes, theirs)
    taken = dict(stored)
    for name, axes in head.axes.items():
        each = head.each.get(name, 1)
        every = repeated(rows, ours=len(classes), theirs=len(theirs), each=each)
        taken |= by_name(whole, {name: stored[name]}, file, axes={name: axes}, rows=every, count=len(theirs), each=each)
    say_head(classes, rows, file, noun=head.noun)
    return taken, ()
