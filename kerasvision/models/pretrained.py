"""Networks that begin with trained weights: published ones for ImageNet, or your own.

    "imagenet"             the weights that keras.applications, or an installed package, has for that network
    <file>.h5              the layout of keras.applications: a network from there, saved by `model.save("name.h5")`
    <file>.weights.h5      of a network of keras.applications ("keras/..."), saved by `model.save_weights`
    <file>.safetensors     a ResNet, VGG, DenseNet or EfficientNet-Lite of torchvision or timm, in PyTorch's layout
    <file>.pth, <file>.pt  the same, written by `torch.save(model.state_dict(), "name.pth")`
    <file>.keras           the same network of ours, or one that was built on it (an autoencoder, a detector), saved by our
                           trainer

A network of keras.applications takes from such files everything but the head.

With a `.keras` file, the network takes what the saved network took, and it begins with a layer "scaling" if the saved
network does. With the others it takes RGB images in [0, 1], and it begins with a layer "scaling".

The head is everything after the last level's map. If the names of the classes are given, its rows are loaded by name (see
`kerasvision.models.heads`): a `.keras` file of ours names its classes, and the published files are for those of ImageNet.
From a file without names, no head is loaded. If no names are given, the head is loaded if it has the same number of classes.
From a network that was built on this one, the layers up to its last map are loaded.
All other weights begin freshly initialised.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasvision.config.fitting_weights import check_kind
from kerasvision.config.keras_files import head_names
from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.config.published import IMAGENET, IMAGENET_CLASSES, PACKAGED, PUBLISHED, are_imagenet, origin_of
from kerasvision.config.tensor_files import is_tensor_file, tensors_in
from kerasvision.config.torch_names import family_of
from kerasvision.errors import ConfigError
from kerasvision.introspection import keywords
from kerasvision.lookup import MODELS, load
from kerasvision.models.fetch import published_file
from kerasvision.models.heads import by_name, can_take, class_axes, say_fresh, say_head, shared_rows
from kerasvision.models.keras_layers import our_names
from kerasvision.models.keras_weights import our_layers as our_layers_of_keras
from kerasvision.models.layer_weights import OPTIONS, Held, check_same_layers, check_settings, load_layers
from kerasvision.models.saved import load_network
from kerasvision.models.scaling import Pixels, scaled, scaling, scaling_of
from kerasvision.models.torch_layers import our_layers
from kerasvision.models.weight_files import Layers, Stored, is_keras_archive, open_layers
from kerasvision.progress import say

# The settings of a layer that the option `output_stride` changes.
_SPACING = ("strides", "padding", "dilation_rate")
# The layer with a row for each class.
_HEAD = "logits"

# Makes the network, given `num_classes`.
Make = Callable[..., keras.Model]


def pretrained(
    name: str,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    weights: str,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> keras.Model:
    """The network of that name with trained weights.

    Weights of keras.applications set `layout="keras"` if the builder has layouts, and weights of PyTorch "torchvision".

    Args:
        name: a name of `kerasvision.lookup.MODELS`, or "module:attribute" of a builder.
        image_shape: (height, width, channels) in pixels; 3 channels, except for a `.keras` file.
        num_classes: how many logits; None gives the backbone.
        weights: "imagenet", or the path of a file; see the top of this file.
        classes: the names of the classes in the order of their numbers; None if they have no names.
        options: the builder's other options.

    Returns:
        Model from float32 (N, height, width, channels) to logits float32 (N, num_classes), or to the feature maps.

    Raises:
        ConfigError: the weights do not exist or do not fit; the message names the layer.
        ExportError: the `.keras` file is damaged or hostile.
    """
    path = MODELS.path(name)
    if weights == IMAGENET:
        file = published_file(name, with_head=num_classes == IMAGENET_CLASSES and (classes is None or are_imagenet(classes)))
    else:
        file = Path(weights)
    if not file.exists():
        raise ConfigError(f"there is no weights file {file} (looked in {Path.cwd()})", hint=f"or set weights={IMAGENET!r}")
    if is_keras_archive(file) and not is_tensor_file(file):
        make = partial(load(path), image_shape=image_shape, **options)
        return _with_own_weights(make, num_classes, file, classes=classes)
    check_kind(name, file)
    _check_images(image_shape)
    make = partial(load(path), image_shape=image_shape, **options_with(weights, name=name, options=options))
    if weights == IMAGENET:
        say(f"{name} begins with the weights of {origin_of(name)}")
    if name in KERAS_NETWORKS:
        return _with_weights_of_applications(name, make(num_classes=num_classes), file, options)
    if weights == IMAGENET and name in PACKAGED:
        return _with_torch_weights(name, make, num_classes, file, names_fit=classes is None or are_imagenet(classes))
    if is_tensor_file(file):
        if classes is not None:
            say_fresh(file, "does not name its classes")
        return _with_torch_weights(name, make, num_classes, file, names_fit=classes is None)
    # The published file with the head is used only if these are its classes.
    names_fit = classes is None or weights == IMAGENET
    return _with_keras_weights(name, make, num_classes, file, names_fit=names_fit)


def options_with(weights: str, *, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The builder's options for these weights: those of keras.applications and PyTorch add their `layout`.

    Raises:
        ConfigError: another layout was chosen.

    >>> options_with("imagenet", name="resnet50_v2", options={"dropout": 0.1})
    {'dropout': 0.1, 'layout': 'keras'}
    """
    is_torch = weights != IMAGENET and is_tensor_file(Path(weights))
    is_own = weights != IMAGENET and not is_torch and is_keras_archive(Path(weights))
    if is_own or "layout" not in (keywords(MODELS.path(name)) or ()):
        return dict(options)
    layout, whose = ("torchvision", "torchvision and timm") if is_torch else ("keras", "keras.applications")
    if options.get("layout", layout) != layout:
        raise ConfigError(
            f"weights of {whose} require layout={layout!r}",
            received=options["layout"],
            hint="leave layout out: these weights set it",
        )
    return {**options, "layout": layout}


