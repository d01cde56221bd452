"""Finds the source files and packages of a stage's code by reading the code, without running it.

Every file of this project and of the user's modules counts that is imported, wherever the import statement is. Installed
packages that a user's module imports count by their version. What a module loads while it runs (a file that it opens, a
module whose name it computes) cannot be found in this way. Such places are listed, so that a person can name what they load.

A file counts by its syntax tree: see `kerasvision.pipeline.syntax`. If any of the files reads docstrings or source text,
the bytes of all of them count too. A compiled module counts by its bytes alone.
"""

import hashlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path

import kerasvision
from kerasvision import introspection
from kerasvision.pipeline import source, syntax
from kerasvision.pipeline.digests import Memo, path_key, read_changed
from kerasvision.pipeline.source import SourceCode, read_source

_FOREIGN_FOLDERS = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platlib", "purelib"))

# What this process has read: (module, file) -> (the module's spec at that time, what its file says).
_READ: dict[tuple[str, Path], tuple[ModuleSpec | None, SourceCode]] = {}


@dataclass
class Code:
    """The code that some modules consist of.

    Attributes:
        digests: module -> "syntax:" and the SHA-256 of its syntax tree. If any module reads docstrings or source text, this
            is followed by " text:" and the SHA-256 of its bytes. A compiled module has "text:" and its hash alone.
        packages: installed packages that a user's modules import, by the names under which Python imports them.
        unseen: places in a user's modules that load something whose changes are not noticed: "net.py, line 3, calls open".
    """

    digests: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    unseen: list[str] = field(default_factory=list)


def code_of(modules: Iterable[str], memo: Memo | None = None) -> Code:
    """The code of modules and of all that they import. Imports inside functions count.

    Args:
        modules: their names.
        memo: remembers the results for unchanged files.

    >>> "kerasvision.lookup" in code_of(["kerasvision.config.base"]).digests
    True
    """
    sources: dict[str, SourceCode] = {}
    compiled: dict[str, str] = {}
    by_users, seen, wave = set(modules), set[str](), set(modules)
    while wave:
        seen |= wave
        read = _read(_files(wave), memo)
        sources |= read
        compiled |= (made := _compiled_digests(wave - read.keys()))
        by_users |= {other for name, said in read.items() if not _is_ours(name) for other in said.imports}
        wave = set[str]().union(*map(_parent, made), *(_reached(name, said) for name, said in read.items())) - seen
    reads_text = any(said.reads_text for said in sources.values())
    written = {name: said.digest(with_text=reads_text) for name, said in sources.items()}
    return Code(
        digests=dict(sorted((written | compiled).items())),
        packages={top for top in map(_top, by_users) if _is_foreign(top) and distribution_of(top)},
        unseen=[place for name, said in sorted(sources.items()) if not _is_ours(name) for place in said.unseen],
    )


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """Module name -> digest of its source; see `Code`."""
    return code_of(modules).digests


@cache
def distribution_of(top: str) -> str | None:
    """The name under which a package is installed, from its import name; None if it is not installed.

    >>> distribution_of("numpy"), distribution_of("PIL"), distribution_of("nothing_of_that_name")
    ('numpy', 'pillow', None)
    """
    with suppress(metadata.PackageNotFoundError):
        return metadata.distribution(top).metadata["Name"]
    if importlib.util.find_spec(top) is None:
        return None
    # First the small file that most wheels have, because reading all lists of files takes a second.
    listed = ((found, found.read_text("top_level.txt") or "") for found in metadata.distributions())
    named = next((found.metadata["Name"] for found, tops in listed if top in tops.split()), None)
    return named or next(iter(metadata.packages_distributions().get(top, ())), None)


def _reached(name: str, said: SourceCode) -> Set[str]:
    """Names that a module may import. Some names that are not modules are left out."""
    names = {*said.imports, *_parent(name)}
    return names & _our_files().keys() if _is_ours(name) else names


