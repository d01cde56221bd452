"""What a stage's result depends on, as one hash: inputs, settings, files, code and versions.

Two executions with the same key would write the same thing, so the second need not happen. The parts are kept beside
the key, so that a difference can be named.
"""

import ast
import errno
import hashlib
import inspect
import platform
import re
import stat
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Protocol

from kerasvision import lookup
from kerasvision.config.base import canonical_json
from kerasvision.config.listing import printable
from kerasvision.errors import GraphError
from kerasvision.pipeline.graph import Node

# A change of one of these may change what a stage writes.
VERSIONED = (
    "tensorflow", "keras", "tensorflow-datasets", "keras-tuner", "numpy", "pandas", "pyarrow", "pillow", "scikit-learn",
    "nltk",
)  # fmt: skip

# File systems round times (FAT to 2 s). A file touched so shortly before it was hashed may change again unseen.
SETTLED_NS = 2_000_000_000

# An import begins a line, or else stands behind one of these signs.
_FIRST_IN_LINE = re.compile(rb"^[ \t]*((?:from[ \t]+[\w.]+[ \t]+)?import\b[ \t]*(?:\([^()]*\)|[^\n]*))", re.MULTILINE)
_ELSEWHERE = re.compile(rb"(?:[;:\\][^\n]*|\\\r?\n[ \t]*)\bimport\b")

_FOREIGN_FOLDERS = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platlib", "purelib"))


@dataclass(frozen=True)
class FileState:
    """What the file system says of a file without reading it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Memo(Protocol):
    """Remembers the hash of a file as long as its state is the same. The store is one."""

    def recall(self, paths: list[str]) -> dict[str, tuple[FileState, str, int]]:
        """path -> (state, sha256, time of hashing in ns)."""

    def remember(self, rows: list[tuple[str, FileState, str, int]]) -> None:
        """Keeps (path, state, sha256, time of hashing in ns)."""


@dataclass(frozen=True)
class Fingerprint:
    """The parts of a key, each name -> digest or value."""

    stage: str
    inputs: dict[str, str]
    settings: dict[str, object]
    files: dict[str, str]
    code: dict[str, str]
    versions: dict[str, str]

    @property
    def key(self) -> str:
        """SHA-256 of all parts, 64 hex digits."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()

    def to_data(self) -> dict[str, object]:
        """Plain JSON data."""
        return asdict(self)


def fingerprint(node: Node, inputs: dict[str, str], memo: Memo) -> Fingerprint:
    """What the result of a node depends on.

    Args:
        node: a stage with its settings.
        inputs: input name -> digest of the artifact's content.
        memo: remembered file hashes.
    """
    settings = node.settings
    chosen = {path.partition(":")[0] for path in (settings.code_paths() if settings else ())}
    return Fingerprint(
        stage=f"{node.name}={node.function.__qualname__}",
        inputs=inputs,
        settings=_flat(settings.identity()) if settings else {},
        files=file_digests(settings.files(), memo) if settings else {},
        code=_stage_code(node) | code_digests({node.function.__module__} | chosen),
        versions=versions() | _versions_of_extras(node),
    )


def differences(old: dict[str, dict[str, object]], new: Fingerprint) -> list[str]:
    """One line for each part of a fingerprint that changed.

    >>> parts = {"stage": "a", "inputs": {}, "settings": {"epochs": 2}, "files": {}, "code": {}, "versions": {}}
    >>> differences(parts, Fingerprint(**parts | {"settings": {"epochs": 3}}))
    ['setting epochs: 2 -> 3']
    """
    lines = []
    for part, noun in (("inputs", "input"), ("settings", "setting"), ("files", "file"), ("code", "source file"),
                       ("versions", "version of")):  # fmt: skip
        before, after = old.get(part, {}), getattr(new, part)
        lines += [_difference(part, noun, name, before, after) for name in sorted(before.keys() | after.keys())
                  if before.get(name) != after.get(name)]  # fmt: skip
    return lines


def tree_digest(paths: Iterable[Path], memo: Memo) -> str:
    """SHA-256 of whole folders: names and contents of all files, in order.

    Raises:
        FileNotFoundError: one of the paths does not exist.
    """
    files: list[tuple[str, Path]] = []
    for number, root in enumerate(paths):
        if not root.exists():
            raise FileNotFoundError(root)
        found = (path for path in root.rglob("*") if path.is_file())
        files += [(f"{number}/{path.relative_to(root).as_posix()}", path) for path in found]
    return hashlib.sha256(canonical_json(file_digests(files, memo)).encode()).hexdigest()


