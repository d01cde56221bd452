"""Change one setting by its path, with the same checks as in the pipeline file."""

import json
from collections.abc import Iterable, Mapping
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
    return _replaced(settings, path.split("."), value, path)


def with_overrides(settings: C, assignments: Iterable[str]) -> C:
    """Equal settings but for each `path=value`, in order, as `--set` takes them."""
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ConfigError("an override has the form path=value", received=assignment)
        settings = with_value(settings, path.strip(), value.strip())
    return settings


def _replaced(node: object, parts: list[str], value: object, path: str) -> object:
    if not parts:
        return value
    head, rest = parts[0], parts[1:]
    if isinstance(node, Config):
        if head not in type(node).model_fields:
            hint = lookup.did_you_mean(head, type(node).model_fields)
            raise ConfigError(f"{type(node).__name__} has no field {head!r}; {hint}")
        return _with_field(node, head, _replaced(getattr(node, head), rest, value, path), is_text=not rest)
    if isinstance(node, Mapping):
        return {**node, head: _replaced(node.get(head), rest, _from_text(value), path)}
    if isinstance(node, tuple):
        if not head.isdigit() or int(head) >= len(node):
            raise ConfigError(f"{path}: {head!r} is no position in a list of {len(node)}")
        return (*node[: int(head)], _replaced(node[int(head)], rest, value, path), *node[int(head) + 1 :])
    raise ConfigError(f"{path}: nothing lies below a value such as {node!r}")


def _with_field(node: Config, field: str, value: object, *, is_text: bool) -> Config:
    fields = {name: getattr(node, name) for name in type(node).model_fields}
    parsed = _from_text(value) if is_text else value
    # A text field takes the text itself; "null" is None wherever None is allowed.
    first, second = (parsed, value) if parsed is None else (value, parsed)
    try:
        return type(node).parse(fields | {field: first})
    except ConfigError:
        if first is second:
            raise
        return type(node).parse(fields | {field: second})


def _from_text(value: object) -> object:
    """What a text says as JSON, or the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
