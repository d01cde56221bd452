"""Ask a saved model about image files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasvision.data.inspection import inspect_image
from kerasvision.errors import ExportError
from kerasvision.export.push import latest_version
from kerasvision.export.saved_model import BYTES_SIGNATURE

MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Answer:
    """What a saved model says of one file.

    Attributes:
        path: the file.
        outputs: output name -> value for this image; empty where there is a fault.
        fault: why the file cannot be used; empty where it can.
    """

    path: Path
    outputs: dict[str, object]
    fault: str = ""


def predict_files(saved_model: Path, paths: Sequence[Path]) -> Iterator[Answer]:
    """One answer per file, in order. A file that is no image is told by name and does not disturb the others.

    Args:
        saved_model: a SavedModel, or a folder of versions, of which the highest is asked.
        paths: image files.

    Raises:
        ExportError: there is no saved model, or it does not take image bytes.
    """
    folder = latest_version(saved_model)
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, tf.errors.OpError) as error:
        raise ExportError(f"{folder} cannot be loaded, it is damaged: {str(error).splitlines()[0]}") from error
    if BYTES_SIGNATURE not in loaded.signatures:
        raise ExportError(f"{folder} has no signature {BYTES_SIGNATURE}", received=list(loaded.signatures))
    signature = loaded.signatures[BYTES_SIGNATURE]
    for path in paths:
        yield _answer(signature, path)


def _answer(signature: object, path: Path) -> Answer:
    try:
        data = path.read_bytes()
    except OSError as error:
        return Answer(path, {}, f"cannot be read: {error.strerror}")
    facts = inspect_image(data, max_pixels=MAX_PIXELS)
    if facts.fault:
        return Answer(path, {}, facts.fault)
    outputs = signature(image_bytes=tf.constant([data]))
    return Answer(path, {name: _plain(value.numpy()[0]) for name, value in outputs.items()})


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    return value.tolist() if isinstance(value, np.ndarray) else value
