"""All augmentations of an experiment as one object: which random numbers each gets, and when it is applied."""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, EncodedCrop, Mixing, VisibleObjects, check_order
from kerasvision.config.preparing import Transform
from kerasvision.data.augmentation.objects import with_visible
from kerasvision.data.tensors import Tensors
from kerasvision.errors import ConfigError

# See the package's docstring for its keys.
Batch = Tensors


class Augment(Protocol):
    """The code of an augmentation."""

    def __call__(self, batch: Batch, *, numbers: tf.Tensor, settings: Any) -> Batch:
        """The changed batch, for `numbers` float32 (N, settings.draws); see the package's docstring."""


# Function, settings, the function's columns of the numbers.
_Step = tuple[Augment, Augmentation, slice]


def make_augmentation(augment: Sequence[Augmentation]) -> "Augmenter":
    """All augmentations, one after the other.

    Raises:
        ConfigError: an invalid order (see `check_order`), or code that does not exist.
    """
    return Augmenter(augment)


class Augmenter:
    """The augmentations in their order. Each has its own columns of `numbers`, so that they are independent.

    Attributes:
        draws: how many random numbers an image needs, with those for the crop and the mixing.
        replaces_resize: the settings of the crop that replaces the transform's resizing, or None; `cropped` applies it. It
            gets the first columns of `numbers`.
        mixing: the settings of MixUp, CutMix and Mosaic; `mix` applies them to whole batches.
        per_image: whether one augmentation is much faster on one image at a time, in a parallel map before batching.

    >>> from kerasvision import config as c
    >>> augmenter = make_augmentation((c.RandomFlip(), c.PadCrop(pad=1)))
    >>> augmenter.draws
    4
    >>> augmenter({"image": tf.ones((2, 4, 4, 3))}, tf.zeros((2, 4)))["image"].shape
    TensorShape([2, 4, 4, 3])
    """

    def __init__(self, augment: Sequence[Augmentation]) -> None:
        check_order(augment)
        # Whether they mix images -> the steps.
        self._steps: dict[bool, list[_Step]] = {True: [], False: []}
        self.draws = 0
        for settings in augment:
            columns = slice(self.draws, self.draws + settings.draws)
            self.draws += settings.draws
            if not isinstance(settings, EncodedCrop | VisibleObjects):
                step = (_function(settings.implementation), settings, columns)
                self._steps[isinstance(settings, Mixing)].append(step)
        self.replaces_resize = next((settings for settings in augment if isinstance(settings, EncodedCrop)), None)
        self._crop = _function(self.replaces_resize.implementation) if self.replaces_resize else None
        self._visible = next((settings for settings in augment if isinstance(settings, VisibleObjects)), None)
        self._judge = _function(self._visible.implementation) if self._visible else None
        self.mixing = tuple(settings for settings in augment if isinstance(settings, Mixing))
        self.per_image = any(settings.per_image for settings in augment)

    def __call__(self, batch: Batch, numbers: tf.Tensor) -> Batch:
        """The batch after all augmentations except the crop that replaces resizing, and the mixing.

        Args:
            batch: see the package's docstring.
            numbers: float32 (N, draws) in [0, 1).
        """
        batch = self._changed(batch, numbers, self._steps[False])
        return batch if self.mixing else self._judged(batch, numbers)

    def cropped(self, example: Tensors, numbers: tf.Tensor, transform: Transform) -> Tensors:
        """An example, encoded, after the crop that replaces resizing: with the pixels of the network's input size.

        Args:
            example: "image" string scalar, perhaps "objects", and other keys.
            numbers: float32 (draws,) in [0, 1), as for the other augmentations.
            transform: how the image would be decoded and resized.
        """
        crop = self.replaces_resize
        if crop is None or self._crop is None:
            raise ConfigError("this augmentation has no crop that replaces resizing")
        if "objects" in example and self._visible is not None:
            example = {**example, "objects": with_visible(example["objects"])}
        cropped: Tensors = self._crop(example, numbers=numbers[: crop.draws], settings=crop, transform=transform)
        return cropped

    def rows_of_objects(self, rows: int) -> int:
        """How many rows the objects of an image have after all augmentations, if they had `rows` before."""
        for settings in self.mixing:
            rows = settings.rows_of_objects(rows)
        return rows

    def mix(self, batch: Batch, numbers: tf.Tensor, num_classes: int) -> Batch:
        """The batch after the mixing. MixUp and CutMix give "label_shares": float32 (N, num_classes), each row with sum 1.

        Args:
            batch: for MixUp and CutMix with "label", int64 (N,), with "label_shares" from an earlier mixing, or with
                "values"; for CutMix a "label_map" is enough.
            numbers: float32 (N, draws) in [0, 1), the same as for the other augmentations.
            num_classes: how many classes there are.
        """
        if "label" in batch and "label_shares" not in batch and any(settings.mixes_labels for settings in self.mixing):
            batch = {**batch, "label_shares": tf.one_hot(batch["label"], num_classes)}
        return self._judged(self._changed(batch, numbers, self._steps[True]), numbers)

    def _changed(self, batch: Batch, numbers: tf.Tensor, steps: Sequence[_Step]) -> Batch:
        if "objects" in batch and self._visible is not None:
            batch = {**batch, "objects": with_visible(batch["objects"])}
        for function, settings, columns in steps:
            batch = _applied(function, batch, numbers=numbers[:, columns], settings=settings)
        return batch

    def _judged(self, batch: Batch, numbers: tf.Tensor) -> Batch:
        """The batch after VisibleObjects, which comes after all others."""
        if self._visible is None or self._judge is None:
            return batch
        return _applied(self._judge, batch, numbers=numbers[:, :0], settings=self._visible)


def _function(path: str) -> Any:
    """The code of an augmentation. Ours does not need AutoGraph, which takes half the start time of a small training."""
    function = lookup.load(path)
    if not path.startswith("kerasvision.") and inspect.isfunction(function):
        function = tf.autograph.to_graph(function)
    return function


def _applied(function: Augment, batch: Batch, *, numbers: tf.Tensor, settings: Augmentation) -> Batch:
    result = function(batch, numbers=numbers, settings=settings)
    if not isinstance(result, dict) or "image" not in result:
        raise ConfigError(
            f"{settings.implementation} must return a batch, a dict with the 'image' tensor",
            received=result,
            hint="take (batch, *, numbers, settings), and return {**batch, 'image': ...}",
        )
    # A user's augmentation may lose the static shape. A wrong shape raises here instead of in the network.
    return {**result, "image": tf.ensure_shape(result["image"], batch["image"].shape)}
