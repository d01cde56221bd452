"""Copies of artifacts in object stores. A copy is whole once its record exists, because the record is written last.

```
<digest>/...     the files of the artifact; <digest> is the SHA-256 of its content
<digest>.json    the record: the name, size and SHA-256 of each file, and what the artifact is
```

The digest of an artifact is made from the names and digests of its files. So the record proves itself, a file cannot belong
to another content, and what a killed upload left is used by the next one. An artifact that `kerasvision stage --out` wrote
has its record in `artifact.json`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kerasvision.errors import StoreError
from kerasvision.pipeline.artifact import Artifact
from kerasvision.pipeline.digests import Memo, digest_of, file_digest, tree_files
from kerasvision.pipeline.object_store import ObjectStore


class DamagedCopy(Exception):
    """A copy is not what its record says; the message is a sentence without a full stop.

    Args:
        sentence: what is wrong.
        files: those with wrong content, by their names in the object store.
    """

    def __init__(self, sentence: str, files: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.files = files


@dataclass(frozen=True)
class FileRecord:
    """The size of a file in bytes, and the SHA-256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True)
class CopyRecord:
    """What is known about a copy.

    Attributes:
        digest: SHA-256 of the artifact's content, 64 hex digits.
        files: path below the artifact's folder -> file.
        folders: the empty folders, which an object store does not keep.
        outside: SHA-256 of files outside the folder that belong to the artifact; they are not copied.
        about: what else the record says: the type of the artifact, and where it comes from.
    """

    digest: str
    files: Mapping[str, FileRecord]
    folders: tuple[str, ...]
    outside: Mapping[str, str]
    about: Mapping[str, Any]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files.values())

    @classmethod
    def of(cls, artifact: Artifact, *, about: Mapping[str, Any], memo: Memo | None = None) -> "CopyRecord":
        """The record of an artifact that exists here.

        Args:
            artifact: the artifact.
            about: what else to record.
            memo: remembers digests of files; without it, every file is read.
        """
        found = tree_files([artifact.uri, *artifact.external_paths()], memo)
        inside = {name.removeprefix("0/"): digest for name, digest in found.items() if name.startswith("0/")}
        folders = (path for path in artifact.uri.rglob("*") if path.is_dir() and not any(path.iterdir()))
        return cls(
            digest=digest_of(found),
            files={name: FileRecord((artifact.uri / name).stat().st_size, digest) for name, digest in inside.items()},
            folders=tuple(sorted(path.relative_to(artifact.uri).as_posix() for path in folders)),
            outside={name: digest for name, digest in found.items() if not name.startswith("0/")},
            about={name: said for name, said in about.items() if name != "digest"},
        )

    @classmethod
    def from_json(cls, content: bytes) -> "CopyRecord":
        """Reads the record, and checks it against its digest.

        Raises:
            DamagedCopy: this is not such a record, or one that was changed.
        """
        try:
            said = json.loads(content)
            files = {name: FileRecord(int(size), str(digest)) for name, (size, digest) in said.pop("files").items()}
            folders, outside = tuple(map(str, said.pop("folders"))), dict(said.pop("outside"))
            record = cls(str(said.pop("digest")), files, folders, outside, said)
        except (ValueError, TypeError, LookupError, AttributeError):
            raise DamagedCopy("it is not the record of a copy") from None
        inside = {f"0/{name}": file.sha256 for name, file in files.items()}
        if digest_of({**inside, **outside}) != record.digest:
            raise DamagedCopy("its files do not have the digest that it names")
        if any(name != _inside(name) for name in (*files, *folders)):
            raise DamagedCopy("it names files outside its folder")
        return record

    def to_json(self) -> bytes:
        """The record as JSON text in ASCII; `from_json` reads it."""
        files = {name: [file.size, file.sha256] for name, file in self.files.items()}
        data = {**self.about, "digest": self.digest, "files": files, "folders": self.folders, "outside": self.outside}
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def read_copy(store: ObjectStore, name: str) -> CopyRecord | None:
    """The record of a copy; None if nothing was copied, or not all of it.

    Raises:
        DamagedCopy: there is something else in its place.
        StoreError: the store does not answer.
    """
    content = store.read(name)
    return None if content is None else CopyRecord.from_json(content)


