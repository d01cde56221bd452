"""Change one setting by its path, with the same checks as in the pipeline file."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from kerasvision import lookup
from kerasvision.config.base import Config
from kerasvision.config.literals import value_of
from kerasvision.config.suggestions import suggestions
from kerasvision.errors import ConfigError

C = TypeVar("C", bound=Config)


def with_value(settings: C, path: str, value: object) -> C:
    """A copy of the settings with one field changed.

    Args:
        settings: the object that the path starts from.
        path: field names, positions and keys joined by dots: `training.epochs`, `augment.0.pad`, `model.options.pooling`.
            One of them may be in brackets, as in Python: `augment[0].pad`, `search.space["training.epochs"].low`.
        value: the new value. If the field does not accept a text itself, the text is read as JSON or as in a pipeline file,
            `(64, 64)` or `c.Adam(learning_rate=0.1)`. Quotes around a text are removed.

    Raises:
        ConfigError: the path does not exist, or the field rejects the value.

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
    """A copy of the settings with several fields changed. They are checked once all are set, so their order is free.

    Args:
        settings: the object that the paths start from.
        values: path -> new value, as for `with_value`. If a path and a path below it are both given, the second changes the
            new value of the first.

    Raises:
        ConfigError: a path does not exist, or a field rejects its value.

    >>> from kerasvision.config import Training
    >>> many = {"optimizer.beta_1": 0.8, "optimizer": "adam", "warmup_epochs": 6, "epochs": 9}
    >>> made = with_values(Training(epochs=5), many)
    >>> made.epochs, made.optimizer.beta_1
    (9, 0.8)
    """
    changes = [_Change(path, _parts(path), value) for path, value in values.items()]
    try:
        return _changed_config(settings, _by_part(changes))
    except ConfigError as error:
        raise _with_suggestion(error, settings, changes) from None


def with_overrides(settings: C, assignments: Iterable[str]) -> C:
    """A copy of the settings with each `path=value` applied, as in `--set`. If a path occurs twice, the last one counts."""
    values: dict[str, object] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ConfigError("an override must have the form path=value", received=assignment)
        values.pop(path.strip(), None)
        values[path.strip()] = value.strip()
    return with_values(settings, values)


@dataclass(frozen=True)
class _Change:
    """A new value at `parts` below the current object; `path` is the complete path, for messages."""

    path: str
    parts: list[str]
    value: object

    @property
    def below(self) -> "_Change":
        return _Change(self.path, self.parts[1:], self.value)

    @property
    def above(self) -> str:
        """The path of the current object."""
        return ".".join(_parts(self.path)[: -len(self.parts)])


def _parts(path: str) -> list[str]:
    """The steps of a path.

    >>> _parts('search.space["training.optimizer"].values'), _parts("augment[0]")
    (['search', 'space', 'training.optimizer', 'values'], ['augment', '0'])
    """
    bracketed = re.fullmatch(r"""([^\[\]]+)\[(["']?)([^\[\]"']+)\2\](?:\.(.+))?""", path)
    if bracketed is None:
        return path.split(".")
    above, _, step, below = bracketed.groups()
    return [*above.split("."), step, *(below.split(".") if below else [])]


def _with_suggestion(error: ConfigError, settings: Config, changes: list[_Change]) -> ConfigError:
    """The error, with suggestions for the assignment that causes it, if one assignment alone causes the same error."""

    def refusal(change: _Change) -> str:
        try:
            _changed(settings, [change])
        except ConfigError as refused:
            return str(refused)
        return ""

    def accepts(path: str, value: object) -> bool:
        try:
            return _changed(settings, [_Change(path, path.split("."), value)]) != settings
        except ConfigError:
            return False

    for change in changes:
        if refusal(change) != str(error) or "did you mean" in str(error).lower():
            continue
        if meant := suggestions(settings, change.parts, change.value, accepts=accepts):
            rule = str(error).partition("; choose from ")[0]
            return ConfigError(rule, hint=f"did you mean {' or '.join(meant)}?")
    return error


def _changed(node: object, changes: list[_Change]) -> object:
    """A copy of the object with all changes made; each is somewhere below it."""
    by_part = _by_part(changes)
    if isinstance(node, Config):
        return _changed_config(node, by_part)
    if isinstance(node, Mapping):
        return {**node, **{part: _entry(node.get(part), below) for part, below in by_part.items()}}
    above = changes[0].above
    if not isinstance(node, tuple):
        raise ConfigError(f"{above} is {node!r}, which has no settings inside", hint=f"set {above} itself")
    places = {str(place): item for place, item in enumerate(node)}
    for part in by_part:
        if part not in places:
            last = len(node) - 1
            there = f"its entries are numbered 0 to {last}" if last > 0 else "its only entry is 0" if node else "it is empty"
            raise ConfigError(f"{above} has no entry {part!r}; {there}")
    return tuple(_choices(item, by_part[place])[0] if place in by_part else item for place, item in places.items())


def _by_part(changes: Iterable[_Change]) -> dict[str, list[_Change]]:
    """The first step of each path -> what changes below it."""
    found: dict[str, list[_Change]] = {}
    for change in changes:
        found.setdefault(change.parts[0], []).append(change.below)
    return found


def _entry(held: object, changes: list[_Change]) -> object:
    """The new value of a key in a mapping. A mapping has no declared type, so a text is parsed whenever possible."""
    return _changed(held, changes) if changes[-1].parts else _from_text(changes[-1].value)


def _changed_config(node: C, by_part: Mapping[str, list[_Change]]) -> C:
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


def _first_that_fits(node: C, choices: Mapping[str, tuple[object, ...]]) -> C:
    """The settings with the first combination of choices, one per field, that they accept."""
    fields = {name: getattr(node, name) for name in type(node).model_fields}
    # Most fields are decided one by one, because each undecided field doubles the number of combinations.
    choices = {name: _decided(type(node), fields, name, options) for name, options in choices.items()}
    for values in product(*choices.values()):
        try:
            return type(node).parse(fields | dict(zip(choices, values, strict=True)))
        except ConfigError as error:
            refused = error
    raise refused


def _decided(cls: type[Config], fields: dict[str, object], name: str, options: tuple[object, ...]) -> tuple[object, ...]:
    """The first choice that a field accepts if nothing else changes; all choices if it accepts none."""
    for option in options if len(options) > 1 else ():
        with suppress(ConfigError):
            cls.parse(fields | {name: option})
            return (option,)
    return options


def _choices(held: object, changes: list[_Change]) -> tuple[object, ...]:
    """The possible new values of a field: a text may be meant literally or as JSON."""
    if changes[-1].parts:
        return (_changed(held, changes),)
    value = changes[-1].value
    parsed = _from_text(value)
    if parsed is value:
        return (value,)
    if isinstance(parsed, str):
        return (parsed,)  # it was in quotes
    # A text field takes the text itself; "null" is None wherever None is allowed.
    return (parsed, value) if parsed is None else (value, parsed)


def _from_text(value: object) -> object:
    """The value that a text represents; other values are unchanged."""
    return value_of(value) if isinstance(value, str) else value
