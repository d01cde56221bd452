"""Transfer learning as in cs231n (https://cs231n.github.io/transfer-learning/), on a network with weights.

    freeze="backbone"                     the backbone is frozen; the layers after its last map learn
    freeze="backbone", features="once"    the same, but the backbone runs once per image and its maps are kept
    freeze="c3"                           fine-tuning: everything up to the map of level c3 is frozen

A frozen layer keeps every weight, and its batch normalisation uses the moving statistics without updating them. With
features="once" the maps replace the images in the same order and the same batches, so the final weights are the same up
to rounding.

The maps have the precision of the training. In bfloat16 they take about half of the time. The network that is evaluated and
served is float32: it computes maps that differ by the rounding of bfloat16 from those that its head has learned from.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import introspection, lookup, models
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.inputs import InputTransform, SplitExamples
from kerasvision.data.feeding.padding import largest_shapes, padded_batches
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.splits import TRAIN, VALIDATION
from kerasvision.data.tensors import Tensors
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.models.pretrained import options_with
from kerasvision.ops.folding import inference
from kerasvision.progress import bar

# The frozen part takes at least this many images at a time: with fewer, each takes more processor time.
LEAST_ROWS = 32


def part_to_train(
    network: keras.Model, *, settings: TrainerSettings, examples: ExampleSet, transform: ImageTransform
) -> tuple[keras.Model, SplitExamples, InputTransform]:
    """The model to train, its examples and their transform: the network on the images, or its head on kept maps.

    The head shares its layers with the network, so training the head trains the network.

    Args:
        network: with its initial weights; its frozen layers are not trainable afterwards.
        settings: which part is frozen, and how often it runs.
        examples: the images.
        transform: turns encoded images into the network's input.

    Raises:
        ConfigError: the network has no such level, the maps do not fit into the memory budget, or the network also uses
            earlier maps than the one that is kept. All are found before the frozen part runs.
    """
    training = settings.training
    if training.freeze is None:
        return network, examples, transform
    image_shape = transform.settings.image_shape
    frozen = freeze(network, model=settings.model, level=training.freeze, image_shape=image_shape)
    if training.features == "each_step":
        return network, examples, transform
    # Before the maps, which may take hours: not every network has such a head.
    head = _head(network, frozen, level=training.freeze)
    known = ReadExamples(examples, settings.reads)
    maps = FeatureMaps(frozen, examples=known, transform=transform, training=training)
    return head, maps, Unchanged(frozen.output.shape[1:])


def freeze(network: keras.Model, *, model: c.Model, level: str, image_shape: tuple[int, int, int]) -> keras.Model:
    """Freezes the layer that makes the map of a level, and every layer that it depends on.

    Args:
        network: built from `model`, with a head.
        model: defines the network's levels.
        level: for example "c3", or "backbone" for the last level.
        image_shape: (height, width, channels) in pixels.

    Returns:
        Model of the frozen layers, from the image to the map.

    Raises:
        ConfigError: the network has no such level.
    """
    layers = {layer.name for layer in network.layers}
    # A network may continue from an inner level, and leave out the later ones.
    makers = {name: maker for name, maker in map_makers(model, image_shape=image_shape).items() if maker in layers}
    if level not in {*makers, "backbone"}:
        raise ConfigError(f"{model.name} has no level {level!r}; {lookup.did_you_mean(level, [*makers, 'backbone'])}")
    last = max(makers, key=lambda name: int(name.removeprefix("c")))
    maker = makers[last if level == "backbone" else level]
    frozen = keras.Model(network.inputs[0], network.get_layer(maker).output, name=f"{network.name}_frozen")
    frozen.trainable = False
    return frozen


def map_makers(model: c.Model, *, image_shape: tuple[int, int, int]) -> dict[str, str]:
    """Level -> the layer that makes its map. The layer has the same name in the backbone and in the network.

    >>> map_makers(c.Model(name="lenet5"), image_shape=(28, 28, 1))
    {'c1': 'pool1', 'c2': 'pool2'}
    """
    model = model.backbone
    # Weights may determine the layout, and with it the levels.
    options = model.options if model.weights is None else options_with(model.weights, name=model.name, options=model.options)
    backbone = models.build(model.name, image_shape=image_shape, num_classes=None, **options)
    return {
        level: next(layer.name for layer in backbone.layers if layer.output is feature_map)
        for level, feature_map in backbone.output.items()
    }


def without_auxiliary_heads(model: c.Model) -> c.Model:
    """The network without auxiliary heads on its inner maps, unless its options set them: frozen layers cannot learn from
    them."""
    known = introspection.keywords(lookup.MODELS.path(model.name)) or ()
    if "auxiliary_heads" not in known or "auxiliary_heads" in model.options:
        return model
    return with_value(model, "options.auxiliary_heads", False)


class FeatureMaps:
    """The maps of all training and validation images, in memory, as SplitExamples to make batches from.

    Args:
        frozen: from images to maps; it runs in inference mode, without dropout.
        examples: the images; of their other parts, those that are read.
        transform: turns encoded images into the network's input.
        training: memory budget and batch size.

    Raises:
        ConfigError: the maps are larger than the memory budget.
    """

    def __init__(
        self, frozen: keras.Model, *, examples: SplitExamples, transform: ImageTransform, training: c.Training
    ) -> None:
        counts = {split: examples.count(split) for split in (TRAIN, VALIDATION)}
        _check_memory(frozen, count=sum(counts.values()), training=training)
        self._classes, self._object_classes = examples.classes, examples.object_classes
        self._rows: dict[str, Any] = {}
        self.cached: dict[tuple[Hashable, ...], Any] = {}
        run = inference(frozen)
        with bar("features", total=sum(counts.values())) as advance:
            for split, count in ((split, count) for split, count in counts.items() if count):
                encoded = examples.dataset(split)
                images = encoded.map(partial(_network_input, transform), num_parallel_calls=tf.data.AUTOTUNE)
                rows = max(LEAST_ROWS, training.batch_size)
                batches = padded_batches(images, batch_size=rows, shapes=largest_shapes(encoded), drop_remainder=False)
                # The next batch is decoded while this one goes through the network.
                self._rows[split] = _with_maps(run, batches.prefetch(1), count=count, advance=advance)

    def count(self, split: str) -> int:
        """Number of examples in a split; 0 for a split that does not exist."""
        return len(self._rows[split]["id"]) if split in self._rows else 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the examples."""
        return self._classes

    @property
    def object_classes(self) -> tuple[str, ...]:
        """The class names of the objects; empty if these are not read."""
        return self._object_classes

    def encoded_bytes(self, split: str) -> int:
        """Size of a split's rows in bytes; 0 for a split that does not exist."""
        return sum(rows.nbytes for rows in tf.nest.flatten(self._rows.get(split, {})))

    def dataset(self, split: str) -> tf.data.Dataset:
        """As ExampleSet's, but "image" is the map (H, W, C), in the training's precision. Texts and objects are padded."""
        return tf.data.Dataset.from_tensor_slices(self._rows[split])


