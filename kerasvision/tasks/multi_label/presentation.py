"""Shows the tags of an image: `sea 0.98, sun 0.71 (+2)`, a row per tag, the tags on the picture."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from kerasvision.data.class_colors import class_color
from kerasvision.errors import ConfigError
from kerasvision.tasks.drawing import draw_tags, writable
from kerasvision.tasks.multi_label.answers import SCORES, TAG_SCORES, TAGS
from kerasvision.tasks.presentation import NAME, Explained, Outputs, Presentation

CHOSEN_TAGS = "chosen_tags"
# A line shows at most this many tags, the best first.
MOST_SHOWN = 6
NOTHING = "no tag"


def answers_of(names: Sequence[str], thresholds: Sequence[float]) -> dict[str, Any]:
    """The content of `answers.json`: which outputs a page lists, and the threshold of each tag.

    >>> answers_of(("sea",), (0.25,))["thresholds"]
    {'sea': 0.25}
    """
    listed = {"tags": TAGS, "scores": TAG_SCORES, "nothing": NOTHING}
    return {NAME: CHOSEN_TAGS, "places": listed, "thresholds": dict(zip(names, map(float, thresholds), strict=True))}


class ChosenTags(Presentation):
    """Answers of any number of tags: `tags` string (K,), empty texts at the end, and `tag_scores` float (K,).

    >>> answer = {"tags": np.array([b"sea", b"sun", b""]), "tag_scores": np.array([0.71, 0.98, 0.0])}
    >>> shown = ChosenTags(answers_of(("sea", "sun"), (0.5, 0.5)))
    >>> shown.line(shown.kept(answer)), shown.rows(shown.kept(answer, least_score=0.9))
    ('sun 0.98, sea 0.71', [{'label': 'sun', 'score': 0.98}])
    """

    heading = "tags"
    needs = (TAGS, TAG_SCORES)
    columns: ClassVar[Mapping[str, type]] = MappingProxyType({"label": str, "score": float})
    has_objects = False
    explained = Explained(SCORES, "tag")

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The answer with its tags of at least a score, the best first, and without empty texts."""
        tags, scores = np.asarray(outputs[TAGS]), np.asarray(outputs[TAG_SCORES])
        names = [_text(tag) for tag in tags.tolist()]
        order = [place for place in np.argsort(-scores, kind="stable").tolist() if names[place]]
        order = [place for place in order if scores[place] >= least_score]
        return {**outputs, TAGS: [names[place] for place in order], TAG_SCORES: scores[order]}

    def line(self, kept: Outputs) -> str:
        """The tags with their scores, the best first; then how many more there are."""
        rows = self.rows(kept)
        shown = ", ".join(f"{row['label']} {row['score']:.2f}" for row in rows[:MOST_SHOWN])
        return (f"{shown} (+{len(rows) - MOST_SHOWN})" if len(rows) > MOST_SHOWN else shown) or NOTHING

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each tag: its name and its score, the best first."""
        pairs = zip(kept[TAGS], np.asarray(kept[TAG_SCORES]).tolist(), strict=True)
        return [{"label": name, "score": float(score)} for name, score in pairs]

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The image with the tags in its upper left corner, as many as fit."""
        lines = [
            (f"{writable(row['label'], otherwise='(tag)')} {row['score']:.2f}", class_color(number))
            for number, row in enumerate(self.rows(kept))
        ]
        return draw_tags(image.convert("RGB"), lines or [(NOTHING, class_color(0))])

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Raises ConfigError: COCO's results contain objects, and tags say nothing of single objects."""
        raise ConfigError("COCO's results contain single objects; this model answers with the tags of the whole image")


def _text(label: Any) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
