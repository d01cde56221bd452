"""Some test images with the truth and the answer, and where the network looked for each part of the answer.

A fixed seed draws them: they are neither the best nor the worst, and are the same for every model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.contact_sheets import THUMBNAIL_SIDE, Picture, thumbnail_url
from kerasvision.data.splits import TEST
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.drawn import drawings_of, shown_pictures
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import Ask, Illustration, Judgement, Part, Task

MOST_SAMPLES = 24
# Each of these needs a picture of about 3 kB per part.
MOST_WITH_PARTS = 8
MOST_PARTS = 24
SEED = 0
# What the network did not look at is faded: to dark in a bright image, to light in a dark one.
DARK, LIGHT, FADED = 30.0, 225.0, 0.75
LEAST_BRIGHT = 80.0


@dataclass(frozen=True)
class ShownExample:
    """An illustrated example as the page shows it.

    Attributes:
        illustration: the truth and the answer.
        picture: the image, small; a `DrawnPicture` if something is drawn over it.
        looks: (part of the answer, data URL of the image with the places faded that the network did not look at).
    """

    illustration: Illustration
    picture: Picture
    looks: tuple[tuple[str, str], ...] = ()


def samples(
    judgement: Judgement,
    *,
    task: Task,
    examples: ExampleSet,
    model: ServedModel,
    transform: ImageTransform,
    most: int = MOST_SAMPLES,
) -> list[ShownExample]:
    """Some of the test images, in the order of the split; empty if the task illustrates nothing, and draws nothing.

    Args:
        judgement: of the test split.
        task: says what to show.
        examples: where the images are.
        model: answers more questions about these images, if the task has any.
        transform: makes the network's input of an image.
        most: the largest number of images.
    """
    count = len(judgement.rows)
    drawn = np.sort(np.random.default_rng(SEED).permutation(count)[:most])
    rows = judgement.rows.iloc[drawn]

    def ask(signature: str) -> dict[str, np.ndarray] | None:
        if signature not in model.signatures:
            return None
        encoded = encoded_images(examples, rows["id"])
        answers = model(signature, image_bytes=tf.constant([encoded[name] for name in rows["id"]]))
        return {name: value.numpy() for name, value in answers.items()}

    shown = _illustrations(rows, task=task, ask=ask)
    found = shown_pictures(
        examples, {one.id: one.drawings for one in shown}, significant_bits=transform.settings.significant_bits
    )
    with_parts = [one.id for one in shown if one.parts][:MOST_WITH_PARTS]
    encoded = encoded_images(examples, with_parts)
    looks = {
        one.id: _looks(one.parts[:MOST_PARTS], transform.pixels(tf.constant(encoded[one.id])).numpy())
        for one in shown
        if one.id in encoded
    }
    return [ShownExample(one, found[one.id], looks.get(one.id, ())) for one in shown]


def _illustrations(rows: pd.DataFrame, *, task: Task, ask: Ask) -> list[Illustration]:
    """The task's illustrations with its drawings; if it draws but does not illustrate, an illustration for each row."""
    over, shown = drawings_of(rows, task=task), task.illustrations(rows, ask=ask)
    if not shown and any(over.values()):
        shown = [Illustration(row["id"], task.caption(row), truth=()) for _, row in rows.iterrows()]
    return [one if one.drawings else replace(one, drawings=over[one.id]) for one in shown]


def encoded_images(examples: ExampleSet, ids: Iterable[str]) -> Mapping[str, bytes]:
    """id -> the encoded image, for these test examples."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    # Chosen in the graph, because to hand an example to Python takes longer than to read it.
    rows = examples.dataset(TEST).filter(lambda example: tf.reduce_any(example["id"] == tf.constant(wanted)))
    return {row["id"].decode(): row["image"] for row in rows.as_numpy_iterator()}


def faded(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """An image that is faded where the weights are small.

    Args:
        pixels: float (H, W, 1 or 3) in [0, 255].
        weights: float (h, w), at least 0; where they are largest, the image does not change.

    Returns:
        uint8 (H, W, 3).

    >>> faded(np.full((1, 2, 1), 200.0), np.array([[2.0, 0.0]]))[0, :, 0].tolist()
    [200, 72]
    """
    height, width, _ = pixels.shape
    shares = (weights / max(weights.max(), np.finfo(np.float32).tiny)).astype(np.float32)
    seen = np.asarray(Image.fromarray(shares).resize((width, height), Image.Resampling.BILINEAR))[..., None]
    color = np.broadcast_to(pixels, (height, width, 3))
    away = DARK if color.mean() >= LEAST_BRIGHT else LIGHT
    return np.rint(color + (1 - seen) * FADED * (away - color)).clip(0, 255).astype(np.uint8)


def _looks(parts: Iterable[Part], pixels: np.ndarray) -> tuple[tuple[str, str], ...]:
    height, width, _ = pixels.shape
    share = THUMBNAIL_SIDE / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    kind = Image.Resampling.NEAREST if share > 1 else Image.Resampling.BOX
    small = np.asarray(Image.fromarray(faded(pixels, np.ones((1, 1)))).resize(size, kind), np.float32)
    return tuple((part.text, thumbnail_url(faded(small, part.weights))) for part in parts)
