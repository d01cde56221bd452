"""Which source files and packages a stage's code is made of, found by reading it and not by running it.

Of this project and of the user's modules every file counts that they import, wherever the import stands; of installed
packages, those versions that a user's module imports. What a module loads while it runs (a file that it opens, a module
whose name it computes) cannot be read off. Such places are listed, so that a person can name what lies behind them.
"""

import ast
import hashlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import chain
from pathlib import Path

from kerasvision import lookup

# An import begins a line, or else stands behind one of these signs.
_FIRST_IN_LINE = re.compile(rb"^[ \t]*((?:from[ \t]+[\w.]+[ \t]+)?import\b[ \t]*(?:\([^()]*\)|[^\n]*))", re.MULTILINE)
_ELSEWHERE = re.compile(rb"(?:[;:\\][^\n]*|\\\r?\n[ \t]*)\bimport\b")

_FOREIGN_FOLDERS = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platlib", "purelib"))

_IMPORTERS = ("import_module", "__import__")
# Calls that bring something in that no import statement names.
_UNSEEN = (
    "exec", "eval", "open", "read_text", "read_bytes", "read_file", "read_csv", "read_json", "load_model", "load_weights",
    "run_path", "run_module", "spec_from_file_location", "loadtxt", "genfromtxt", "fromfile", "memmap", "read_parquet",
    "read_pickle", "read_excel", "read_table", "imread", "GFile", "get_data", "iter_modules", "entry_points", "CDLL",
)  # fmt: skip
# A method of many things is called `load`; these are the modules whose function of that name opens a file.
_LOADERS = ("np", "numpy", "joblib", "torch", "pickle", "lookup")


@dataclass
class Code:
    """What the code of some modules is made of.

    Attributes:
        digests: module -> SHA-256 of its source.
        packages: installed packages that a user's modules import, by the names under which Python imports them.
        unseen: places in a user's modules that load something whose changes go unseen: "net.py, line 3, calls open".
    """

    digests: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    unseen: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Module:
    digest: str
    imports: tuple[str, ...]
    unseen: tuple[str, ...] = ()


def code_of(modules: Iterable[str]) -> Code:
    """The code of modules and of all that they import. Imports inside functions count.

    >>> "kerasvision.lookup" in code_of(["kerasvision.config.base"]).digests
    True
    """
    found = Code()
    waiting, seen = [(name, True) for name in sorted(modules)], set()
    while waiting:
        name, is_users = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        if not top or top == "__main__" or top in sys.stdlib_module_names:
            continue
        if _is_installed(top):
            found.packages |= {top} if is_users and distribution_of(top) else set()
            continue
        is_users = top != "kerasvision"
        file = lookup.module_file(name) if is_users else _our_file(name)
        if file is None:
            compiled = _compiled(name) if is_users else None
            if compiled is not None:
                found.digests[name] = hashlib.sha256(compiled.read_bytes()).hexdigest()
            continue
        module = _read_module(file, name, is_users=is_users)
        found.digests[name] = module.digest
        found.unseen += module.unseen
        waiting += [(other, is_users) for other in (*module.imports, *_parent(name))]
    found.digests = dict(sorted(found.digests.items()))
    return found


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """Module name -> SHA-256 of its source; see `code_of`."""
    return code_of(modules).digests


@cache
def distribution_of(top: str) -> str | None:
    """The name under which a package is installed, by that under which Python imports it; None where it is not.

    >>> distribution_of("numpy"), distribution_of("PIL"), distribution_of("nothing_of_that_name")
    ('numpy', 'pillow', None)
    """
    with suppress(metadata.PackageNotFoundError):
        return metadata.distribution(top).metadata["Name"]
    if importlib.util.find_spec(top) is None:
        return None
    # What most wheels say in a small file is looked at first: to read all lists of files takes a second.
    listed = ((found, found.read_text("top_level.txt") or "") for found in metadata.distributions())
    named = next((found.metadata["Name"] for found, tops in listed if top in tops.split()), None)
    return named or next(iter(metadata.packages_distributions().get(top, ())), None)


# Every stage reaches much the same modules of ours, which stay where they are; a user's may be written while this runs.
_our_file = cache(lookup.module_file)


def _parent(name: str) -> tuple[str, ...]:
    return (name.rpartition(".")[0],) if "." in name else ()


