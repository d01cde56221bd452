"""Parses a value on the command line: JSON, a Python literal, or settings as written in a pipeline file."""

import ast
import json
import re
import warnings
from typing import Any

from kerasvision import lookup
from kerasvision.errors import ConfigError

PLAIN = (str, bool, int, float, type(None))
# "module:name" in a list or tuple without its quotes.
_PATH = re.compile(r"(?<=[\[(,\s])([A-Za-z_][\w.]*:[A-Za-z_]\w*)(?=\s*[,\])])")


class _NoValue(Exception):
    """The text is not JSON, a literal or settings."""


def value_of(text: str) -> object:
    """The value that a text represents, or the text itself if it represents none.

    Raises:
        ConfigError: it represents settings that are not valid.

    >>> value_of("[64, 64]"), value_of("(64, 64)"), value_of("None"), value_of("adam"), value_of("'adam'")
    ([64, 64], (64, 64), None, 'adam', 'adam')
    >>> value_of("c.Adam(learning_rate=0.1)").learning_rate
    0.1
    >>> value_of("[onnx, litert]"), value_of("[onnx, mine:OpenVino]")
    (['onnx', 'litert'], ['onnx', 'mine:OpenVino'])
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or deeply nested brackets
        pass
    # A shell removes the quotes from ["mine:OpenVino"].
    for written in (text, _PATH.sub(r'"\1"', text)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about backslashes, for example: the text was not written as Python
                return _evaluated(ast.parse(written.strip(), mode="eval").body)
        except (_NoValue, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            pass
    return text


def _evaluated(node: ast.expr | None) -> object:
    """The value of an expression; `**other` in a dictionary has no key, and is rejected."""
    if isinstance(node, ast.Constant) and isinstance(node.value, PLAIN):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_evaluated(item) for item in node.elts)
    if isinstance(node, ast.List):
        # A shell removes the quotes from ["onnx"].
        return [item.id if isinstance(item, ast.Name) else _evaluated(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_evaluated(key): _evaluated(item) for key, item in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _evaluated(node.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number
    if isinstance(node, ast.Call):
        return _settings(node)
    raise _NoValue


def _settings(call: ast.Call) -> object:
    """The settings that `c.Adam(learning_rate=0.1)` makes."""
    make = _class_of(call.func)
    if any(keyword.arg is None for keyword in call.keywords):  # **other
        raise _NoValue
    arguments = [_evaluated(argument) for argument in call.args]
    fields = {keyword.arg: _evaluated(keyword.value) for keyword in call.keywords if keyword.arg is not None}
    try:
        return make(*arguments, **fields)
    except TypeError as error:
        hint = f"write each setting with its name, as in c.{make.__name__}(name=value)"
        raise ConfigError(f"c.{make.__name__}(...) cannot be made: {error}", hint=hint) from None


def _class_of(name: ast.expr) -> type[Any]:
    """The class that `c.Name` names."""
    if not (isinstance(name, ast.Attribute) and isinstance(name.value, ast.Name) and name.value.id == "c"):
        raise _NoValue
    from kerasvision import config  # which imports this module

    if name.attr not in config.__all__:
        raise ConfigError(f"kerasvision.config has no {name.attr!r}; {lookup.did_you_mean(name.attr, config.__all__)}")
    found: type[Any] = getattr(config, name.attr)
    return found


def text_of(value: object) -> str:
    """The text that `value_of` reads back as this value: JSON unless the value is a text.

    >>> text_of(("litert",)), text_of("adam")
    ('["litert"]', 'adam')
    """
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except TypeError:
        return repr(value)
