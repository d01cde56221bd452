"""What reduced copies of large photos save, or would save, and what they take: a sentence before a training.

It states what is known without decoding: pixels, bytes and free space, but no seconds.
"""

import math
import shutil
from collections.abc import Collection
from pathlib import Path

from kerasvision.config.augmentation import EncodedCrop
from kerasvision.config.preparing import MOST_WORKING_SIDE, REDUCED_FROM, Transform
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.copy_sizes import CopySizes, copies_of, copy_sizes, folder_bytes
from kerasvision.disk import readable_size

# Copies are suggested for images that are large on average, if at most this share of the pixels remains.
MOST_PIXELS_LEFT = 0.5


def advice_on_copies(
    examples: Path,
    manifest_file: Path,
    *,
    settings: Transform,
    trainings: Collection[TrainerSettings],
    transform_file: Path | None = None,
    stages: int = 1,
) -> str:
    """What copies of the examples save and take, and how to make them if there are none.

    Args:
        examples: the folder of the prepared data set.
        manifest_file: see `copy_sizes`.
        settings: of the transform.
        trainings: the settings of the trainings that read the copies.
        transform_file: what the transform has written with these settings; None: it has not run yet.
        stages: how many transforms keep copies of these images, one for each fold.

    Returns:
        A sentence; empty if the settings ask for no copies, and these would save little.

    Raises:
        OSError, ValueError, KeyError: as `copy_sizes`.
    """
    side = settings.working_side or suggested_side(settings)
    if side is None:
        return ""
    sizes = copy_sizes(examples, manifest_file, working_side=side)
    if settings.working_side is None and not _are_large(sizes):
        return ""
    if not sizes.are_worth_it:
        return (
            f"transform keeps no copies: {sizes.large:,} of {sizes.images:,} images are larger than "
            f"transform.working_side={side}, and copies begin to pay at a tenth"
        )
    copies = None if transform_file is None else copies_of(transform_file)
    size = folder_bytes(copies) if copies else sizes.stored
    takes = readable_size(size * stages) + (f" in {stages} stages" if stages > 1 else "")
    free = shutil.disk_usage(examples).free
    room = f"{takes} on a disk with {readable_size(free)} free"
    reads = _what_is_read(sizes, settings, trainings)
    if settings.working_side is None:
        mean = f"{_figure(sizes.megapixels / sizes.train_images)} megapixels on average"
        how = f"--set transform.working_side={side} reduces them once, and keeps copies: {room}"
        return f"the training images have {mean}. {how}. Then {reads}"
    if not settings.keep_copies:
        return f"transform.keep_copies is False. With copies, {room}, {reads}"
    if copies or (transform_file is None and size <= free):
        verb, then = ("keeps", "So") if copies else ("will keep", "Then")
        reduced = f"{sizes.large:,} of them reduced to a shorter side of {side}"
        return f"transform {verb} copies of {sizes.images:,} images, {reduced}: {room}. {then} {reads}"
    lacks = f"they need {takes}, and {readable_size(free)} are free. With them, {reads}"
    if transform_file is None:
        return f"transform will keep no copies, because the disk is too small: {lacks}"
    how = "If they fit, `kerasvision run PIPELINE --only transform --force` makes them"
    return f"transform kept no copies, because the disk was too small: {lacks}. {how}"


def suggested_side(settings: Transform) -> int | None:
    """A working side for settings without one: twice the least, so that a crop of a quarter is not enlarged.

    >>> suggested_side(Transform(image_size=(224, 192))), suggested_side(Transform(image_size=(4096, 4096)))
    (448, 8192)
    """
    side = 2 * settings.least_working_side
    return side if side <= MOST_WORKING_SIDE else None


def reads_once(training: TrainerSettings, settings: Transform, sizes: CopySizes) -> bool:
    """Whether a training reads every image once, not in every epoch, because decoded images or features stay in memory.

    Objects and label maps take memory too, and are not counted here.
    """
    if all(phase.features == "once" for phase in training.training.phases):
        return True
    is_cropped = any(isinstance(one, EncodedCrop) for one in training.augment)
    gigabytes = 4 * math.prod(settings.image_shape) * sizes.train_images / 1e9
    return not is_cropped and gigabytes <= training.training.memory_budget_gb


def _what_is_read(sizes: CopySizes, settings: Transform, trainings: Collection[TrainerSettings]) -> str:
    each = "each training" if trainings and all(reads_once(one, settings, sizes) for one in trainings) else "each epoch"
    return f"{each} reads {_figure(sizes.reduced_megapixels)} megapixels instead of {_figure(sizes.megapixels)}"


def _figure(number: float) -> str:
    """Three digits, or all before the point.

    >>> _figure(36_123.4), _figure(2.34567)
    ('36,123', '2.35')
    """
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _are_large(sizes: CopySizes) -> bool:
    return (
        sizes.train_images > 0
        and sizes.are_worth_it
        and 1e6 * sizes.megapixels >= REDUCED_FROM * sizes.train_images
        and sizes.reduced_megapixels <= MOST_PIXELS_LEFT * sizes.megapixels
    )
