"""Change one setting by its path, with the same checks as in the pipeline file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from kerasvision import lookup
from kerasvision.config.base import Config
from kerasvision.errors import ConfigError

C = TypeVar("C", bound=Config)


def with_value(settings: C, path: str, value: object) -> C:
    """Equal settings but for one field.

    Args:
        settings: the object that the path starts from.
        path: field names, positions and keys joined by dots: `training.epochs`, `augment.0.pad`, `model.options.pooling`.
        value: the new value; a text is read as JSON where the field does not take the text itself.

    Raises:
        ConfigError: no such path, or a value that the field refuses.

    >>> from kerasvision.config import Training
    >>> with_value(Training(epochs=5), "optimizer.learning_rate", "0.5").optimizer.learning_rate
    0.5
    >>> with_value(Training(), "epoch", 3)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Training has no field 'epoch'; did you mean 'epochs'?
    """
    return with_values(settings, {path: value})


def with_values(settings: C, values: Mapping[str, object]) -> C:
    """Equal settings but for some fields, checked when all of them are set: no order has to be found.

    Args:
        settings: the object that the paths start from.
        values: path -> new value, as for `with_value`. What lies below a path that is also set goes into the new value.

    Raises:
        ConfigError: no such path, or a value that the field refuses.

    >>> from kerasvision.config import Training
    >>> many = {"optimizer.beta_1": 0.8, "optimizer": "adam", "warmup_epochs": 6, "epochs": 9}
    >>> made = with_values(Training(epochs=5), many)
    >>> made.epochs, made.optimizer.beta_1
    (9, 0.8)
    """
    return _changed(settings, [_Change(path, path.split("."), value) for path, value in values.items()])


def with_overrides(settings: C, assignments: Iterable[str]) -> C:
    """Equal settings but for each `path=value`, as `--set` takes them; of two with one path, the last one counts."""
    values = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ConfigError("an override has the form path=value", received=assignment)
        values.pop(path.strip(), None)
        values[path.strip()] = value.strip()
    return with_values(settings, values)


@dataclass(frozen=True)
class _Change:
    """A value for what lies at `parts` below the object in hand; `path` is the whole way, for messages."""

    path: str
    parts: list[str]
    value: object

    @property
    def below(self) -> "_Change":
        return _Change(self.path, self.parts[1:], self.value)


def _changed(node: object, changes: list[_Change]) -> object:
    """The object with all changes made; each of them lies somewhere below it."""
    by_part: dict[str, list[_Change]] = {}
    for change in changes:
        by_part.setdefault(change.parts[0], []).append(change.below)
    if isinstance(node, Config):
        return _changed_config(node, by_part)
    if isinstance(node, Mapping):
        # Nothing says here what a text is meant to be: JSON where it is JSON.
        return {**node, **{part: _from_text(_choices(node.get(part), below)[0]) for part, below in by_part.items()}}
    path = changes[0].path
    if not isinstance(node, tuple):
        raise ConfigError(f"{path}: nothing lies below a value such as {node!r}")
    for part in by_part:
        if not part.isdigit() or int(part) >= len(node):
            raise ConfigError(f"{path}: {part!r} is no position in a list of {len(node)}")
    return tuple(
        _choices(item, by_part[str(place)])[0] if str(place) in by_part else item for place, item in enumerate(node)
    )


def _changed_config(node: Config, by_part: dict[str, list[_Change]]) -> Config:
    choices = {}
    for field, changes in by_part.items():
        if field not in type(node).model_fields:
            hint = lookup.did_you_mean(field, type(node).model_fields)
            raise ConfigError(f"{type(node).__name__} has no field {field!r}; {hint}")
        deeper = [change for change in changes if change.parts]
        held = getattr(node, field)
        if deeper and len(deeper) < len(changes):
            held = getattr(_changed_config(node, {field: [change for change in changes if not change.parts]}), field)
            changes = deeper
        choices[field] = _choices(held, changes)
    return _first_that_fits(node, choices)


def _first_that_fits(node: Config, choices: dict[str, tuple[object, ...]]) -> Config:
    """The settings with one of its choices in each field: the first combination that they accept."""
    fields = {name: getattr(node, name) for name in type(node).model_fields}
    for values in product(*choices.values()):
        try:
            return type(node).parse(fields | dict(zip(choices, values, strict=True)))
        except ConfigError as error:
            refused = error
    raise refused


def _choices(held: object, changes: list[_Change]) -> tuple[object, ...]:
    """What a value may become: a text may be meant as it stands or as JSON."""
    if changes[-1].parts:
        return (_changed(held, changes),)
    value = changes[-1].value
    parsed = _from_text(value)
    # A text field takes the text itself; "null" is None wherever None is allowed.
    return (value,) if parsed is value else (parsed, value) if parsed is None else (value, parsed)


def _from_text(value: object) -> object:
    """What a text says as JSON, or the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