@cache
def _is_installed(top: str) -> bool:
    """Whether a top-level module is somebody else's, whose version stands for its code; or is not there at all."""
    if top == "kerasvision":
        return False
    places = _places(top)
    return not places or any(Path(place).resolve().is_relative_to(folder) for place in places for folder in _FOREIGN_FOLDERS)


def _compiled(name: str) -> Path | None:
    """The file of a user's module that a compiler made (a `.so` or `.pyd`). What that file imports cannot be read off."""
    top, *parts = name.split(".")
    for place in map(Path, _places(top)):
        if not parts:
            return place if place.name.endswith(tuple(EXTENSION_SUFFIXES)) else None
        folder = place.parent if place.is_file() else place
        files = (folder.joinpath(*parts[:-1], parts[-1] + suffix) for suffix in EXTENSION_SUFFIXES)
        if (file := next((file for file in files if file.is_file()), None)) is not None:
            return file
    return None


def _places(top: str) -> list[str]:
    """The file of a module, or the folders of a package without `__init__.py`."""
    module = sys.modules.get(top)
    if module is not None:
        file = getattr(module, "__file__", None)
        return [file] if file else list(getattr(module, "__path__", ()))
    spec = importlib.util.find_spec(top)
    if spec is None:
        return []
    return [spec.origin] if spec.has_location and spec.origin else list(spec.submodule_search_locations or ())


@cache
def _read_module(file: Path, name: str, *, is_users: bool) -> _Module:
    source = file.read_bytes()
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    digest = hashlib.sha256(source).hexdigest()
    if not is_users:
        return _Module(digest, tuple(_imports(_import_statements(source), package)))
    nodes = list(ast.walk(lookup.parsed(file)))
    return _Module(digest, (*_imports(nodes, package), *_imports_by_call(nodes, package)), tuple(_unseen(nodes, file)))


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


def _imports_by_call(nodes: Sequence[ast.AST], package: str) -> Iterator[str]:
    """`import_module("a.b")`, `__import__("a.b")`: imports whose name is written out."""
    renamed = _renamed(nodes)
    for node in nodes:
        name = _name_imported(node) if _called(node, renamed) in _IMPORTERS else None
        if name:
            yield _absolute(name, package) if name.startswith(".") else name


def _unseen(nodes: Sequence[ast.AST], file: Path) -> Iterator[str]:
    renamed = _renamed(nodes)
    for node in nodes:
        called = _called(node, renamed)
        if called in _UNSEEN or _is_loader(node) or (called in _IMPORTERS and _name_imported(node) is None):
            yield f"{file.name}, line {node.lineno}, calls {called}"


def _renamed(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """The names that `from importlib import import_module as load` gives -> their own."""
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return {alias.asname: alias.name for node in imports for alias in node.names if alias.asname}


def _called(node: ast.AST, renamed: Mapping[str, str]) -> str:
    """The last name of what is called: "import_module" of `importlib.import_module(...)`."""
    function = node.func if isinstance(node, ast.Call) else None
    name = getattr(function, "id", "")
    return getattr(function, "attr", renamed.get(name, name))


def _is_loader(node: ast.AST) -> bool:
    """Whether it calls `np.load` or the like."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", "") == "load" and getattr(function.value, "id", "") in _LOADERS


def _name_imported(call: ast.Call) -> str | None:
    """The module that a call imports, where it is written out."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _absolute(name: str, package: str) -> str:
    """A relative name from a package on.

    >>> _absolute("..b", "top.a"), _absolute(".", "top.a")
    ('top.b', 'top.a')
    """
    rest = name.lstrip(".")
    parts = package.split(".")
    parents = parts[: len(parts) - (len(name) - len(rest)) + 1]
    return ".".join([*parents, rest] if rest else parents)


def _import_statements(source: bytes) -> Iterator[ast.AST]:
    """All imports of a file, and perhaps some that only stand in a text of it.

    To parse whole files would take most of the time in which a run finds that nothing has changed.
    """
    if not _ELSEWHERE.search(source):
        with suppress(SyntaxError):
            return chain.from_iterable([ast.parse(found[1]).body for found in _FIRST_IN_LINE.finditer(source)])
    return ast.walk(ast.parse(source))
