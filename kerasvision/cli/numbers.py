"""Checks that every number on the command line is finite and fits in 64 bits, and names the values that are rejected.

The bounds of an option (`min=`, `max=`) accept nan, which is neither below nor above any bound, and infinity if there is no
upper bound. So this check applies to every option and argument of every command.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

# The largest 64-bit integer.
MOST = 2**63 - 1


class CheckedNumbers(TyperGroup):
    """A group of commands that rejects unusable numbers, in its own commands and in the groups below it."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        for parameter in _parameters(self):
            parameter.callback = _checked(parameter.callback)
            parameter.process_value = _naming(parameter.process_value)


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
    """A callback that makes this check and then calls the option's own."""

    def check(context: typer.Context, parameter: Any, value: Any) -> Any:
        if isinstance(value, int | float) and not is_usable(value):
            kind = "a finite number" if isinstance(value, float) else f"an integer of at most {MOST:,}"
            raise typer.BadParameter(f"must be {kind}; received {_short(str(value))}.", ctx=context, param=parameter)
        return callback(context, parameter, value) if callback else value

    return check


def _naming(process: Callable[..., Any]) -> Callable[..., Any]:
    """Processes the value of an option, with complaints that end with the value that came in."""

    def named(ctx: typer.Context, value: Any) -> Any:
        try:
            return process(ctx, value)
        except typer.BadParameter as error:
            if isinstance(value, str) and value not in error.message and "; received " not in error.message:
                error.message = f"{error.message.rstrip('.')}; received {_short(value)}."
            raise

    return named


def _short(text: str) -> str:
    """The beginning of a long value, and its length.

    >>> _short("-inf"), _short("-" + "9" * 400), _short("a name instead of a number")
    ('-inf', '-9999999999999999999... (400 digits)', 'a name instead of a ... (26 characters)')
    """
    if len(text) <= 20:
        return text
    digits = text.removeprefix("-")
    length = f"{len(digits)} digits" if digits.isdecimal() else f"{len(text)} characters"
    return f"{text[:20]}... ({length})"
