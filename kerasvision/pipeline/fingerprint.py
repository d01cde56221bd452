"""What a stage's result depends on, as one hash: inputs, settings, files, code and versions.

Two executions with the same key would write the same thing, so the second need not happen. The parts are kept beside
the key, so that a difference can be named.

Keras' own settings are the same in every run (see `kerasvision.config.keras_settings`). The machine is no part of the key,
nor are variables that choose another kernel for the same arithmetic: with TF_ENABLE_ONEDNN_OPTS=0 in place of 1 the
weights of LeNet-5 after two epochs on digits differ by 6e-7 (TensorFlow 2.21, 2-core CPU).
"""

import errno
import hashlib
import inspect
import platform
import stat
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Protocol

from kerasvision import lookup
from kerasvision.config.base import canonical_json
from kerasvision.config.listing import printable
from kerasvision.dotted import leaves
from kerasvision.errors import GraphError
from kerasvision.pipeline.code import Code, code_digests, code_of, distribution_of
from kerasvision.pipeline.graph import Node
from kerasvision.shortened import shortened

__all__ = [
    "FileState",
    "Fingerprint",
    "Memo",
    "code_digests",
    "differences",
    "file_digests",
    "fingerprint",
    "stage_code",
    "tree_digest",
    "unseen_loads",
]

# A change of one of these may change what a stage writes.
VERSIONED = (
    "tensorflow", "keras", "tensorflow-datasets", "keras-tuner", "numpy", "pandas", "pyarrow", "pillow", "scikit-learn",
    "nltk",
)  # fmt: skip

MOST_PLACES = 3

# File systems round times (FAT to 2 s). A file touched so shortly before it was hashed may change again unseen.
SETTLED_NS = 2_000_000_000


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
    settings, code = node.settings, stage_code(node)
    return Fingerprint(
        stage=f"{node.name}={node.function.__qualname__}",
        inputs=inputs,
        settings=dict(leaves(settings.identity())) if settings else {},
        files=file_digests(settings.files(), memo) if settings else {},
        code=_notebook_code(node) | code.digests,
        versions=versions() | _versions_of_extras(node) | _versions_of_packages(code),
    )


def stage_code(node: Node) -> Code:
    """The modules and packages that a stage runs: its own, and those that its settings choose."""
    chosen = {path.partition(":")[0] for path in (node.settings.code_paths() if node.settings else ())}
    return code_of({node.function.__module__} | chosen)


def unseen_loads(node: Node) -> str:
    """A sentence about what a user's code loads unseen, and how to name it; "" where it is named, or there is nothing.

    A source is passed over: it says itself which files it reads.
    """
    settings = node.settings
    if settings is None or settings.names_dependencies() or hasattr(settings, "source"):
        return ""
    if all(path.startswith("kerasvision.") for path in settings.code_paths()):
        return ""
    places = stage_code(node).unseen
    if not places:
        return ""
    shown = shortened(places, most=MOST_PLACES, separator="; ")
    return f"a change of what this code loads goes unnoticed: {shown}. Name it: depends_on=('data/table.json', 'my_module')"


def differences(old: dict[str, dict[str, object]], new: Fingerprint) -> list[str]:
    """One line for each part of a fingerprint that changed.

    >>> parts = {"stage": "a", "inputs": {}, "settings": {"epochs": 2}, "files": {}, "code": {}, "versions": {}}
    >>> differences(parts, Fingerprint(**parts | {"settings": {"epochs": 3}}))
    ['setting epochs: 2 -> 3']
    """
    lines = []
    for part, noun in (
        ("inputs", "input"),
        ("settings", "setting"),
        ("files", "file"),
        ("code", "source file"),
        ("versions", "version of"),
    ):
        before, after = old.get(part, {}), getattr(new, part)
        lines += [
            _difference(part, noun, name, before, after)
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
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


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a stage writes."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in VERSIONED}}


def _versions_of_extras(node: Node) -> dict[str, str]:
    """Those of the packages that only these settings need."""
    names = sorted(node.settings.packages()) if node.settings is not None else ()
    return {name: metadata.version(name) for name in names}


def _versions_of_packages(code: Code) -> dict[str, str]:
    """Those of the installed packages that a user's modules import."""
    names = filter(None, map(distribution_of, code.packages))
    return {name: metadata.version(name) for name in sorted(names)}


def _notebook_code(node: Node) -> dict[str, str]:
    """The source of a stage that was written in a notebook, and so in no file."""
    if lookup.module_file(node.function.__module__) is not None:
        return {}
    try:
        source = inspect.getsource(node.function)
    except (OSError, TypeError):
        raise GraphError(
            f"the source of stage {node.name} cannot be read, so its changes would go unseen", hint="define it in a file"
        ) from None
    return {node.function.__qualname__: hashlib.sha256(source.encode()).hexdigest()}


def _state(path: Path) -> FileState:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")  # to open a pipe may take for ever
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _difference(part: str, noun: str, name: str, before: dict, after: dict) -> str:
    if name not in before:
        return f"{noun} {name}: new"
    if name not in after:
        return f"{noun} {name}: gone"
    if part in ("settings", "versions"):
        return f"{noun} {name}: {before[name]} -> {after[name]}"
    return f"{noun} {name}: content changed"