def file_digests(files: Iterable[tuple[str, Path]], memo: Memo) -> dict[str, str]:
    """name -> SHA-256 of each file, or why it cannot be read, so that a change of its permissions is a change too.

    A file is read only where its size, times or inode changed since the last time.
    """
    named = [(name, path, printable(str(path.absolute()))) for name, path in files]
    known = memo.recall([key for _, _, key in named])
    digests, fresh = {}, []
    for name, path, key in named:
        try:
            state = _state(path)
            recorded, digest, at_ns = known.get(key, (None, "", 0))
            if recorded != state or at_ns - max(state.mtime_ns, state.ctime_ns) < SETTLED_NS:
                at_ns = time.time_ns()
                digest = _digest(path)
                fresh.append((key, state, digest, at_ns))
        except OSError as error:
            digest = f"cannot be read: {error.strerror}"
        digests[name] = digest
    memo.remember(fresh)
    return digests


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """Module name -> SHA-256 of its source, for modules and all that they import, this project's and the user's own.

    Imports inside functions count. Installed packages do not: their versions do.

    >>> "kerasvision.lookup" in code_digests(["kerasvision.config.base"])
    True
    """
    found: dict[str, str] = {}
    waiting, seen = sorted(modules), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _own_source(name)
        if file is None:
            continue
        found[name], imports = _read_module(file, name)
        parents = [name.rpartition(".")[0]] if "." in name else []
        waiting += [*imports, *parents]
    return dict(sorted(found.items()))


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a stage writes."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in VERSIONED}}


def _versions_of_extras(node: Node) -> dict[str, str]:
    """Those of the packages that only these settings need."""
    names = sorted(node.settings.packages()) if node.settings is not None else ()
    return {name: metadata.version(name) for name in names}


def _stage_code(node: Node) -> dict[str, str]:
    """The source of a stage that was written in a notebook, and so in no file."""
    if lookup.module_file(node.function.__module__) is not None:
        return {}
    try:
        source = inspect.getsource(node.function)
    except (OSError, TypeError):
        raise GraphError(f"the source of stage {node.name} cannot be read, so its changes would go unseen",
                         hint="define it in a file") from None  # fmt: skip
    return {node.function.__qualname__: hashlib.sha256(source.encode()).hexdigest()}


def _state(path: Path) -> FileState:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")  # to open a pipe may take for ever
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested settings as dotted paths, so that a difference names the field."""
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else None
    if items is None or not value:
        return {prefix: value}
    return {k: v for name, item in items for k, v in _flat(item, f"{prefix}.{name}" if prefix else str(name)).items()}


def _difference(part: str, noun: str, name: str, before: dict, after: dict) -> str:
    if name not in before:
        return f"{noun} {name}: new"
    if name not in after:
        return f"{noun} {name}: gone"
    if part in ("settings", "versions"):
        return f"{noun} {name}: {before[name]} -> {after[name]}"
    return f"{noun} {name}: content changed"


def _own_source(name: str) -> Path | None:
    """The file of a module that is ours or the user's; None for the standard library and installed packages."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or _is_installed(top):
        return None
    return lookup.module_file(name)


@cache
def _is_installed(top: str) -> bool:
    """Whether a top-level module is somebody else's: its version stands for its code."""
    file = lookup.module_file(top)
    return file is None or (
        top != "kerasvision" and any(file.resolve().is_relative_to(folder) for folder in _FOREIGN_FOLDERS)
    )


@cache
def _read_module(file: Path, name: str) -> tuple[str, tuple[str, ...]]:
    source = file.read_bytes()
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return hashlib.sha256(source).hexdigest(), tuple(_imports(source, package))


def _imports(source: bytes, package: str) -> Iterator[str]:
    for node in _import_statements(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _import_statements(source: bytes) -> Iterator[ast.AST]:
    """All imports of a file, and perhaps some that only stand in a text of it.

    To parse whole files would take most of the time in which a run finds that nothing has changed.
    """
    if not _ELSEWHERE.search(source):
        with suppress(SyntaxError):
            return chain.from_iterable([ast.parse(found[1]).body for found in _FIRST_IN_LINE.finditer(source)])
    return ast.walk(ast.parse(source))
