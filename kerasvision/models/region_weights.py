"""Two-stage detectors begin with a trained two-stage detector: which of its layers they take.

the same network            all layers
Fast R-CNN or Faster R-CNN, from a file of the other one     the backbone and the second stage

The layers with rows for each class (`OF_CLASSES`) are taken only if the file has the same classes in the same order: one
more row is that of background. All layers that are not taken begin freshly initialised.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasvision.config.keras_files import head_names
from kerasvision.models.layer_weights import Held, check_same_layers, check_settings, load_layers
from kerasvision.models.proposer import PREFIX
from kerasvision.models.scaling import scaled, scaling_of
from kerasvision.models.weight_files import Stored
from kerasvision.progress import say

# Network -> the networks from whose files it takes more than the backbone.
TAKES: Mapping[str, tuple[str, ...]] = {
    "rcnn": ("rcnn",),
    "fast_rcnn": ("fast_rcnn", "faster_rcnn"),
    "faster_rcnn": ("faster_rcnn", "fast_rcnn"),
    "faster_rcnn_fpn": ("faster_rcnn_fpn",),
    "rfcn": ("rfcn",),
}
OF_CLASSES = ("class_logits", "region_deltas")


def with_region_weights(
    make: Callable[..., keras.Model],
    source: keras.Model,
    num_classes: int | None,
    file: Path,
    options: Mapping[str, Any],
    *,
    classes: Sequence[str] | None,
) -> keras.Model:
    """A two-stage detector with the weights of another one, and with the layer "scaling" if the file has one.

    Args:
        make: makes the network, given `num_classes` and its options.
        source: the network of the file, one of `TAKES`.
        num_classes: how many classes it knows; None gives the backbone.
        file: the weights file.
        options: of the network.
        classes: the classes in the order of their numbers; None: they are the file's if their number is.

    Raises:
        ConfigError: the weights do not fit; the message names the layer.
    """
    maps, in_front = make(num_classes=None, **options), scaling_of(source)
    if in_front is not None:
        maps = scaled(maps, in_front)
    known = _classes_of(source)
    whole = make(num_classes=num_classes or known, **{**options, "backbone": maps})
    stored: dict[str, Sequence[Stored]]
    stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in _own_layers(source)}
    wanted = [layer for layer in _own_layers(whole) if layer.name in stored or source.name == whole.name]
    if source.name == whole.name:
        check_same_layers(whole, stored, file)
    is_same = num_classes in (known, None) if classes is None else head_names(file) == tuple(classes)
    load_layers([layer for layer in wanted if is_same or layer.name not in OF_CLASSES], stored, file)
    check_settings(whole, source, file)
    if num_classes is None:
        return maps
    what = "all layers" if source.name == whole.name else "the backbone and the second stage"
    say(f"{whole.name} begins with {what} of {file}" + ("" if is_same else "; its classes begin fresh"))
    return whole


def _own_layers(network: keras.Model) -> list[keras.Layer]:
    """The layers with weights, without those of a fixed proposer, which has a file of its own."""
    return [layer for layer in network.layers if layer.weights and not layer.name.startswith(PREFIX)]


def _classes_of(network: keras.Model) -> int:
    """How many classes a network has, without background."""
    return int(network.output["class_logits"].shape[-1]) - 1
