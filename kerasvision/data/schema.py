"""What is normal for a data set: inferred from its statistics, or written by a person."""

from typing import Self

from pydantic import Field

from kerasvision.config.base import Config
from kerasvision.data.statistics import Statistics


class DataSchema(Config):
    """What the examples should look like. A person may edit the JSON file, commit it and name it in `schema_file`."""

    classes: tuple[str, ...] = Field(min_length=1, description="class names in the order of their numbers")
    modes: tuple[str, ...] = Field(description="Pillow's colour modes that are expected: L, RGB, ...")
    min_side: int = Field(ge=1, description="smallest width or height in pixels")
    max_side: int = Field(ge=1, description="largest width or height in pixels")
    min_train_examples: int = Field(default=2, ge=1, description="of every class")
    max_imbalance: float = Field(default=20.0, ge=1, description="largest class over smallest, in the train split")

    @classmethod
    def infer(cls, statistics: Statistics) -> Self:
        """The schema that these statistics fit."""
        return cls(
            classes=tuple(statistics.classes),
            modes=tuple(sorted(statistics.modes)),
            min_side=statistics.min_side,
            max_side=statistics.max_side,
        )
