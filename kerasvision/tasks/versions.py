"""Another version of an image, as people see it next to the image: with noise, or restored."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """A picture of the same scene.

    Attributes:
        meaning: what it is, in a word or two.
        png: the picture, of any size.
    """

    meaning: str
    png: bytes
