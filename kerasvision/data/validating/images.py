"""Single images: those that were left out, and used images that should be checked."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerasvision.data.ingesting.manifest import NO_LABEL, NO_TAGS
from kerasvision.data.ingesting.quarantine import LEFT_OUT
from kerasvision.data.ingesting.spans import OLDER
from kerasvision.data.inspecting.annotations import (
    BOX_CLIPPED,
    BOX_DROPPED,
    EMPTY_CAPTION,
    EMPTY_TAG,
    MASK_MISSING,
    MASK_SIZE,
    MASK_UNREADABLE,
    REPEATED_TAG,
)
from kerasvision.data.inspecting.fitted_objects import SCALED, TURNED
from kerasvision.data.inspecting.inspection import FEW_LEVELS_LEFT, WRONG_SUFFIX
from kerasvision.data.inspecting.label_maps import MAP_TURNED
from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.records import LINKED_OUT, MISSING_VALUE, NOT_FINITE, OUTSIDE, TWO_SPLITS, UNLISTED
from kerasvision.data.sources.values import NEITHER, NEITHER_0_NOR_1, NO_NAME, NO_SUCH_NAME, NOT_UTF8
from kerasvision.data.validating.anomalies import Anomaly, anomaly, count_phrase
from kerasvision.data.validating.schema import DataSchema

# A part of the fault of an image that was left out -> its code. The first match counts.
FAULTS: Mapping[str, str] = {
    LEFT_OUT: "left_out",
    OLDER: "left_out",
    "leakage:": "leakage_removed",
    OUTSIDE: "outside_classes",
    UNLISTED: "not_listed",
    "leads out of": "path_outside",
    "label map": "bad_label_map",
    NO_LABEL: "no_label",
    MISSING_VALUE: "missing_value",
    NO_TAGS: "no_tags",
    "its rows give it two": "conflicting_rows",
    "annotation ": "bad_annotation",
    "its boxes ": "bad_annotation",
    NEITHER: "bad_value",
    NEITHER_0_NOR_1: "bad_value",
    NOT_UTF8: "bad_value",
    NOT_FINITE: "bad_value",
    NO_SUCH_NAME: "bad_value",
    NO_NAME: "bad_value",
    "over the limit": "oversized",
    "cannot be read by TensorFlow": "unsupported",
    "misread by TensorFlow": "unsupported",
    "cannot be read": "unreadable",
    "there is no such file": "unreadable",
    "not a regular file": "unreadable",
    "the path ": "unreadable",
    "truncated or corrupt": "corrupt",
    "the file is empty": "corrupt",
    "not an image in a known format": "corrupt",
}
# A part of the note on a used image -> its code. Every other note says what decoding changes.
NOTES: Mapping[str, str] = {
    WRONG_SUFFIX: "wrong_extension",
    FEW_LEVELS_LEFT: "few_levels",
    BOX_CLIPPED: "box_clipped",
    BOX_DROPPED: "box_dropped",
    MASK_SIZE: "bad_mask",
    MASK_UNREADABLE: "bad_mask",
    MASK_MISSING: "bad_mask",
    EMPTY_CAPTION: "empty_caption",
    EMPTY_TAG: "repaired_tags",
    REPEATED_TAG: "repaired_tags",
    SCALED: "other_size_annotated",
    TURNED: "other_size_annotated",
    MAP_TURNED: "other_size_annotated",
    LINKED_OUT: "linked_outside",
    TWO_SPLITS: "conflicting_rows",
}
MOST_FAULTS = 10


def fault_anomalies(statistics: Statistics) -> Iterator[Anomaly]:
    """The images that were left out, by their faults."""
    by_code: dict[str, dict[str, list[str]]] = {}
    for name, fault in statistics.quarantined.items():
        by_code.setdefault(fault_code(fault), {}).setdefault(fault, []).append(name)
    for code, faults in by_code.items():
        worst = sorted(faults.items(), key=lambda item: -len(item[1]))
        for fault, ids in worst[:MOST_FAULTS]:
            yield anomaly(code, f"{_were(ids)} left out: {fault}", ids)
        if rest := [name for _, ids in worst[MOST_FAULTS:] for name in ids]:
            yield anomaly(code, f"{_were(rest)} left out for other faults of this kind", rest)


def fault_code(fault: str) -> str:
    """The code of an image that was left out.

    >>> fault_code("truncated or corrupt JPEG")
    'corrupt'
    >>> fault_code("a fault from a source of your own")
    'quarantined'
    """
    return next((code for text, code in FAULTS.items() if text in fault), "quarantined")


def note_anomalies(statistics: Statistics, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Changes that ingest or decoding made to images, boxes, masks and captions."""
    for note, count in statistics.notes.items():
        ids = images.loc[images["notes"].str.contains(note, regex=False), "id"] if images is not None else ()
        code = next((code for text, code in NOTES.items() if text in note), "changed_by_decoding")
        yield anomaly(code, f"{count_phrase(count, 'image', 'images')}: {note}", ids)


