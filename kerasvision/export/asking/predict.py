"""Gets a saved model's answers for image files: threads read and check ahead, and the answers come in batches, in order.

The saved model decodes the images itself, several at a time. Only the header is checked here, so that no image is decoded
that claims to be too large. If a file is damaged after its header, the model says so (`valid`), or the images of its batch
are sent again one by one.
"""

import stat
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from kerasvision.config.inference import Listed
from kerasvision.data.inspecting.inspection import inspect_header, inspect_image, size_fault
from kerasvision.errors import ConfigError, ExportError
from kerasvision.served.answers import read_answers
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import BYTES_INPUT, BYTES_SIGNATURE, BYTES_SUFFIX, VALID
from kerasvision.served.versions import find_saved_model
from kerasvision.tasks.presentation import Presentation, presentation_of

LABELS = Path("assets", "labels.txt")
MAX_PIXELS = 100_000_000
BATCH_SIZE = 32
# The limits of what is in memory at once, apart from the network: a batch of large photos ends early.
MOST_BATCH_PIXELS = 50_000_000
MOST_WAITING_BYTES = 64_000_000
READERS = 4


@dataclass(frozen=True)
class Answer:
    """A saved model's answer for one file.

    Attributes:
        path: the file.
        outputs: output name -> value for this image; empty if there is a fault. Bytes occur only under names that end in
            `_bytes`.
        fault: why the file cannot be used; empty if it can.
    """

    path: Path
    outputs: dict[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class Row:
    """An answer as arrays: output name -> value for this image, without `valid`; None if there is a fault."""

    image: Listed
    outputs: Mapping[str, np.ndarray] | None
    fault: str = ""


class AnswerWriter(Protocol):
    """Writes something else about each answer: a picture, for example."""

    def add(self, image: Listed, outputs: Mapping[str, Any] | None) -> None:
        """Takes the answer for the next image; None if there is a fault."""

    def finish(self) -> str:
        """Completes what was written, and returns a line about it."""


@dataclass(frozen=True)
class _Read:
    image: Listed
    data: bytes = b""
    pixels: int = 0
    fault: str = ""


class ImagePredictor:
    """Gives the answers for image files, by a SavedModel that takes encoded images.

    Args:
        saved_model: a SavedModel, or a folder of versions: the highest is used.

    Attributes:
        folder: the version that is used.
        served: the model in memory.
        outputs: output name -> (NumPy's name of the type, lengths of the axes after the first, None if free), sorted.
        answers: what the model says about how to show them, see `kerasvision.served.answers`.
        presentation: how to show them; None if they are shown as they are.
        tiles: by how many pixels the tiles of an image overlap; None: an image is not cut.

    Raises:
        ConfigError: there is no saved model.
        ExportError: it is incomplete or differs from what was pushed, cannot be loaded, or requires other inputs.
    """

    tiles: int | None = None

    def __init__(self, saved_model: Path) -> None:
        self.folder = find_saved_model(saved_model)
        self.served = ServedModel(self.folder)
        if BYTES_SIGNATURE not in self.served.signatures:
            raise ExportError(f"{self.folder} has no signature {BYTES_SIGNATURE}", received=list(self.served.signatures))
        self._signature = self.served.signatures[BYTES_SIGNATURE]
        _check_takes_bytes(self._signature.structured_input_signature[1], self.folder)
        specs = self._signature.structured_outputs
        shapeless = [name for name, spec in specs.items() if not spec.shape.rank]
        if shapeless:
            raise ExportError(f"output {shapeless[0]!r} of {self.folder} does not have a row for each image")
        self.has_valid = VALID in specs
        self.outputs = {
            name: (specs[name].dtype.name, tuple(specs[name].shape.as_list()[1:])) for name in sorted(specs) if name != VALID
        }
        self.answers = read_answers(self.folder)
        self.presentation = presentation_of(self.answers, outputs=self.outputs, where=self.folder)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process loads the model from its folder, once."""
        return _loaded_once, (type(self), self.folder.absolute(), self._options())

    def _options(self) -> tuple[tuple[str, Any], ...]:
        """The arguments after the folder, each with its name."""
        return ()

    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers.

        Raises:
            ExportError: the model has no `labels.txt`.
        """
        file = self.folder / LABELS
        try:
            return tuple(file.read_text(encoding="utf-8").splitlines())
        except OSError as error:
            raise ExportError(f"{file} cannot be read: {error.strerror}", hint="export the model again") from error

    def presented(self, what: str) -> Presentation:
        """The presentation, for an option that requires one.

        Raises:
            ConfigError: the model has none.
        """
        if self.presentation is None:
            raise ConfigError(
                f"{what} requires a model whose answers have places in the image",
                received=f"{self.folder}, which answers with {', '.join(self.outputs)}",
                hint="ask without it, or name a model that finds places",
            )
        return self.presentation

    def check_least_score(self) -> None:
        """Raises ConfigError unless parts of the answers have scores, so that a least score can leave some out."""
        if not self.presented("a least score").has_scores:
            raise ConfigError(
                "a least score requires a model whose answers have scores", received=self.folder, hint="ask without it"
            )

    def rows(
        self,
        images: Iterable[Listed],
        *,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
        least_score: float = 0.0,
    ) -> Iterator[Row]:
        """One answer per image, in order. A file that is not an image does not disturb the others.

        If the model has a presentation, the empty rows of an answer are left out: see `Presentation.kept`.

        Args:
            images: the files; at most a batch or two of them are in memory at a time.
            batch_size: the most images per call; which images share a call depends on the files alone.
            max_pixels: an image whose header claims more has a fault.
            least_score: what has a lower score is left out; above 0 it requires a presentation.

        Raises:
            ConfigError: `least_score` does not fit the model.
        """
        if least_score:
            self.check_least_score()
        for row in self._rows(images, batch_size=batch_size, max_pixels=max_pixels):
            if row.outputs is None or self.presentation is None:
                yield row
            else:
                yield replace(row, outputs=self.presentation.kept(row.outputs, least_score=least_score))

    def _rows(self, images: Iterable[Listed], *, batch_size: int, max_pixels: int) -> Iterator[Row]:
        batch: list[_Read] = []
        usable = pixels = 0
        for read in _read_ahead(images, batch_size=batch_size, max_pixels=max_pixels):
            if usable and pixels + read.pixels > MOST_BATCH_PIXELS:
                yield from self._answered(batch)
                batch, usable, pixels = [], 0, 0
            batch.append(read)
            usable, pixels = usable + (not read.fault), pixels + read.pixels
            if usable == batch_size or len(batch) == 4 * batch_size:
                yield from self._answered(batch)
                batch, usable, pixels = [], 0, 0
        yield from self._answered(batch)

    def _answered(self, batch: Sequence[_Read]) -> Iterator[Row]:
        answers = iter(self._ask([read.data for read in batch if not read.fault]))
        for read in batch:
            fault, outputs = (read.fault, None) if read.fault else next(answers)
            yield Row(read.image, outputs, fault)

    def _ask(self, images: list[bytes]) -> list[tuple[str, dict[str, np.ndarray] | None]]:
        """(fault or "", outputs) of each image. If the model rejects a batch because of one image, each is sent alone."""
        if not images:
            return []
        try:
            outputs = {name: value.numpy() for name, value in self._signature(image_bytes=tf.constant(images)).items()}
        except tf.errors.OpError as error:
            if len(images) > 1:
                return [answer for image in images for answer in self._ask([image])]
            return [
                (
                    why_unanswered(images[0], f"the saved model rejects it: {next(iter(error.message.splitlines()), '')}"),
                    None,
                )
            ]
        _check_rows(outputs, len(images), self.folder)
        valid = outputs.pop(VALID) if self.has_valid else np.ones(len(images), bool)
        return [
            ("", {name: outputs[name][row] for name in self.outputs})
            if valid[row]
            else (why_unanswered(image, "the saved model cannot decode it"), None)
            for row, image in enumerate(images)
        ]


@lru_cache(maxsize=1)
def _loaded_once(kind: type[ImagePredictor], folder: Path, options: tuple[tuple[str, Any], ...]) -> ImagePredictor:
    return kind(folder, **dict(options))


def predict_files(saved_model: Path, paths: Sequence[Path], *, batch_size: int = BATCH_SIZE) -> Iterator[Answer]:
    """One answer per file, in order. A file that is not an image has a fault, and does not disturb the others.

    Args:
        saved_model: a SavedModel, or a folder of versions: the highest is used.
        paths: image files.
        batch_size: images per call.

    Raises:
        ConfigError, ExportError: see `ImagePredictor`.
    """
    model = ImagePredictor(saved_model)
    yield from predict_listed(model, (Listed(str(path), path) for path in paths), batch_size=batch_size)


def predict_listed(
    model: ImagePredictor,
    images: Iterable[Listed],
    *,
    batch_size: int = BATCH_SIZE,
    least_score: float = 0.0,
    writers: Sequence[AnswerWriter] = (),
) -> Iterator[Answer]:
    """One answer per listed image, in order, as plain values; `writers` get each answer before it is returned."""
    for row in model.rows(images, batch_size=batch_size, least_score=least_score):
        for writer in writers:
            writer.add(row.image, row.outputs)
        outputs = {name: plain_output(name, value) for name, value in (row.outputs or {}).items()}
        yield Answer(row.image.path, outputs, row.fault)


def plain_output(name: str, value: object) -> Any:
    """The value of an output as a plain Python value: bytes stay bytes if its name ends in `_bytes`.

    >>> plain_output("picture_bytes", b"a"), plain_output("label", b"a")
    (b'a', 'a')
    """
    return value if isinstance(value, bytes) and name.endswith(BYTES_SUFFIX) else plain(value)


def plain(value: object) -> Any:
    """A NumPy value as a plain Python value, with bytes as text.

    >>> plain(np.array([b"a", b"b"], object)), plain(np.float32(0.5))
    (['a', 'b'], 0.5)
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value] if value.dtype == object or value.ndim > 1 else value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _check_takes_bytes(inputs: Mapping[str, tf.TensorSpec], folder: Path) -> None:
    """Raises ExportError if a signature takes anything other than a list of encoded images."""
    spec = inputs.get(BYTES_INPUT)
    if len(inputs) == 1 and spec is not None and spec.dtype == tf.string and spec.shape.is_compatible_with([None]):
        return
    taken = ", ".join(f"{name} ({one.dtype.name} {one.shape})" for name, one in sorted(inputs.items())) or "nothing"
    raise ExportError(
        f"predict requires a signature {BYTES_SIGNATURE} whose only input is {BYTES_INPUT} (string (None,)); the one "
        f"of {folder} takes {taken}",
        hint="`kerasvision serve` accepts requests to any signature",
    )


def _check_rows(outputs: Mapping[str, np.ndarray], count: int, folder: Path) -> None:
    """Raises ExportError if an output does not have a row for each image."""
    for name, values in outputs.items():
        if len(values) != count:
            raise ExportError(
                f"each output must have a row for each image; {name!r} of {folder} has {len(values)} for {count}"
            )


def _read_ahead(images: Iterable[Listed], *, batch_size: int, max_pixels: int) -> Iterator[_Read]:
    """Yields the files, in order; the next batch is read while the model works on this one."""
    waiting: deque[tuple[int, Future[_Read]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for image in images:
            waiting.append((_size(image), pool.submit(_read, image, max_pixels)))
            while len(waiting) >= 2 * batch_size or sum(size for size, _ in waiting) > MOST_WAITING_BYTES:
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()


def _size(image: Listed) -> int:
    try:
        return 0 if image.fault else image.path.stat().st_size
    except (OSError, ValueError):
        return 0  # reading it gives the reason


def _read(image: Listed, max_pixels: int) -> _Read:
    if image.fault:
        return _Read(image, fault=image.fault)
    try:
        state = image.path.stat()
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            return _Read(image, fault="not a regular file")
        if fault := size_fault(state.st_size, max_pixels=max_pixels):
            return _Read(image, fault=fault)
        data = image.path.read_bytes()
    except OSError as error:
        return _Read(image, fault=f"cannot be read: {error.strerror}")
    except ValueError:
        return _Read(image, fault="cannot be read: the path is not valid text")
    facts = inspect_header(data, max_pixels=max_pixels)
    return _Read(image, fault=facts.fault) if facts.fault else _Read(image, data, facts.width * facts.height)


def why_unanswered(data: bytes, otherwise: str) -> str:
    """Why a model could not answer for the bytes of an image."""
    return inspect_image(data, max_pixels=MAX_PIXELS).fault or otherwise