def upload(artifact: Artifact, record: CopyRecord, store: ObjectStore, *, name: str) -> None:
    """Copies an artifact to an object store. What is there already is not sent again.

    Args:
        artifact: the artifact, which exists here.
        record: of the artifact.
        store: where to.
        name: of the record in the store.

    Raises:
        StoreError: the store does not answer, or does not allow it.
    """
    try:
        if (there := read_copy(store, name)) is not None and there.digest == record.digest:
            return
    except DamagedCopy:
        pass  # it is replaced
    sent = store.sizes(record.digest)
    for path, file in record.files.items():
        if sent.get(path) != file.size:
            store.send(artifact.uri / path, f"{record.digest}/{path}")
    store.write(name, record.to_json())


def download(record: CopyRecord, store: ObjectStore, folder: Path) -> None:
    """Copies the files of a copy to a folder, and checks each. Of files that are there, those with the same content stay.

    Args:
        record: of the copy.
        store: where it is.
        folder: exists, and is empty or has what an earlier download left.

    Raises:
        DamagedCopy: a file is missing or has other content.
        StoreError: the store does not answer.
    """
    for left in [path for path in folder.rglob("*") if path.is_file()]:
        if left.relative_to(folder).as_posix() not in record.files:
            left.unlink()
    for path, file in record.files.items():
        target = folder / path
        if not (target.is_file() and file_digest(target) == file.sha256):
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(f"{record.digest}/{path}", path, file, store, target)
    for path in record.folders:
        (folder / path).mkdir(parents=True, exist_ok=True)


def _fetch(name: str, path: str, file: FileRecord, store: ObjectStore, target: Path) -> None:
    # Twice: bytes may change on their way, and a copy is not given up for that.
    for _ in range(2):
        if not store.fetch(name, target):
            raise DamagedCopy(f"its file {path} is missing")
        if file_digest(target) == file.sha256:
            return
    target.unlink()
    raise DamagedCopy(f"its file {path} has other content", (name,))


def remove_copy(address: str) -> None:
    """Removes a copy: first its record, so that nobody reads it meanwhile.

    Args:
        address: as `address_of` returns it.

    Raises:
        StoreError: the store does not answer, or does not allow it.
    """
    store, digest = ObjectStore(folder_in(address)), digest_in(address)
    store.remove(record_name(digest))
    store.remove(digest)


def discard(error: DamagedCopy, store: ObjectStore, digest: str) -> str:
    """Removes what is wrong with a copy, so that the next upload sends it again; returns what was done, in words.

    The files come before the record: after a kill in between, the copy lacks a file, and is refused again.
    """
    try:
        for name in (*error.files, record_name(digest)):
            store.remove(name)
    except StoreError as failure:
        return f"it stays, because {failure}"
    return "it is sent again once the artifact exists here"


def record_name(digest: str) -> str:
    """The name of the record of a copy."""
    return f"{digest}.json"


def address_of(store: str, digest: str) -> str:
    """The address of a copy, given that of the folder in the object store and the digest of the artifact.

    >>> address_of("s3://bucket/artifacts", "3f2a")
    's3://bucket/artifacts/3f2a'
    """
    return f"{store}/{digest}"


def folder_in(address: str) -> str:
    """The address of the folder in the object store, in the address of a copy."""
    return address.rpartition("/")[0]


def digest_in(address: str) -> str:
    """The digest of the artifact, in the address of its copy."""
    return address.rpartition("/")[2]


def folder_sizes(copies: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """(address of a folder, number of copies in it, their bytes), sorted.

    Args:
        copies: address of a copy -> its size in bytes.

    >>> list(folder_sizes({"s3://a/x/12": 5, "s3://a/x/34": 6, "s3://b/y/12": 5}))
    [('s3://a/x', 2, 11), ('s3://b/y', 1, 5)]
    """
    folders: dict[str, list[int]] = {}
    for address, size in copies.items():
        folders.setdefault(folder_in(address), []).append(size)
    for folder, sizes in sorted(folders.items()):
        yield folder, len(sizes), sum(sizes)


def _inside(name: str) -> str:
    """The path without anything that leads out of its folder."""
    return "/".join(part for part in PurePosixPath(name).parts if part not in ("..", "/", "\\"))
