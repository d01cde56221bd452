"""Writes and reads one checkpoint, a folder of three files, and verifies every byte.

variables.bin    all arrays, one after the other (see packing)
state.json       everything else: epoch, history, callbacks
manifest.json    format, step, identity, the position of each array; size and SHA-256 of the other two, and its own SHA-256
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasvision.config.base import canonical_json
from kerasvision.errors import StageError
from kerasvision.training.checkpointing.packing import index_of, pack, unpack
from kerasvision.whole_files import flush, flush_stream

FORMAT = 1
VARIABLES, STATE, MANIFEST = "variables.bin", "state.json", "manifest.json"
# These errors mean that this file is damaged; any other means that files cannot be read at the moment.
DAMAGE = (errno.ENOENT, errno.EIO, errno.EISDIR, errno.ENOTDIR)


class Damaged(Exception):
    """Which file of a checkpoint is damaged, and how."""


def write_checkpoint(
    folder: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], *, step: int, identity: Mapping[str, Any]
) -> None:
    """Creates the folder, and flushes every file to the disk.

    Args:
        folder: must not exist.
        arrays: numbers, booleans and strings, of any shape and dtype.
        state: JSON-able; NumPy scalars become Python numbers.
        step: steps done.
        identity: JSON-able.

    Raises:
        StageError: a value cannot be stored in a checkpoint; nothing is written then.
        OSError: the folder cannot be written, for example because the disk is full.
    """
    index, text = index_of(arrays), json.dumps(state, default=_plain)
    folder.mkdir()
    files = {VARIABLES: _write(folder / VARIABLES, pack(arrays)), STATE: _write(folder / STATE, [text.encode()])}
    manifest = {"format": FORMAT, "step": step, "identity": identity, "files": files, "arrays": index}
    _write(folder / MANIFEST, [json.dumps({"sha256": _digest(manifest), **manifest}).encode()])
    flush(folder)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint.

    Raises:
        Damaged: it is not as it was written.
        OSError: it cannot be read at the moment.
    """
    try:
        manifest: dict[str, Any] = json.loads(_read(folder / MANIFEST).tobytes())
        is_intact = manifest.pop("sha256") == _digest(manifest)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_intact = False
    if not is_intact:
        raise Damaged(f"{MANIFEST} is not as it was written")
    return manifest


def read_contents(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays, of any shape and dtype, and the state of the checkpoint with this manifest.

    Raises:
        Damaged: a file is missing or not as it was written.
        OSError: a file cannot be read at the moment.
    """
    data = {name: _checked(folder / name, **manifest["files"][name]) for name in (VARIABLES, STATE)}
    return unpack(data[VARIABLES], manifest["arrays"]), json.loads(data[STATE].tobytes())


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise StageError(f"the state in a checkpoint must be plain data; {value!r} is of type {type(value).__name__}")


def _write(file: Path, pieces: Iterable[memoryview | bytes]) -> dict[str, int | str]:
    """Writes and flushes a file; returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with file.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
            digest.update(piece)
            size += len(piece)
        flush_stream(stream)
    return {"size": size, "sha256": digest.hexdigest()}


def _checked(file: Path, *, size: int, sha256: str) -> np.ndarray:
    data = _read(file)
    if len(data) != size:
        raise Damaged(f"{file.name} has {len(data)} bytes instead of {size}")
    if hashlib.sha256(data.data).hexdigest() != sha256:
        raise Damaged(f"{file.name} is not as it was written")
    return data


def _read(file: Path) -> np.ndarray:
    """The bytes of a file, uint8 (N,)."""
    try:
        with file.open("rb") as stream:
            data = np.empty(os.fstat(stream.fileno()).st_size, np.uint8)
            return data[: stream.readinto(data.data)]
    except OSError as error:
        if error.errno not in DAMAGE:
            raise
        raise Damaged(f"{file.name}: {error.strerror}") from error


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
