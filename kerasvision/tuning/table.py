"""The trials of a search as a table: a row per trial, best first, a column per setting that was varied."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kerasvision.tuning.records import SearchResult, TrialRecord

# The first columns of every table of trials; then the settings by path, then why a trial failed or was stopped.
FACTS = ("trial", "status", "score", "seconds", "epochs", "attempts", "parent")
ERROR = "error"

# The least length of a column head: "0.pad" is clearer than "pad".
SHORTEST_NAME = 5


def trials_table(result: SearchResult) -> pd.DataFrame:
    """A row per trial, best first; those without a score last.

    Returns:
        `trial`, `status`, `score` (may be missing), `seconds`, `epochs` (its own, without those of `parent`), `attempts`,
        `parent`; a column for each path, with missing values for unmet conditions; `error`.

    >>> low, high = (TrialRecord(f"{i:04d}", "COMPLETED", 0.5 + i / 5, 9.0, 3, 1, {"training.l2": i}) for i in range(2))
    >>> trials_table(SearchResult({}, (low, high), "val_accuracy", "max"))[["trial", "score", "training.l2"]]
      trial  score  training.l2
    0  0001    0.7            1
    1  0000    0.5            0
    """
    paths = varied_paths(result.trials)
    ranked = result.ranked()
    facts = [(t.id, t.status, t.score, t.seconds, t.epochs, t.attempts, t.parent) for t in ranked]
    table = pd.DataFrame(facts, columns=list(FACTS)).astype({"score": "float64"})
    for path in paths:
        table[path] = _column([trial.values.get(path) for trial in ranked])
    return table.assign(**{ERROR: [trial.error for trial in ranked]})


def varied_paths(trials: Iterable[TrialRecord]) -> tuple[str, ...]:
    """The settings that any trial varied, in the order in which they first occur."""
    return tuple(dict.fromkeys(path for trial in trials for path in trial.values))


def read_trials_table(file: Path) -> pd.DataFrame:
    """The table of `trials_table` from a file of `to_csv(index=False)`. Integers stay integers in columns with gaps."""
    kinds = dict.fromkeys(("trial", "status", "parent", ERROR), "string")
    return pd.read_csv(file, dtype=kinds, dtype_backend="numpy_nullable", keep_default_na=False, na_values=[""])


def printed(table: pd.DataFrame, *, most: int) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the best trials as texts for a screen, without columns that say nothing.

    Args:
        table: from `trials_table` or `read_trials_table`.
        most: the largest number of rows.
    """
    best = table.head(most)
    paths = [name for name in table.columns if name not in (*FACTS, ERROR)]
    fixed = [name for name in FACTS if name != "attempts" and not _says_nothing(name, best)]
    heads = short_names(paths)
    formats = {"score": "{:.4f}".format, "seconds": "{:.0f}".format}
    columns = [[_text(value, formats.get(name, written)) for value in best[name]] for name in (*fixed, *paths)]
    return [*fixed, *(heads[path] for path in paths)], [list(row) for row in zip(*columns, strict=True)]


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Path -> its shortest end that distinguishes it from the others.

    >>> short_names(["training.optimizer.learning_rate", "augment.0.pad", "model.name", "model.options.width"])
    {'training.optimizer.learning_rate': 'learning_rate', 'augment.0.pad': '0.pad', 'model.name': 'model.name',
     'model.options.width': 'width'}
    >>> list(short_names(["augment.0.probability", "augment.1.probability"]).values())
    ['0.probability', '1.probability']
    """
    return {path: _short_name(path, paths) for path in paths}


def written(value: object) -> str:
    """A setting's value in few characters; fractions have three digits.

    >>> written(0.012345), written(64), written(True), written("relu")
    ('0.0123', '64', 'True', 'relu')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _short_name(path: str, paths: Sequence[str]) -> str:
    parts = path.split(".")
    for count in range(1, len(parts)):
        end = ".".join(parts[-count:])
        if len(end) >= SHORTEST_NAME and not any(f".{other}".endswith(f".{end}") for other in paths if other != path):
            return end
    return path


def _column(values: list[object]) -> pd.Series:
    """A column in which integers and booleans keep their type if values are missing; pandas would convert them."""
    kinds = {type(value) for value in values if value is not None}
    kind = {frozenset({int}): "Int64", frozenset({bool}): "boolean"}.get(frozenset(kinds)) if None in values else None
    return pd.Series(values, dtype=kind)


def _text(value: Any, form: Callable[[Any], str]) -> str:
    return "" if pd.isna(value) else form(value)


def _says_nothing(name: str, table: pd.DataFrame) -> bool:
    return name in ("status", "parent") and bool(table[name].fillna("").isin(["", "COMPLETED"]).all())
