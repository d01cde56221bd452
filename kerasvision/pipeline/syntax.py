"""What of a source file can change what it does: its syntax tree, without docstrings, comments and layout.

Two files with one digest run alike. Constants, operators, defaults, decorators, annotations (pydantic and Keras read
them), `from __future__` imports and the order of definitions all count, and so does every text that is not a docstring.
Line numbers do not count: a stage must not write them.

A docstring counts only for code that reads it, and so do comments and layout. `reads_own_text` finds such code by the
names that it mentions (`__doc__`, `getsource`, `doctest`). Docstrings that become help (typer) or the description of a
JSON schema (pydantic) change no result of a stage; a schema that code asks for by name (`model_json_schema`) does.
"""

import ast
import hashlib
from collections.abc import Iterable

# Fields of the tree that change nothing: the `u` of u"text", type comments, and `ctx`, which follows from the place.
_NO_CHANGE = frozenset({"kind", "type_comment", "type_ignores", "ctx"})

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_READERS = frozenset(
    {
        "__doc__", "getdoc", "get_docstring", "getcomments", "getsource", "getsourcelines", "findsource", "linecache",
        "get_source", "tokenize", "doctest", "pydoc", "model_json_schema",
    }
)  # fmt: skip


def syntax_digest(tree: ast.Module) -> str:
    """SHA-256 of a syntax tree, docstrings and positions aside, 64 hex digits. Another version of Python gives another.

    >>> one = ast.parse("def area(side):  # in pixels\\n    'The area.'\\n    return side ** 2")
    >>> syntax_digest(one) == syntax_digest(ast.parse("def area(side): return (side**2)"))
    True
    >>> syntax_digest(one) == syntax_digest(ast.parse("def area(side): return side ** 3"))
    False
    """
    # In preorder, with the length before each list: no two trees give one text. A loop, because a recursion would fail on
    # a long sum, and earlier or later by how deep its caller stands.
    pieces: list[str] = []
    waiting: list[object] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.AST):
            pieces.append(type(part).__name__)
            body = _without_docstring(part)
            names = [name for name in part._fields if name not in _NO_CHANGE]
            parts = [body if name == "body" else getattr(part, name, None) for name in names]
            waiting += reversed(parts)
        elif isinstance(part, list):
            pieces.append(f"[{len(part)}")
            waiting += reversed(part)
        else:
            # Python refuses to write an int of more than 4,300 decimal digits.
            pieces.append(hex(part) if type(part) is int else repr(part))
    return hashlib.sha256(" ".join(pieces).encode()).hexdigest()


def reads_own_text(nodes: Iterable[ast.AST]) -> bool:
    """Whether code mentions something that reads docstrings or source text.

    >>> reads_own_text(ast.walk(ast.parse("print(net.__doc__)"))), reads_own_text(ast.walk(ast.parse("print(net)")))
    (True, False)
    """
    return any(not _READERS.isdisjoint(_mentioned(node)) for node in nodes)


def _mentioned(node: ast.AST) -> tuple[str, ...]:
    """The names in one node of a tree; a text may be one too, as in `getattr(net, "__doc__")`."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.alias):
        return tuple(node.name.split("."))
    return tuple((node.module or "").split(".")) if isinstance(node, ast.ImportFrom) else ()


def _without_docstring(node: ast.AST) -> object:
    """The body of a node; of a module, class or function without its docstring."""
    body = getattr(node, "body", None)
    if not isinstance(node, _DOCUMENTED) or not node.body or not isinstance(node.body[0], ast.Expr):
        return body
    first = node.body[0].value
    return node.body[1:] if isinstance(first, ast.Constant) and isinstance(first.value, str) else body
