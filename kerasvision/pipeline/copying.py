"""Copies published artifacts to an object store, and brings an artifact back when its folder is gone.

The folder gets its name only when it is complete and its content is checked. An altered folder is never overwritten.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from kerasvision.errors import StoreError
from kerasvision.pipeline.carried import Carried
from kerasvision.pipeline.copies import (
    CopyRecord,
    DamagedCopy,
    address_of,
    digest_in,
    discard,
    download,
    folder_in,
    read_copy,
    record_name,
    upload,
)
from kerasvision.pipeline.locks import FETCHING, alone
from kerasvision.pipeline.object_store import ObjectStore
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.resolving import content_digest, intact, is_gone
from kerasvision.pipeline.store import Store
from kerasvision.whole_files import flush_tree, rename_into_place


@dataclass
class Fetching:
    """Brings artifacts back for one launch; an instance is a `resolving.Usable`.

    Attributes:
        remark: receives a sentence about each artifact that was brought back, or could not be.
        addresses: the copies that were used.
    """

    remark: Callable[[str], None]
    addresses: list[str] = field(default_factory=list)

    def __call__(self, artifact: ArtifactRecord, store: Store) -> bool:
        """Whether the artifact is here, perhaps since now.

        Raises:
            StoreError: the object store does not answer.
        """
        if intact(artifact, store):
            return True
        return bool(artifact.copies) and is_gone(artifact) and self._fetched(artifact, store)

    def _fetched(self, artifact: ArtifactRecord, store: Store) -> bool:
        # Two stages may need it at once.
        with alone(store.folder, FETCHING):
            return intact(artifact, store) or any(self._brought(address, artifact, store) for address in newest(artifact))

    def _brought(self, address: str, artifact: ArtifactRecord, store: Store) -> bool:
        objects, digest = ObjectStore(folder_in(address)), digest_in(address)
        try:
            record = read_copy(objects, record_name(digest))
            if record is None:
                raise DamagedCopy("it does not exist, or is not complete")
            if record.digest != artifact.digest:
                raise DamagedCopy("it is that of another artifact")
            is_whole = _bring(record, objects, artifact, store)
        except DamagedCopy as error:
            done = discard(error, objects, digest)
            store.record_copy(artifact, address, artifact.copies[address], is_whole=False)
            self.remark(f"the copy {address} of {artifact.type} cannot be used: {error}; {done}")
            return False
        if not is_whole:
            outside = "files outside its folder that belong to it are missing here, or were altered"
            self.remark(f"the copy {address} of {artifact.type} cannot be used: {outside}")
            return False
        self.addresses.append(address)
        self.remark(f"{artifact.type} was fetched from {address} ({record.size:,} B)")
        return True


def _bring(record: CopyRecord, objects: ObjectStore, artifact: ArtifactRecord, store: Store) -> bool:
    """Copies the artifact to its folder; False if files outside its folder, which belong to it, are not those of then."""
    folder = artifact.uri.with_name(f"{artifact.uri.name}.tmp")
    folder.mkdir(parents=True, exist_ok=True)
    download(record, objects, folder)
    written = type(artifact.open())(folder, artifact.properties)
    try:
        is_whole = content_digest(written, store) == artifact.digest
    except OSError:
        is_whole = False
    if not is_whole:
        shutil.rmtree(folder)
        return False
    flush_tree(folder)
    if artifact.uri.exists():  # it has no files
        shutil.rmtree(artifact.uri)
    rename_into_place(folder, artifact.uri)
    return True


def newest(artifact: ArtifactRecord) -> Iterator[str]:
    """The addresses of an artifact's copies, the newest first."""
    return reversed(list(artifact.copies))


def copy_outputs(
    outputs: Mapping[str, ArtifactRecord], store: Store, *, address: str, pipeline: str, node: str
) -> list[str]:
    """Copies the outputs of a stage to an object store, and records it; returns the keys of those that are new there.

    Args:
        outputs: key -> artifact, which is here.
        store: where runs are kept.
        address: of a folder in the object store.
        pipeline, node: where the artifacts come from.

    Raises:
        StoreError: the object store does not answer, or does not allow it. The artifacts stay published.
    """
    made = []
    for key, artifact in outputs.items():
        place = address_of(address, artifact.digest)
        if place in artifact.copies:
            continue
        about = Carried(artifact.type, artifact.digest, artifact.properties, pipeline, node, key).to_data()
        record = CopyRecord.of(artifact.open(), about=about, memo=store)
        if record.digest != artifact.digest:
            raise StoreError(f"{artifact.uri} was altered before it was copied", hint="run again")
        store.record_copy(artifact, place, record.size, is_whole=False)
        upload(artifact.open(), record, ObjectStore(address), name=record_name(artifact.digest))
        store.record_copy(artifact, place, record.size, is_whole=True)
        made.append(key)
    return made
