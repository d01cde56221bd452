"""Ways to tamper with a file of an artifact, and the digest that the artifact must have."""

import hashlib
import json
import os
import shutil
from pathlib import Path


def flip(file: Path, other: Path, offset: int) -> None:
    """One bit, with the old times."""
    content, before = bytearray(file.read_bytes()), file.stat()
    if content:
        content[offset % len(content)] ^= 1 << (offset % 8)
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(file: Path, other: Path, offset: int) -> None:
    file.write_bytes(file.read_bytes()[: offset % (file.stat().st_size + 1)])


def delete(file: Path, other: Path, offset: int) -> None:
    file.unlink()


def add(file: Path, other: Path, offset: int) -> None:
    file.with_name(f"added-{offset % 3}").write_text(str(offset))


def put_other(file: Path, other: Path, offset: int) -> None:
    """The content of another output, which may be that of another time."""
    file.write_bytes(other.read_bytes())


def delete_folder(file: Path, other: Path, offset: int) -> None:
    shutil.rmtree(file.parent)


TAMPER = {"flip": flip, "cut": cut, "delete": delete, "add": add, "other": put_other, "folder": delete_folder}


def tree_sha256(folder: Path) -> str:
    """The digest that an artifact must have: of the names and SHA-256 of its files, as JSON without spaces."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    digests = {f"0/{name}": hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    return hashlib.sha256(json.dumps(digests, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
