"""A digest of what a source file does: of its syntax tree, without docstrings, comments and layout.

Two files with the same digest do the same. Constants, operators, defaults, decorators, annotations (pydantic reads them),
`from __future__` imports and the order of definitions count, and so does every text that is not a docstring. Line numbers
do not count.

Docstrings, comments and layout only count if code reads them. `reads_own_text` recognizes such code by the names that it
mentions: `__doc__`, `getsource`, `doctest`. A docstring that becomes a help text (typer) or a description in a schema
(pydantic) does not change results. `model_json_schema` is one of these names, because code may write the schema to a file.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

# Fields of the tree that do not matter: the `u` of u"text", type comments, and `ctx`, which depends on the position.
_NO_CHANGE = frozenset({"kind", "type_comment", "type_ignores", "ctx"})

_DOCUMENTED = frozenset({ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef})

_READERS = frozenset(
    {
        "__doc__", "getdoc", "get_docstring", "getcomments", "getsource", "getsourcelines", "findsource", "linecache",
        "get_source", "tokenize", "doctest", "pydoc", "model_json_schema",
    }
)  # fmt: skip


def syntax_digest(tree: ast.Module) -> str:
    """SHA-256 of a syntax tree without docstrings and positions, 64 hex digits. It depends on the version of Python.

    >>> one = ast.parse("def area(side):  # in pixels\\n    'The area.'\\n    return side ** 2")
    >>> syntax_digest(one) == syntax_digest(ast.parse("def area(side): return (side**2)"))
    True
    >>> syntax_digest(one) == syntax_digest(ast.parse("def area(side): return side ** 3"))
    False
    """
    return digest_and_nodes(tree)[0]


def digest_and_nodes(tree: ast.Module) -> tuple[str, list[ast.AST]]:
    """The digest of a syntax tree, and all its nodes except docstrings. One walk finds both, to be fast."""
    # Each node comes before its parts, and each list begins with its length, so different trees give different texts.
    # A loop, because recursion fails on a long sum.
    pieces: list[str] = []
    nodes: list[ast.AST] = []
    waiting: list[Any] = [tree]
    while waiting:
        part = waiting.pop()
        kind: Any = type(part)
        if kind is str or part is None:
            pieces.append(repr(part))
        elif kind is list:
            pieces.append(f"[{len(part)}")
            waiting += reversed(part)
        elif isinstance(part, ast.AST):
            pieces.append(kind.__name__)
            nodes.append(part)
            waiting += _parts(part) if kind in _DOCUMENTED else [getattr(part, name, None) for name in _fields(kind)]
        else:
            # Python does not convert an int of more than 4,300 decimal digits to text.
            pieces.append(hex(part) if kind is int else repr(part))
    return hashlib.sha256(" ".join(pieces).encode()).hexdigest(), nodes


def reads_own_text(nodes: Iterable[ast.AST]) -> bool:
    """Whether code mentions something that reads docstrings or source text.

    >>> reads_own_text(ast.walk(ast.parse("print(net.__doc__)"))), reads_own_text(ast.walk(ast.parse("print(net)")))
    (True, False)
    """
    return any(not _READERS.isdisjoint(_mentioned(node)) for node in nodes)


def _mentioned(node: ast.AST) -> tuple[str, ...]:
    """The names in one node of a tree; a text may be a name, as in `getattr(net, "__doc__")`."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.alias):
        return tuple(node.name.split("."))
    return tuple((node.module or "").split(".")) if isinstance(node, ast.ImportFrom) else ()


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    """The fields that count of a kind of node, in reverse order."""
    return tuple(name for name in reversed(kind._fields) if name not in _NO_CHANGE)


def _parts(node: Any) -> list[Any]:
    """The parts of a module, class or function without its docstring, in reverse order."""
    parts = {name: getattr(node, name, None) for name in _fields(node.__class__)}
    return list((parts | {"body": _without_docstring(node.body)}).values())


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if not body or not isinstance(body[0], ast.Expr):
        return body
    first = body[0].value
    return body[1:] if isinstance(first, ast.Constant) and isinstance(first.value, str) else body
