"""What every number on the command line must be: finite, and no larger than 64 bits hold.

The bounds of an option (`min=`, `max=`) let nan pass, which is neither below nor above any bound, and infinity where there
is no upper bound. So this rule applies to every option and argument of every command, in one place.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

# Of whole numbers: what 64 bits hold.
MOST = 2**63 - 1


class CheckedNumbers(TyperGroup):
    """A group of commands that refuses numbers which no command can use, in its commands and in groups below it."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        for parameter in _parameters(self):
            parameter.callback = _checked(parameter.callback)


def is_usable(number: float) -> bool:
    """Whether a command can use a number.

    >>> [is_usable(number) for number in (0.5, -3, math.nan, math.inf, 10**400)]
    [True, True, False, False, False]
    """
    return abs(number) <= MOST if isinstance(number, int) else math.isfinite(number)


def _parameters(command: Any) -> Iterator[Any]:
    yield from command.params
    for inner in getattr(command, "commands", {}).values():
        yield from _parameters(inner)


def _checked(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """The callback of an option, after this rule."""

    def check(context: typer.Context, parameter: Any, value: Any) -> Any:
        if isinstance(value, int | float) and not is_usable(value):
            kind = "a finite number" if isinstance(value, float) else f"a whole number of at most {MOST:,}"
            raise typer.BadParameter(f"must be {kind}; received {_short(str(value))}.", ctx=context, param=parameter)
        return callback(context, parameter, value) if callback else value

    return check


def _short(text: str) -> str:
    """The beginning of a long number, and how long it is.

    >>> _short("-inf"), _short("9" * 400)
    ('-inf', '99999999999999999999... (400 digits)')
    """
    return text if len(text) <= 20 else f"{text[:20]}... ({len(text)} digits)"