def _with_keras_weights(name: str, make: Make, num_classes: int | None, file: Path, *, names_fit: bool) -> keras.Model:
    """The network of a file in the layout of keras.applications, with the layer "scaling" for its images."""
    with open_layers(file) as layers:
        _check_network(name, layers, file)
        ours = our_names(name, layers)
        stored: dict[str, Sequence[Stored]] = {ours[theirs]: arrays for theirs, arrays in layers.items()}
        classes = stored["logits"][0].shape[-1] if "logits" in stored else None
        model = scaled(make(num_classes=num_classes), scaling(PUBLISHED[name].pixels))
        receivers = _receivers(model, make, stored, same_head=classes == num_classes and names_fit)
        if not names_fit and classes is not None:
            say_fresh(file, "does not name its classes")
        load_layers(receivers, _folded(receivers, stored), file)
    if PUBLISHED[name].pixels == "caffe":
        _turn_colours(receivers[0])
    return model


def _with_weights_of_applications(name: str, network: keras.Model, file: Path, options: Mapping[str, Any]) -> keras.Model:
    """A network of keras.applications with all weights but the head's, and the layer "scaling" for its images."""
    pixels = KERAS_NETWORKS[name].family.pixels
    model = scaled(network, scaling(pixels))
    receivers = [layer for layer in model.layers if layer.weights and layer.name != _HEAD]
    with our_layers_of_keras(name, file, options) as stored:
        load_layers(receivers, stored, file)
    if pixels == "caffe":
        _turn_colours(receivers[0])
    return model


# A layer that efficientnet-lite-pytorch calls `_conv_stem`.
_ONLY_TIMM = "conv_stem.weight"


