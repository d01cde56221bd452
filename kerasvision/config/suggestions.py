"""Suggests which assignment was meant, if one names an unknown setting, or a value that the setting rejects."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from kerasvision.config.base import Config
from kerasvision.config.literals import text_of, value_of
from kerasvision.errors import ConfigError

# A longer list would not help.
MOST = 3
# A field that accepts this accepts any text, so accepting a text does not show that the field was meant.
NONSENSE = "\N{REPLACEMENT CHARACTER}"


def suggestions(settings: Config, parts: list[str], value: object, *, accepts: Callable[[str, object], bool]) -> list[str]:
    """`path=value` of the assignments that may have been meant; empty if more than three are possible.

    Args:
        settings: the object that the path starts from.
        parts: of the path that was given.
        value: that was given.
        accepts: whether the settings accept a value at a path, and change with it.

    Returns:
        For an unknown path: paths elsewhere that end in the same name, or else in one with similar spelling. For a
        rejected value: paths below it that accept the value, or a list of the value.
    """
    if tuple(parts) in _paths(settings):
        below = (path for path in _paths(settings) if len(path) > len(parts) and path[: len(parts)] == tuple(parts))
        meant = [(path, value) for path in below if not _fits_alone(settings, path, NONSENSE)]
        meant += [(tuple(parts), several) for several in _lists(settings, parts, value)]
        # Other settings, such as the options of another network, may conflict with it. The user can change them next.
        otherwise = [one for one in meant if _fits_alone(settings, *one)]
    else:
        meant = otherwise = [(path, value) for path in paths_like(settings, parts)]
    fitting = [one for one in meant if accepts(".".join(one[0]), one[1])] or otherwise
    return [f"{'.'.join(path)}={text_of(new)}" for path, new in fitting] if len(fitting) <= MOST else []


def paths_like(settings: Config, parts: list[str]) -> list[tuple[str, ...]]:
    """Paths that end in the same or a similar name; only those in the same group of settings, if there are any."""
    known = list(_paths(settings))
    names = sorted({path[-1] for path in known})
    close = [parts[-1]] if parts[-1] in names else difflib.get_close_matches(parts[-1][:200], names, n=1, cutoff=0.8)
    found = [path for path in known if path[-1] in close]
    near = [path for path in found if path[: len(parts) - 1] == tuple(parts[:-1])]
    return near or found


def _fits_alone(settings: Config, path: tuple[str, ...], value: object) -> bool:
    """Whether the group of a field accepts a new value for it, with defaults for all other fields."""
    group, name = _held(settings, path[:-1]), path[-1]
    for one in (value_of(value), value) if isinstance(value, str) else (value,):
        with suppress(ConfigError):
            return isinstance(group, Config) and getattr(type(group).parse({name: one}), name) != getattr(group, name)
    return False


def _lists(settings: Config, parts: list[str], value: object) -> Iterator[list[object]]:
    """The value as a list: repeated once for each current entry, at least once."""
    held = _held(settings, parts)
    if isinstance(held, tuple):
        item = value_of(value) if isinstance(value, str) else value
        yield [item] * max(1, len(held))


def _held(settings: Config, parts: Sequence[str]) -> object:
    """The value at a path."""
    held: object = settings
    for part in parts:
        held = held[int(part)] if isinstance(held, tuple) else getattr(held, part)
    return held


def _paths(node: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every setting that has a value now."""
    if isinstance(node, Config):
        for name in type(node).model_fields:
            yield (*above, name)
            yield from _paths(getattr(node, name), (*above, name))
    elif isinstance(node, tuple):
        for place, item in enumerate(node):
            if isinstance(item, Config):
                yield (*above, str(place))
            yield from _paths(item, (*above, str(place)))
