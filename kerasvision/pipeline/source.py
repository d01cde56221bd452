"""Reads one source file: a digest of its code, its imports, and the places that load something without an import."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from kerasvision import introspection
from kerasvision.pipeline.syntax import digest_and_nodes, reads_own_text

_IMPORTERS = ("import_module", "__import__")
# Calls that load something that no import statement names.
_UNSEEN = (
    "exec", "eval", "open", "read_text", "read_bytes", "read_file", "read_csv", "read_json", "load_model", "load_weights",
    "run_path", "run_module", "spec_from_file_location", "loadtxt", "genfromtxt", "fromfile", "memmap", "read_parquet",
    "read_pickle", "read_excel", "read_table", "imread", "GFile", "get_data", "iter_modules", "entry_points", "CDLL",
)  # fmt: skip
# Many objects have a method `load`; these are the modules whose function `load` opens a file.
_LOADERS = ("np", "numpy", "joblib", "torch", "pickle", "lookup")


@dataclass(frozen=True)
class SourceCode:
    """What one file says.

    Attributes:
        syntax: SHA-256 of its syntax tree (see `syntax_digest`).
        text: SHA-256 of its bytes.
        reads_text: whether it reads docstrings or source text, its own or another file's.
        imports: modules that it may import, and the names that it imports from them.
        unseen: places that load something whose changes are not noticed: "net.py, line 3, calls open".
    """

    syntax: str
    text: str
    reads_text: bool
    imports: tuple[str, ...]
    unseen: tuple[str, ...]

    def digest(self, *, with_text: bool) -> str:
        """`syntax:` and the hash of the tree; with the text, also ` text:` and the hash of the bytes."""
        return f"syntax:{self.syntax} text:{self.text}" if with_text else f"syntax:{self.syntax}"

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "SourceCode":
        """The source code from a text of `to_text`."""
        found = json.loads(text)
        return cls(**found | {"imports": tuple(found["imports"]), "unseen": tuple(found["unseen"])})


def read_source(file: Path, name: str) -> SourceCode:
    """What a file says.

    Args:
        file: a Python file.
        name: of the module; relative imports start there.

    Raises:
        ConfigError: it is not valid Python.

    >>> from kerasvision import lookup
    >>> read_source(introspection.module_file("kerasvision.disk"), "kerasvision.disk").imports
    ('errno', 'os', 'pathlib', 'pathlib.Path', 'kerasvision.errors', 'kerasvision.errors.StoreError')
    """
    digest, nodes = digest_and_nodes(introspection.parsed(file))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    renamed = _renamed(nodes)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return SourceCode(
        syntax=digest,
        text=hashlib.sha256(file.read_bytes()).hexdigest(),
        reads_text=reads_own_text(nodes),
        imports=tuple(dict.fromkeys((*_imports(nodes, package), *_imports_by_call(calls, renamed, package)))),
        unseen=tuple(_unseen(calls, renamed, file)),
    )


def _imports(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = _absolute("." * node.level + base, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _imports_by_call(calls: Iterable[ast.Call], renamed: Mapping[str, str], package: str) -> Iterator[str]:
    """The modules of `import_module("a.b")` and `__import__("a.b")`, if the name is a literal."""
    for call in calls:
        name = _name_imported(call) if _called(call, renamed) in _IMPORTERS else None
        if name:
            yield _absolute(name, package) if name.startswith(".") else name


def _unseen(calls: Iterable[ast.Call], renamed: Mapping[str, str], file: Path) -> Iterator[str]:
    for call in calls:
        called = _called(call, renamed)
        if called in _UNSEEN or _is_loader(call) or (called in _IMPORTERS and _name_imported(call) is None):
            yield f"{file.name}, line {call.lineno}, calls {called}"


def _renamed(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """New name -> original name of imports such as `from importlib import import_module as load`."""
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return {alias.asname: alias.name for node in imports for alias in node.names if alias.asname}


def _called(call: ast.Call, renamed: Mapping[str, str]) -> str:
    """The last name of the called function: "import_module" for `importlib.import_module(...)`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return renamed.get(call.func.id, call.func.id) if isinstance(call.func, ast.Name) else ""


def _is_loader(call: ast.Call) -> bool:
    """Whether it calls `np.load` or a similar function."""
    function = call.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return False
    return function.attr == "load" and function.value.id in _LOADERS


def _name_imported(call: ast.Call) -> str | None:
    """The module that a call imports, if the name is a literal; else None."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _absolute(name: str, package: str) -> str:
    """The absolute name of a module, from its relative name in a package.

    >>> _absolute("..b", "top.a"), _absolute(".", "top.a")
    ('top.b', 'top.a')
    """
    rest = name.lstrip(".")
    parts = package.split(".")
    parents = parts[: len(parts) - (len(name) - len(rest)) + 1]
    return ".".join([*parents, rest] if rest else parents)