def _with_torch_weights(name: str, make: Make, num_classes: int | None, file: Path, *, names_fit: bool) -> keras.Model:
    """The network of a file of PyTorch weights, with the layer "scaling" for its images."""
    family = str(family_of(name))
    pixels: Pixels = "edge" if family == "efficientnet_lite" else "imagenet"
    model = scaled(make(num_classes=num_classes), scaling(pixels))
    whole = model if num_classes else make(num_classes=1)
    tensors = tensors_in(file)
    stored = our_layers(whole, family, tensors, file)
    if family == "efficientnet_lite" and _ONLY_TIMM in tensors:
        # timm has two networks whose layers are named alike. Nothing in the file says which of them it is of.
        say(
            f"{file} has timm's names. It is read as timm's tf_{name}; timm's {name} pads and scales images differently, so "
            "its weights would give wrong answers here"
        )
    classes = stored["logits"][-1].shape[0] if "logits" in stored else None
    load_layers(_receivers(model, make, stored, same_head=classes == num_classes and names_fit), stored, file)
    return model


def _with_own_weights(
    make: "partial[keras.Model]", num_classes: int | None, file: Path, *, classes: Sequence[str] | None
) -> keras.Model:
    """The network of a `.keras` file, with the layer "scaling" if the file has one."""
    source, model = load_network(file), make(num_classes=num_classes)
    in_front = scaling_of(source)
    if in_front is not None:
        model = scaled(model, in_front)
    if source.name != model.name:
        return _with_backbone_of(source, model, make, file, has_head=num_classes is not None)
    stored: dict[str, Sequence[Stored]]
    stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in source.layers if layer.weights}
    check_same_layers(model if num_classes else make(num_classes=1), stored, file)
    if num_classes is None or classes is None:
        takes_head = isinstance(source.output_shape, tuple) and source.output_shape[-1] == num_classes
    else:
        stored, takes_head = _head_by_name(model, make, stored, file, classes=classes)
    load_layers(_receivers(model, make, stored, same_head=takes_head), stored, file)
    # With an output stride, the network leaves out strides that the file's network has; its weights fit all the same.
    check_settings(model, source, file, but=_SPACING if make.keywords.get("output_stride") else ())
    return model


def _with_backbone_of(
    source: keras.Model, model: keras.Model, make: "partial[keras.Model]", file: Path, *, has_head: bool
) -> keras.Model:
    """The network whose layers up to its last map are those of a network that was built on it."""
    backbone = make(num_classes=None)
    wanted = [layer.name for layer in backbone.layers if layer.weights]
    if source.name not in MODELS or "backbone" not in (keywords(MODELS.path(source.name)) or ()):
        raise ConfigError(f"the weights file {file} contains {source.name}, not {model.name}")
    inner = _up_to_last_map(source, backbone)
    stored: dict[str, Sequence[Stored]] = {}
    if inner is not None:
        stored = {layer.name: [Held(weight) for weight in layer.weights] for layer in inner.layers if layer.weights}
    if inner is None or stored.keys() != {*wanted}:
        raise ConfigError(
            f"the weights file {file} contains {source.name} on another backbone than {model.name}, or on one with other "
            "options",
            hint=OPTIONS,
        )
    load_layers([layer for layer in model.layers if layer.name in stored], stored, file)
    check_settings(model, inner, file, but=_SPACING if make.keywords.get("output_stride") else ())
    say(
        f"{model.name} begins with the backbone of {source.name} in {file}" + ("; the head begins fresh" if has_head else "")
    )
    return model


def _up_to_last_map(source: keras.Model, backbone: keras.Model) -> keras.Model | None:
    """The part of a network that makes the backbone's last map; None if no layer of it has the name of the one that does."""
    last = max(backbone.output, key=lambda level: int(level.removeprefix("c")))
    maker = next(layer.name for layer in backbone.layers if layer.output is backbone.output[last])
    found = next((layer for layer in source.layers if layer.name == maker), None)
    return None if found is None else keras.Model(source.inputs[0], found.output)


def _head_by_name(
    model: keras.Model, make: Make, stored: Mapping[str, Sequence[Stored]], file: Path, *, classes: Sequence[str]
) -> tuple[dict[str, Sequence[Stored]], bool]:
    """The weights with the head's rows in the order of these classes, and whether there are any. Prints a line about it."""
    theirs = head_names(file)
    if theirs is None:
        say_fresh(file, "does not name its classes")
        return dict(stored), False
    rows = shared_rows(classes, theirs)
    if not rows:
        say_head(classes, rows, file)
        return dict(stored), False
    if tuple(theirs) == tuple(classes):
        say_head(classes, rows, file)
        return dict(stored), True
    axes = class_axes(model, make, num_classes=len(classes))
    if not can_take(model, axes, names=classes, stored_names=theirs):
        say_fresh(file, f"is for other classes, and not only the last layer of {model.name} depends on them")
        return dict(stored), False
    taken = by_name(model, stored, file, axes=axes, rows=rows, count=len(theirs))
    say_head(classes, rows, file)
    return taken, True


