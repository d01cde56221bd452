"""Shows numbers: `age 31.5, height 1.75`, a row per number, a column of a table for each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from kerasvision.errors import ConfigError
from kerasvision.tasks.presentation import NAME, Explained, Outputs, Presentation
from kerasvision.tasks.regression.judging import NAMES, VALUES

NAMED_NUMBERS = "named_numbers"
MOST_SHOWN = 8


def answers_of(names: Sequence[str]) -> dict[str, Any]:
    """The content of `answers.json`. `places` says which outputs a page lists: the numbers and their names.

    >>> answers_of(("age",))["places"]
    {'numbers': 'values', 'labels': 'names', 'shown_from': 0.0}
    """
    return {NAME: NAMED_NUMBERS, "names": list(names), "places": {"numbers": VALUES, "labels": NAMES, "shown_from": 0.0}}


class NamedNumbers(Presentation):
    """Answers of V numbers: `values` float (V,), and `names` string (V,).

    >>> shown = NamedNumbers(answers_of(("age", "height")))
    >>> answer = {"values": np.array([31.5, 1.7549]), "names": np.array([b"age", b"height"])}
    >>> shown.line(answer), shown.rows(answer)[1]
    ('age 31.5, height 1.755', {'name': 'height', 'value': 1.7549})
    """

    heading = "numbers"
    needs = (VALUES, NAMES)
    columns: ClassVar[Mapping[str, type]] = MappingProxyType({"name": str, "value": float})
    has_objects = has_places = has_scores = False
    explained = Explained(VALUES, "value", is_score=False)

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The whole answer; numbers have no score."""
        return dict(outputs)

    def line(self, kept: Outputs) -> str:
        """Each number with its name; then how many more there are."""
        rows = self.rows(kept)
        shown = ", ".join(f"{row['name']} {row['value']:.4g}" for row in rows[:MOST_SHOWN])
        return f"{shown} (+{len(rows) - MOST_SHOWN})" if len(rows) > MOST_SHOWN else shown

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each number: its name and its value."""
        names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in kept[NAMES]]
        return [
            {"name": name, "value": value}
            for name, value in zip(names, np.asarray(kept[VALUES], np.float64).tolist(), strict=True)
        ]

    def named_numbers(self) -> tuple[str, str, tuple[str, ...]]:
        """The output of the numbers, that of their names, and the names: a table has a column for each."""
        return VALUES, NAMES, tuple(map(str, self.answers.get("names", ())))

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """Raises ConfigError: numbers have no place in the image."""
        raise ConfigError("the answers of this model are numbers, which cannot be drawn over an image")

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Raises ConfigError: COCO's results contain objects."""
        raise ConfigError("COCO's results contain objects; this model answers with numbers")
