"""A row for each part of an answer, such as a found object, instead of a row for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from kerasvision.export.asking.columns import FAULT, PATH
from kerasvision.tasks.presentation import Presentation

ARROW = {str: pa.string(), float: pa.float32(), int: pa.int64()}


def part_schema(presentation: Presentation) -> pa.Schema:
    """path, the columns of the presentation, fault."""
    own = [(name, ARROW[kind]) for name, kind in presentation.columns.items()]
    return pa.schema([(PATH, pa.string()), *own, (FAULT, pa.string())])


def part_table(answers: Sequence[Mapping[str, Any]], presentation: Presentation) -> pa.Table:
    """The parts of some answers, in order. An image with a fault has one row; an image with an empty answer has none.

    Args:
        answers: of each image `path` and `fault`, and its outputs if it has no fault.
        presentation: gives the parts.
    """
    rows: list[dict[str, Any]] = []
    for answer in answers:
        about = {PATH: answer[PATH], FAULT: answer[FAULT]}
        rows += [about] if answer[FAULT] else [{**about, **part} for part in presentation.rows(answer)]
    return pa.Table.from_pylist(rows, schema=part_schema(presentation))
