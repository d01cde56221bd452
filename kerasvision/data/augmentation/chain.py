"""All augmentations of an experiment as one object: which random numbers each gets, and when it is applied."""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, Mixing, RandomResizedCrop, check_order
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
        replaces_resize: the settings of the crop that replaces the transform's resizing, or None. It gets the first
            columns of `numbers`: `numbers[:, :replaces_resize.draws]`.
        mixing: the settings of MixUp and CutMix; `mix` applies them to whole batches.
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
            if not isinstance(settings, RandomResizedCrop):
                step = (_function(settings.implementation), settings, columns)
                self._steps[isinstance(settings, Mixing)].append(step)
        self.replaces_resize = next((settings for settings in augment if isinstance(settings, RandomResizedCrop)), None)
        self.mixing = tuple(settings for settings in augment if isinstance(settings, Mixing))
        self.per_image = any(settings.per_image for settings in augment)

    def __call__(self, batch: Batch, numbers: tf.Tensor) -> Batch:
        """The batch after all augmentations except the crop that replaces resizing, and the mixing.

        Args:
            batch: see the package's docstring.
            numbers: float32 (N, draws) in [0, 1).
        """
        for function, settings, columns in self._steps[False]:
            batch = _applied(function, batch, numbers=numbers[:, columns], settings=settings)
        return batch

    def mix(self, batch: Batch, numbers: tf.Tensor, num_classes: int) -> Batch:
        """The batch after the mixing, with "label_shares": float32 (N, num_classes), each row with sum 1.

        Args:
            batch: with "label", int64 (N,); or with "label_shares" from an earlier mixing.
            numbers: float32 (N, draws) in [0, 1), the same as for the other augmentations.
            num_classes: how many classes there are.
        """
        if "label_shares" not in batch:
            batch = {**batch, "label_shares": tf.one_hot(batch["label"], num_classes)}
        for function, settings, columns in self._steps[True]:
            batch = _applied(function, batch, numbers=numbers[:, columns], settings=settings)
        return batch


def _function(path: str) -> Augment:
    """The code of an augmentation. Ours does not need AutoGraph, which takes half the start time of a small training."""
    function: Augment = lookup.load(path)
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