def _receivers(model: keras.Model, make: Make, stored: Mapping[str, Any], *, same_head: bool) -> list[keras.Layer]:
    """The layers to load: the whole backbone and, if the head is the same, those layers of the head that the file has."""
    layers = [layer for layer in model.layers if layer.weights]
    if same_head and all(layer.name in stored for layer in layers):
        return layers
    in_backbone = [layer for layer in make(num_classes=None).layers if layer.weights]
    names = {layer.name for layer in layers}
    unnamed = next((layer.name for layer in in_backbone if layer.name not in names and _is_numbered_by_keras(layer)), None)
    if unnamed is not None:
        raise ConfigError(
            f"weights are matched to layers by name, and {model.name} must name each of them; {unnamed!r} of its backbone "
            "has another name in the whole network",
            hint="give every layer of the network a name of its own: Conv2D(8, 3, name='conv1')",
        )
    backbone = {layer.name for layer in in_backbone}
    return [layer for layer in layers if layer.name in backbone or (same_head and layer.name in stored)]


def _is_numbered_by_keras(layer: keras.Layer) -> bool:
    """Whether Keras named the layer: "batch_normalization_3" for a BatchNormalization.

    >>> _is_numbered_by_keras(keras.layers.BatchNormalization()), _is_numbered_by_keras(keras.layers.Dense(2, name="logits"))
    (True, False)
    """
    return re.sub(r"_\d+$", "", layer.name).replace("_", "") == type(layer).__name__.lower()


class _LessBias:
    """The moving mean of a norm without the bias of the convolution before it, which has no bias here."""

    def __init__(self, mean: Stored, bias: Stored) -> None:
        self._mean, self._bias = mean, bias
        self.shape = mean.shape

    def read(self) -> np.ndarray:
        array: np.ndarray = self._mean.read() - self._bias.read()
        return array


def _folded(receivers: Iterable[keras.Layer], stored: Mapping[str, Sequence[Stored]]) -> dict[str, Sequence[Stored]]:
    """Moves a bias that our convolution lacks into the norm after it: norm(x + bias) is norm(x) with another mean."""
    folded = dict(stored)
    for layer in receivers:
        norm = layer.name.replace("conv", "norm")
        if isinstance(layer, keras.layers.Conv2D) and not layer.use_bias and {layer.name, norm} <= stored.keys():
            kernel, *bias = stored[layer.name]
            *others, mean, variance = stored[norm]
            if bias and mean.shape == bias[0].shape:
                folded |= {layer.name: [kernel], norm: [*others, _LessBias(mean, bias[0]), variance]}
    return folded


def _turn_colours(first: keras.Layer) -> None:
    """From BGR to RGB: reverses the first convolution's kernels (height, width, channels in, channels out) along axis 2."""
    kernel, *bias = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *bias])


def _check_images(image_shape: tuple[int, int, int]) -> None:
    if image_shape[-1] != 3:
        raise ConfigError(
            "weights of other libraries are for RGB images", received=image_shape, hint="set image_shape to 3 channels"
        )


def _check_network(name: str, layers: Layers, file: Path) -> None:
    """Checks the number of convolutions and norms, which differs between the networks."""
    count = sum(len(arrays[0].shape) != 2 for arrays in layers.values())
    if count != PUBLISHED[name].layers:
        of = next((f"contains {other}" for other, row in PUBLISHED.items() if row.layers == count), "contains a network")
        raise ConfigError(
            f"the weights file {file} {of}, not {name}: "
            f"it has {count} convolutions and norms instead of {PUBLISHED[name].layers}"
        )