def size_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Sides and colour modes that the schema does not allow."""
    if statistics.min_side < schema.min_side:
        ids = images.loc[_shorter(images) < schema.min_side, "id"] if images is not None else ()
        yield anomaly("small_image", f"a side is {statistics.min_side} pixels, below {schema.min_side}", ids)
    if statistics.max_side > schema.max_side:
        ids = images.loc[_longer(images) > schema.max_side, "id"] if images is not None else ()
        yield anomaly("large_image", f"a side is {statistics.max_side} pixels, above {schema.max_side}", ids)
    for mode in sorted(set(statistics.modes) - set(schema.modes)):
        ids = images.loc[images["mode"] == mode, "id"] if images is not None else ()
        count = count_phrase(statistics.modes[mode], "image has", "images have")
        yield anomaly("unseen_mode", f"{count} colour mode {mode}", ids)


def pixel_anomalies(images: pd.DataFrame, schema: DataSchema) -> Iterator[Anomaly]:
    """Images of one flat colour, and images that are far smaller or longer than the others."""
    variation = colour_variation(images)
    yield from _single_images("blank_image", images, variation < schema.min_contrast, "of one flat colour")
    typical = float(_shorter(images).median())
    tiny = _shorter(images) < schema.tiny_share * typical
    how = f"with a side below {schema.tiny_share:g} of the usual {typical:g} pixels"
    yield from _single_images("tiny_image", images, tiny, how)
    long = _longer(images) > schema.max_aspect * _shorter(images)
    yield from _single_images("extreme_aspect", images, long, f"over {schema.max_aspect:g} times as long as wide")


def caption_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame) -> Iterator[Anomaly]:
    """Images with too few captions, and captions that are too long."""
    if "captions" in schema.requires and not statistics.captions:
        yield anomaly("uncaptioned", "the task requires captions, and no usable image has one")
    elif schema.min_captions and not statistics.captions:
        yield anomaly("few_captions", f"no image has a caption; at least {schema.min_captions} expected of each")
    if not statistics.captions:
        return
    few = images.loc[images["captions"] < schema.min_captions, "id"]
    if len(few):
        count = count_phrase(len(few), "image has", "images have")
        yield anomaly("few_captions", f"{count} fewer captions than {schema.min_captions}", few)
    if statistics.captions["max_words"] > schema.max_caption_words:
        # `caption_words` is the mean over an image's captions. Short ones may hide a long one in it, but not in the sum.
        wordy = images[images["caption_words"] * images["captions"] > schema.max_caption_words]
        most = statistics.captions["max_words"]
        message = f"a caption has {most:g} words; at most {schema.max_caption_words} are expected"
        yield anomaly("long_caption", message, wordy.sort_values("caption_words", ascending=False)["id"])


def colour_variation(images: pd.DataFrame) -> NDArray[np.float64]:
    """float64 (images,): standard deviation of the most varied of each image's three colours, in [0, 255].

    >>> flat_red = pd.DataFrame({f"{s}_{c}": [v] for c, m in (("red", 9.0), ("green", 0.0), ("blue", 0.0))
    ...                          for s, v in (("mean", m), ("square", m * m))})
    >>> colour_variation(flat_red).tolist()
    [0.0]
    """
    variances = [images[f"square_{name}"] - images[f"mean_{name}"] ** 2 for name in ("red", "green", "blue")]
    deviations: NDArray[np.float64] = np.sqrt(np.maximum(np.max(variances, axis=0), 0.0))
    return deviations


def _single_images(code: str, images: pd.DataFrame, chosen: pd.Series | np.ndarray, how: str) -> Iterator[Anomaly]:
    ids = images.loc[chosen, "id"]
    if len(ids):
        yield anomaly(code, f"{count_phrase(len(ids), 'image', 'images')} {how}", ids, suspects=ids)


def _were(ids: list[str]) -> str:
    return count_phrase(len(ids), "image was", "images were")


def _shorter(images: pd.DataFrame) -> pd.Series:
    return images[["width", "height"]].min(axis=1)


def _longer(images: pd.DataFrame) -> pd.Series:
    return images[["width", "height"]].max(axis=1)
