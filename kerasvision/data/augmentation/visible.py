"""VisibleObjects: what becomes of objects that all the other augmentations hide for the most part."""

import tensorflow as tf

from kerasvision.config.augmentation import VisibleObjects
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.objects import VISIBLE, keep_objects


def judge_visible(batch: Batch, *, numbers: tf.Tensor, settings: VisibleObjects) -> Batch:
    """The batch without objects that are mostly hidden, or with them as crowds.

    Args:
        batch: perhaps with "objects" that have their "visible" shares; see the package's docstring.
        numbers: float32 (N, 0).
        settings: which share must be visible, and what becomes of the others.

    Returns:
        The batch; its objects no longer have "visible".

    >>> objects = {"label": tf.constant([[5, 6]]), "visible": tf.constant([[0.3, 0.05]]), "bbox": tf.ones((1, 2, 4))}
    >>> judged = judge_visible({"objects": objects}, numbers=tf.zeros((1, 0)), settings=VisibleObjects(least=0.1))
    >>> judged["objects"]["crowd"].numpy().tolist()
    [[False, True]]
    """
    if "objects" not in batch:
        return batch
    objects = {name: part for name, part in batch["objects"].items() if name != VISIBLE}
    exists = objects["label"] >= 0
    hidden = exists & (batch["objects"][VISIBLE] < settings.least)
    if settings.hidden == "remove":
        return {**batch, "objects": keep_objects(objects, exists & ~hidden)}
    return {**batch, "objects": {**objects, "crowd": objects.get("crowd", False) | hidden}}