@dataclass(frozen=True)
class Unchanged:
    """The InputTransform of maps: it changes nothing."""

    image_shape: tuple[int, int, int]

    @property
    def settings(self) -> "Unchanged":
        """This object: its `image_shape` is the shape of the maps."""
        return self

    def prepared(self, example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The example itself, whose "image" is the map, float32 or bfloat16 (H, W, C)."""
        return example

    def scaled(self, feature_map: tf.Tensor) -> tf.Tensor:
        """The map itself, float32 or bfloat16 (..., H, W, C)."""
        return feature_map


def _head(network: keras.Model, frozen: keras.Model, *, level: str) -> keras.Model:
    """From the frozen part's map to the network's output, with the same layers."""
    try:
        # A network may have more inputs than the image.
        return keras.Model([frozen.output, *network.inputs[1:]], network.output, name=f"{network.name}_head")
    except ValueError as error:
        raise ConfigError(
            f"features='once' keeps only the map of {level}, but {network.name} also uses earlier maps",
            hint="set features='each_step', or remove the heads on earlier maps",
        ) from error


def _check_memory(frozen: keras.Model, *, count: int, training: c.Training) -> None:
    shape = frozen.output.shape[1:]
    needed_gb = count * np.prod(shape) * 4 / 1e9
    if needed_gb > training.memory_budget_gb:
        sides = " x ".join(map(str, shape))
        raise ConfigError(
            f"the {count} maps of {sides} that features='once' keeps must fit into training.memory_budget_gb: they take "
            f"{needed_gb:.3g} GB",
            received=training.memory_budget_gb,
            hint="raise the budget, freeze up to a level with a smaller map, or set features='each_step'",
        )


def _network_input(transform: ImageTransform, example: Tensors) -> Tensors:
    prepared = transform.prepared(example)
    return {**prepared, "image": transform.scaled(prepared["image"])}


def _with_maps(
    maps_of: Callable[[tf.Tensor], tf.Tensor], batches: tf.data.Dataset, *, count: int, advance: Callable[..., None]
) -> Any:
    """The `count` rows of all batches as arrays, in the structure of a batch, with maps instead of images."""
    rows: Any = None
    done = 0
    for batch in batches:
        parts = tf.nest.map_structure(lambda part: part.numpy(), {**batch, "image": maps_of(batch["image"])})
        if rows is None:
            # All at once: joining the maps of the batches in the end would take twice the memory.
            rows = tf.nest.map_structure(lambda part: np.empty((count, *part.shape[1:]), part.dtype), parts)
        size = len(parts["id"])
        for whole, part in zip(tf.nest.flatten(rows), tf.nest.flatten(parts), strict=True):
            whole[done : done + size] = part
        done += size
        advance(size)
    return rows
