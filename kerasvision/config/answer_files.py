"""Options of `predict` that only some tasks have. The command itself knows no task, so their names are here."""

from dataclasses import dataclass


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
