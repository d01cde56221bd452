"""A saved model's answers as the columns of a table: path, labels and scores, every other output, fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kerasvision.config.listing import storable
from kerasvision.data.sources.text import replace_surrogates
from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.asking.predict import Row, plain, plain_output
from kerasvision.served.signatures import BYTES_SUFFIX

PATH, FAULT = "path", "fault"
# Two outputs that belong together: labels, best first, and their scores. `classes` is the first of these labels.
TOP_LABELS, TOP_SCORES, LABEL = "top_classes", "top_scores", "classes"

Outputs = Mapping[str, tuple[str, tuple[int | None, ...]]]
# An output of numbers, the output of their names, and the names; see `Presentation.named_numbers`.
NamedNumbers = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Columns:
    """The columns for the outputs of a model.

    Attributes:
        outputs: output name -> (type, lengths of the axes after the first), as in `ImagePredictor.outputs`.
        top: the number of label and score columns; 0 if the model gives no such lists.
        numbers: an output of V numbers, the output of their names, and the names: each has a column; None without them.
    """

    outputs: Outputs
    top: int
    numbers: NamedNumbers | None = None

    @classmethod
    def of(cls, outputs: Outputs, *, top: int | None = None, numbers: NamedNumbers | None = None) -> "Columns":
        """The columns for a model with these outputs.

        Args:
            outputs: as in `ImagePredictor.outputs`.
            top: how many of the best labels; None means all that the model gives.
            numbers: see `Columns`; ignored unless it has a name for each number.

        Raises:
            ConfigError: `top` is more than the model gives.
            ExportError: a table cannot contain an output of this type.

        >>> Columns.of({"classes": ("string", ()), "scores": ("float32", (10,))}).schema.names
        ['path', 'classes', 'scores', 'fault']
        >>> Columns.of({"top_classes": ("string", (2,)), "top_scores": ("float32", (2,))}).schema.names
        ['path', 'label', 'score', 'label_2', 'score_2', 'fault']
        >>> numbers = {"values": ("float32", (2,)), "names": ("string", (2,))}
        >>> Columns.of(numbers, numbers=("values", "names", ("age", "height"))).schema.names
        ['path', 'age', 'height', 'fault']
        """
        given = _listed_labels(outputs)
        if top is not None and top > given:
            says = f"gives {given} labels for an image" if given else "gives no list of the best labels"
            way_out = "train with a larger task.top_k" if given else "leave top out"
            raise ConfigError(f"this saved model {says}; received top={top}", hint=way_out)
        if numbers is not None and outputs[numbers[0]][1] != (len(numbers[2]),):
            numbers = None
        made = cls(outputs, given if top is None else top, numbers)
        made.schema  # noqa: B018 - rejects an output that a table cannot contain before the first image
        return made

    @property
    def schema(self) -> pa.Schema:
        """Names and types."""
        fields = [(PATH, pa.string())]
        for rank in range(self.top):
            fields += [(_ranked("label", rank), pa.string()), (_ranked("score", rank), pa.float32())]
        fields += [(_own_name(name), pa.float32()) for name in self._names]
        fields += [(_own_name(name), _arrow_type(name, *self.outputs[name])) for name in self._others]
        return pa.schema([*fields, (FAULT, pa.string())])

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Answers as a table; the cells of the outputs are empty if there is a fault."""
        columns: dict[str, list[Any]] = {
            PATH: [storable(row.image.name) for row in rows],
            FAULT: [replace_surrogates(row.fault) for row in rows],
        }
        answers = [row.outputs for row in rows]
        for rank in range(self.top):
            columns[_ranked("label", rank)] = [None if one is None else plain(one[TOP_LABELS][rank]) for one in answers]
            columns[_ranked("score", rank)] = [None if one is None else one[TOP_SCORES][rank] for one in answers]
        for place, name in enumerate(self._names):
            columns[_own_name(name)] = [None if one is None else one[self._values][place] for one in answers]
        for name in self._others:
            columns[_own_name(name)] = [None if one is None else _cell(name, one[name]) for one in answers]
        arrays = [pa.array(columns[field.name], field.type) for field in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def answers(self, table: pa.Table) -> list[dict[str, Any]]:
        """The rows of a table of `table` as plain values, by the names of the outputs, with `path` and `fault`."""
        own = {_own_name(name): name for name in self._others}
        rows = [{own.get(name, name): value for name, value in row.items()} for row in table.to_pylist()]
        if self.numbers is None:
            return rows
        values, names, each = self.numbers
        return [row | {values: [row.pop(_own_name(name)) for name in each], names: list(each)} for row in rows]

    def best(self, outputs: Mapping[str, Any]) -> list[tuple[str, float]]:
        """(label, score) of an answer in plain values, best first; empty if the model gives no such lists."""
        labels, scores = outputs.get(TOP_LABELS, []), outputs.get(TOP_SCORES, [])
        return list(zip(labels, scores, strict=False))[: self.top]

    def cut(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """An answer in plain values with its `top` best labels and their scores; all other outputs are unchanged.

        >>> columns = Columns.of({"top_classes": ("string", (2,)), "top_scores": ("float32", (2,))}, top=1)
        >>> columns.cut({"top_classes": ["cat", "dog"], "top_scores": [0.75, 0.25], "valid": True})
        {'top_classes': ['cat'], 'top_scores': [0.75], 'valid': True}
        """
        ranked = (TOP_LABELS, TOP_SCORES) if self.top else ()
        return {name: value[: self.top] if name in ranked else value for name, value in outputs.items()}

    @property
    def _others(self) -> list[str]:
        ranked = {TOP_LABELS, TOP_SCORES, LABEL} if self.top else set()
        in_columns = ranked | set(self.numbers[:2] if self.numbers else ())
        return [name for name in self.outputs if name not in in_columns]

    @property
    def _values(self) -> str:
        return self.numbers[0] if self.numbers else ""

    @property
    def _names(self) -> tuple[str, ...]:
        return self.numbers[2] if self.numbers else ()


def _listed_labels(outputs: Outputs) -> int:
    """How many of the best labels a model lists; 0 if it lists none, or does not say how many."""
    labels, scores = outputs.get(TOP_LABELS), outputs.get(TOP_SCORES)
    if labels is None or scores is None or len(labels[1]) != 1 or labels[1] != scores[1]:
        return 0
    return labels[1][0] or 0


def _ranked(name: str, rank: int) -> str:
    return name if rank == 0 else f"{name}_{rank + 1}"


def _own_name(name: str) -> str:
    """The name of an output's column. An output with the name of one of our columns gets a prefix."""
    taken = name in (PATH, FAULT) or name.partition("_")[0] in ("label", "score")
    return f"output_{name}" if taken else name


def _arrow_type(name: str, dtype: str, shape: tuple[int | None, ...]) -> pa.DataType:
    if dtype == "string" and name.endswith(BYTES_SUFFIX) and not shape:
        return pa.binary()
    try:
        found = pa.string() if dtype == "string" else pa.float32() if dtype == "bfloat16" else pa.from_numpy_dtype(dtype)
    except (TypeError, pa.ArrowException):
        raise ExportError(f"a table cannot contain output {name!r} of type {dtype}") from None
    for _ in shape:
        found = pa.list_(found)
    return found


def _cell(name: str, value: object) -> object:
    """Rows of numbers stay arrays, which Arrow reads as a whole; all other values become plain."""
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fiub":
        return value
    return plain_output(name, value)
