"""What `new` writes: the settings of a first pipeline, and why each was chosen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.data.splits import TEST, TRAIN


@dataclass(frozen=True)
class Choice:
    """One setting of an experiment.

    Attributes:
        setting: its name, such as "augment".
        code: its value in Python, indented for its place in the file.
        why: the reason, in a sentence or two.
    """

    setting: str
    code: str
    why: str


@dataclass(frozen=True)
class Recipe:
    """The settings of a first pipeline.

    Attributes:
        summary: what is trained, in a few words.
        reason: why this recipe was chosen.
        expected: split -> class -> how many images it gets.
        epochs: passes over the training images.
        is_final: whether another network is trained on all images after the verdict.
        choices: the settings, in the order of the file.
        also: sentences about what else could be learned from these images.
    """

    summary: str
    reason: str
    expected: Mapping[str, Counter[str]]
    epochs: int
    is_final: bool
    choices: tuple[Choice, ...]
    also: tuple[str, ...] = ()

    @property
    def trainings(self) -> list[int]:
        """On how many images each training trains: the judged one, and the final one if there is one."""
        sizes = self.split_sizes
        return [sizes[TRAIN], sum(sizes.values())] if self.is_final else [sizes[TRAIN]]

    @property
    def split_sizes(self) -> dict[str, int]:
        """Split -> how many images it gets."""
        return {split: of.total() for split, of in self.expected.items()}

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The classes without a test image."""
        return tuple(label for label in self.expected[TRAIN] if not self.expected[TEST][label])
