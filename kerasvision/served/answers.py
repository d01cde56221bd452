"""`assets.extra/answers.json` of a SavedModel: how people see its answers, if its task has its own way.

```
presentation    a name in `kerasvision.lookup.PRESENTATIONS`
places          for a page: which outputs are corners, labels, scores and count, and the least score to show; without a count
                the corners are those of one place, which may have no label and no score. Or which outputs are a map of
                class numbers as a PNG, the names and the shares of the classes; and their colours, "" for none. Or which
                outputs are numbers, and their names as labels. Or which outputs are tags and their scores, and what is said
                of an image without tags
names           the names of these numbers
thresholds      tag -> the score from which on an answer has it
category_ids    label -> its number in the source's own files, if they have numbers
```
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.errors import ExportError

FILE = Path("assets.extra", "answers.json")
PLACES, CATEGORY_IDS = "places", "category_ids"


def write_answers(answers: Mapping[str, Any], *, folder: Path) -> None:
    """Writes the file into a SavedModel; without answers, none is written."""
    if answers:
        file = folder / FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(dict(answers), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_answers(folder: Path) -> dict[str, Any]:
    """What the file of a SavedModel says; empty if there is no such file.

    Raises:
        ExportError: the file is damaged.

    >>> read_answers(Path("/nowhere"))
    {}
    """
    file = folder / FILE
    if not file.is_file():
        return {}
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(answers, dict):
            raise ValueError("it does not contain a JSON object")
        for key in (PLACES, CATEGORY_IDS):
            if not isinstance(answers.get(key, {}), dict):
                raise ValueError(f"{key!r} is not a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise ExportError(f"{file} is damaged: {error}", hint="export the model again") from error
    return answers
