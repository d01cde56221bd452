"""What only some tasks answer, and the options of `predict` that write it. The command itself knows no task."""

from dataclasses import dataclass
from typing import Literal

# What the answers about an image may contain in addition to a label: places in the image, or a class for each pixel.
AnswerPart = Literal["places", "maps"]


@dataclass(frozen=True)
class AnswerFiles:
    """An option of `predict` that writes a file for each answer.

    Attributes:
        option: its name.
        help: what it does.
    """

    option: str
    help: str


MAPS = AnswerFiles(
    "--masks", "Also write the class of each pixel, as a PNG of the size of the image, into this new folder; 255: unknown."
)
