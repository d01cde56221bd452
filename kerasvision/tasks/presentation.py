"""How people see the answers of a served model whose task has its own way: a line, rows, a picture, results in COCO's form.

A SavedModel names its way in `assets.extra/answers.json`. The name is looked up in `kerasvision.lookup.PRESENTATIONS`: a
file never names code. The answers of other models are shown as they are, output by output.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from kerasvision import lookup
from kerasvision.errors import ConfigError, ExportError

# One image's answer: output name -> value without the first axis, as an array.
Outputs = Mapping[str, Any]
# The name of the presentation in the file.
NAME = "presentation"


@dataclass(frozen=True)
class Explained:
    """The part of an answer whose reasons can be shown in the image.

    Attributes:
        output: its name; float32 (C,), a number for each name of `labels.txt`.
        what: what a name is: "class", "tag" or "value".
        is_score: whether the numbers are in [0, 1] and comparable, so that the highest is the first to explain. Others
            have units of their own.
    """

    output: str
    what: str
    is_score: bool = True


class Presentation(ABC):
    """Shows the answers of one model.

    Args:
        answers: what `answers.json` says.

    Attributes:
        heading: of the column of lines.
        needs: the outputs that the model must have.
        columns: name -> type of a row of `rows`.
        has_maps: whether `map` gives a picture.
        has_objects: whether `results` gives rows.
        has_places: whether `drawn` gives a picture.
        has_scores: whether parts of an answer have scores, so that `kept` may leave out those with low ones.
        tile_signature: a signature for images, whose output of the same name is float (N, H, W, K), the probability of each
            class in each pixel; None if answers cannot be made from tiles of an image.
        explained: the part of an answer that `explain` can explain; None if it has no such part.
        instead: what to do if it has none.
        shown_from: the least score of what a line and a picture show by default.
    """

    heading: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    columns: ClassVar[Mapping[str, type]]
    has_maps: ClassVar[bool] = False
    has_objects: ClassVar[bool] = True
    has_places: ClassVar[bool] = True
    has_scores: ClassVar[bool] = True
    tile_signature: ClassVar[str | None] = None
    explained: ClassVar[Explained | None] = None
    instead: ClassVar[str] = "`kerasvision predict --draw` draws its answers over the images"

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.shown_from = 0.0

    @abstractmethod
    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The answer without its empty rows, and without those whose score is below a number in [0, 1].

        The other methods take what this one returns.
        """

    @abstractmethod
    def line(self, kept: Outputs) -> str:
        """The answer in a line."""

    @abstractmethod
    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each part of the answer, with the values of `columns`; none if the answer is empty."""

    @abstractmethod
    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The upright image with the answer drawn over it."""

    def named_numbers(self) -> tuple[str, str, tuple[str, ...]] | None:
        """An output of V numbers, the output of their names, and the V names, each a column of a table. None: no such."""
        return None

    def map(self, kept: Outputs) -> Image.Image:
        """The answer as a picture whose pixels are class numbers.

        Raises:
            ConfigError: the answers of this model give pixels no class.
        """
        raise ConfigError("the answers of this model give pixels no class")

    def of_map(self, numbers: npt.NDArray[np.uint8], names: Sequence[str]) -> dict[str, Any]:
        """The outputs for an image whose classes come from its tiles.

        Args:
            numbers: uint8 (H, W), the class of each pixel.
            names: of the classes, in the order of their numbers.

        Raises:
            ConfigError: the answers of this model give pixels no class.
        """
        raise ConfigError("the answers of this model give pixels no class")

    @abstractmethod
    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """The answer as COCO's results; labels without a category id are left out.

        Args:
            kept: the answer.
            image_id: the number of the image.
            category_ids: label -> number of its category.
        """


def presentation_of(answers: Mapping[str, Any], *, outputs: Collection[str], where: object) -> Presentation | None:
    """The presentation that a model's `answers.json` names; None if the file or a presentation of that name is missing.

    Args:
        answers: the content of the file; empty without such a file.
        outputs: the names of the model's outputs.
        where: the model, for an error.

    Raises:
        ExportError: the model lacks an output that the presentation needs.

    >>> presentation_of({}, outputs=["scores"], where="saved_models/digits") is None
    True
    """
    name = answers.get(NAME)
    # Only names of the table: `load` also accepts a path to code, which a file of somebody else must not choose.
    if not isinstance(name, str) or name not in lookup.PRESENTATIONS:
        return None
    kind: type[Presentation] = lookup.PRESENTATIONS.load(name)
    missing = sorted(set(kind.needs) - set(outputs))
    if missing:
        raise ExportError(
            f"{where} says that its answers are {name}, which requires the outputs {', '.join(kind.needs)}",
            received=sorted(outputs),
            hint="export the model again",
        )
    return kind(answers)
