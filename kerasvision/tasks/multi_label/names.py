"""Which tags a network tells apart: those of the data set, in the order of their numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kerasvision.config.multi_label import TagClasses
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.errors import ConfigError, DataError
from kerasvision.progress import say
from kerasvision.shortened import shortened
from kerasvision.tasks.multi_label.counting import tag_counts

MOST_NAMED = 5


def tag_classes(settings: TagClasses, examples: ExampleSet) -> tuple[str, ...]:
    """All tags. So the number of a tag in an example is also its number in `labels.txt`.

    Tags without a training image are named, because they cannot be learned.

    Raises:
        DataError: no training image has a tag.
        ConfigError: a training image has more tags than an answer.
    """
    names = examples.tag_classes
    counts, most = np.zeros(0, np.int64), 0
    if names and examples.count(TRAIN):
        counts, _, most = tag_counts(examples.dataset(TRAIN))
    if not counts.any():
        raise DataError(
            "multi_label requires training images with tags; these images have none",
            hint="choose a source with tags (Table, TfRecord, ImageFolder, Coco or Shapes), or another task",
        )
    if most > settings.most_tags:
        raise ConfigError(
            f"task.most_tags must be at least the number of tags of every training image, {most}",
            received=settings.most_tags,
        )
    say_unseen(names, counts)
    return names


def say_unseen(names: Sequence[str], counts: npt.NDArray[np.int64]) -> None:
    """Prints which tags no training image has; `counts` are those of the training images, int64 (C,)."""
    unseen = [name for name, count in zip(names, counts, strict=True) if not count]
    if unseen:
        are = f"{len(unseen)} of {len(names)} tags have no training image, so they cannot be learned"
        say(f"{are}: {shortened(unseen, most=MOST_NAMED)}")