def _files(names: Iterable[str]) -> dict[str, Path]:
    """The source files of the modules that belong to this project or to a user."""
    ours = _our_files()
    files = ((name, ours[name] if name in ours else introspection.module_file(name)) for name in names if _is_read(name))
    return {name: file for name, file in files if file is not None}


@cache
def _our_files() -> dict[str, Path]:
    """Module -> file of this project. Cached, because these do not move; a user's files may be written while this runs."""
    package = Path(kerasvision.__file__).parent
    found: dict[str, Path] = {}
    for folder, _, names in os.walk(package):
        module = ".".join((package.name, *Path(folder).relative_to(package).parts))
        files = {name.removesuffix(".py"): Path(folder, name) for name in names if name.endswith(".py")}
        found |= {module if name == "__init__" else f"{module}.{name}": file for name, file in files.items()}
    return found


def _read(files: Mapping[str, Path], memo: Memo | None) -> dict[str, SourceCode]:
    """What files say, by module. A loaded module counts as it was loaded, even if its file has changed since."""
    found = {name: said for name, file in files.items() if (said := _said_before(name, file)) is not None}
    keys = {f"{_reader()}\n{name}\n{path_key(file)}": name for name, file in files.items() if name not in found}
    if not keys:
        return found
    read = read_changed(
        "source",
        {key: files[name] for key, name in keys.items()},
        lambda key, file: read_source(file, keys[key]).to_text(),
        memo,
    )
    for key, text in read.items():
        if isinstance(text, OSError):
            raise text
        name = keys[key]
        found[name] = SourceCode.from_text(text)
        _READ[name, files[name]] = _loaded_from(name), found[name]
    return found


def _said_before(name: str, file: Path) -> SourceCode | None:
    """What a file said when this process read it; None if it must be read again.

    A user's file is read once while its module stays loaded. Before it is loaded, and after `importlib.reload`, it is read
    again.
    """
    if (name, file) not in _READ:
        return None
    loaded_from, said = _READ[name, file]
    still_holds = loaded_from is not None and loaded_from is _loaded_from(name)
    return said if still_holds or _is_ours(name) else None


def _loaded_from(name: str) -> ModuleSpec | None:
    """An object that each load of a module replaces; None if the module is not loaded."""
    return getattr(sys.modules.get(name), "__spec__", None)


@cache
def _reader() -> str:
    """Identifies this version of Python and of the code that reads files: results of other versions are not used."""
    parts = [Path(module.__file__).read_bytes() for module in (source, syntax) if module.__file__]
    return hashlib.sha256(b"\n".join([sys.version.encode(), *parts])).hexdigest()


def _top(name: str) -> str:
    return name.partition(".")[0]


def _parent(name: str) -> tuple[str, ...]:
    return (name.rpartition(".")[0],) if "." in name else ()


def _is_ours(name: str) -> bool:
    return _top(name) == "kerasvision"


def _is_foreign(top: str) -> bool:
    """Whether a top-level module belongs neither to Python, nor to this project, nor to a user."""
    return not _is_pythons(top) and _is_installed(top)


def _is_read(name: str) -> bool:
    """Whether a module belongs to this project or to a user."""
    top = _top(name)
    return top == "kerasvision" or (not _is_pythons(top) and not _is_installed(top))


def _is_pythons(top: str) -> bool:
    return top in ("", "__main__") or top in sys.stdlib_module_names


@cache
def _is_installed(top: str) -> bool:
    """Whether a top-level module is installed, so that its version identifies its code; True also if it does not exist."""
    if top == "kerasvision":
        return False
    places = _places(top)
    return not places or any(Path(place).resolve().is_relative_to(folder) for place in places for folder in _FOREIGN_FOLDERS)


def _compiled_digests(names: Iterable[str]) -> dict[str, str]:
    """The digests of those names that are a user's compiled modules."""
    files = ((name, _compiled(name)) for name in names if _is_read(name) and not _is_ours(name))
    return {name: f"text:{hashlib.sha256(file.read_bytes()).hexdigest()}" for name, file in files if file is not None}


def _compiled(name: str) -> Path | None:
    """The file of a user's compiled module (a `.so` or `.pyd`). Its imports cannot be found."""
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
