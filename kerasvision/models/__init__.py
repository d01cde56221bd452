"""Networks by name: `build("resnet18", image_shape=(224, 224, 3), num_classes=10)` returns a Keras model that gives logits.

A builder is a plain function over Keras layers, one file per family. Its docstring states its size. This module imports a
builder, and with it Keras, only when a network is built: pipeline files are planned without Keras.

>>> build("lenet5", image_shape=(28, 28, 1), num_classes=10).output_shape
(None, 10)
>>> sorted(build("resnet20", image_shape=(32, 32, 3), num_classes=None).output)
['c0', 'c1', 'c2']
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kerasvision.backbone_options import backbone_of
from kerasvision.config.keras_settings import check_image_layout
from kerasvision.errors import ConfigError
from kerasvision.introspection import keywords
from kerasvision.lookup import MODELS, did_you_mean, load
from kerasvision.models.figures import AnyShape
from kerasvision.models.least_side import check_least_side
from kerasvision.models.table import find

if TYPE_CHECKING:
    import keras

# Family -> why its images must have one size, if it flattens no map.
_ONE_SIZE = {
    **dict.fromkeys(("ssd", "yolo"), "answers with shares of the image"),
    **dict.fromkeys(("fast_rcnn", "faster_rcnn", "rfcn"), "chooses regions of the image"),
}
_CHANNELS = {1: "grey", 3: "RGB", 4: "RGB and opacity"}


def build(
    name: str,
    *,
    image_shape: AnyShape,
    num_classes: int | None,
    weights: str | None = None,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> "keras.Model":
    """The network of that name, freshly initialised or with trained weights.

    Args:
        name: a name of `kerasvision.lookup.MODELS`, or "module:attribute" of a builder with the same keywords.
        image_shape: (height, width, channels) in pixels; 1, 3 or 4 channels. (None, None, channels) gives a network for
            images of any size, where no layer of it requires one size.
        num_classes: how many logits; None gives the backbone instead, a model from an image to its feature maps
            {"c2": ..., "c3": ...}, where level l has stride 2**l.
        weights: "imagenet", or the path of a file of weights; see `kerasvision.models.pretrained`. None for a network
            without trained weights.
        classes: the names of the classes in the order of their numbers. With names, the rows of a trained head are loaded
            by name. Without names, a head for the same number of classes is loaded as it is.
        options: the builder's other options; see its docstring.

    Returns:
        Model from float32 (N, height, width, channels) to logits float32 (N, num_classes), or to the feature maps.

    Raises:
        ConfigError: an unknown name or option, a shape or number of classes that the network cannot have, or weights that
            do not exist or do not fit.

    >>> build("lenet5", image_shape=(28, 28, 1), num_classes=10, poling="max")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: lenet5 has no option 'poling'; did you mean 'pooling'?
    """
    path = MODELS.path(name)
    name = MODELS.name(path)
    _check_num_classes(num_classes, classes)
    _check_options(name, path, options)
    on_backbone = backbone_of(name, options)
    _check_image_shape(image_shape)
    check_least_side(name, image_shape[:2], options=options)
    if None in image_shape and num_classes is not None:
        _check_any_size(name)
    check_image_layout()
    if weights is None:
        return _checked(name, load(path)(image_shape=tuple(image_shape), num_classes=num_classes, **options))
    module = "on_backbone:pretrained_on_backbone" if on_backbone else "pretrained:pretrained"
    pretrained = load(f"kerasvision.models.{module}")
    return pretrained(
        name, image_shape=tuple(image_shape), num_classes=num_classes, weights=weights, classes=classes, **options
    )


def fully_convolutional(model: "keras.Model") -> "keras.Model":
    """A classifier as a network that gives images of any size a map of logits; see `kerasvision.models.converting`."""
    converted: keras.Model = load("kerasvision.models.converting:fully_convolutional")(model)
    return converted


def _checked(name: str, network: Any) -> "keras.Model":
    """What a builder returned, which must be a network."""
    import keras

    if not isinstance(network, keras.Model):
        raise ConfigError(f"{name} must return a keras.Model", received=type(network).__name__)
    return network


def _check_image_shape(image_shape: AnyShape) -> None:
    is_known = len(image_shape) == 3 and all(type(size) is int and size > 0 for size in image_shape)
    if not is_known and (len(image_shape) != 3 or tuple(image_shape[:2]) != (None, None)):
        raise ConfigError(
            "image_shape must be three positive integers: height, width, channels",
            received=image_shape,
            hint="for images of any size, set height and width to None",
        )
    channels = image_shape[2]
    if channels not in _CHANNELS:
        known = ", ".join(f"{count} ({meaning})" for count, meaning in _CHANNELS.items())
        raise ConfigError(f"the channels of image_shape must be one of {known}", received=image_shape)


def _check_any_size(name: str) -> None:
    row = find(name)
    if row and row.flattens:
        reason = _ONE_SIZE.get(row.family)
        other = "" if reason else ", or choose a network that ends in global pooling, such as resnet18"
        raise ConfigError(
            f"{name} {reason or 'flattens its last map'}, so all its images must have one size",
            hint=f"give height and width{other}",
        )


def _check_num_classes(num_classes: int | None, classes: Sequence[str] | None) -> None:
    if classes is not None and len(classes) != num_classes:
        raise ConfigError("classes must be num_classes names", received=f"{len(classes)} names, num_classes={num_classes}")
    if num_classes is not None and (type(num_classes) is not int or num_classes < 1):
        raise ConfigError("num_classes must be a positive integer, or None for the backbone", received=num_classes)


def _check_options(name: str, path: str, options: dict[str, Any]) -> None:
    accepted = keywords(path)
    if accepted is None:
        return
    accepted -= {"image_shape", "num_classes"}
    for option in options:
        if option not in accepted:
            raise ConfigError(f"{name} has no option {option!r}; {did_you_mean(option, accepted)}")
