"""An artifact in a folder of its own, or in an object store, as it travels from one machine to another.

```
artifact.json   its type, the digest of its content, its properties, and the pipeline, stage and output that it comes from
content/        its files
```

`artifact.json` is written last, so a folder that has it is complete. In an object store, the files are those of a copy (see
`copies.py`), and `artifact.json` is its record.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from kerasvision.config.listing import storable
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.artifact import Artifact
from kerasvision.pipeline.copies import CopyRecord, DamagedCopy, download, read_copy, upload
from kerasvision.pipeline.digests import tree_digest
from kerasvision.pipeline.object_store import ObjectStore
from kerasvision.pipeline.records import ArtifactRecord, Properties

RECORD = "artifact.json"
CONTENT = "content"
_FROM_A_STAGE = "name a folder that `kerasvision stage --out` has written"
Place = Path | ObjectStore


@dataclass(frozen=True)
class Carried:
    """What `artifact.json` says.

    Attributes:
        type: the TYPE_NAME of the artifact.
        digest: SHA-256 of its content, 64 hex digits.
        properties: small facts that its stage recorded.
        pipeline, node, key: the pipeline, its stage, and the name of the output.
    """

    type: str
    digest: str
    properties: Properties
    pipeline: str
    node: str
    key: str

    def to_data(self) -> dict[str, object]:
        """Plain JSON data."""
        return asdict(self)

    @classmethod
    def read(cls, place: Place) -> "Carried":
        """Reads `artifact.json` in a folder or an object store.

        Raises:
            DataError: the file does not exist, or is not such a record.
            StoreError: the object store does not answer.
        """
        if isinstance(place, ObjectStore):
            return cls._of(_record_in(place))
        folder, file = place, place / RECORD
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if not folder.is_dir():
                raise DataError("the folder of an input must exist", received=str(folder), hint=_FROM_A_STAGE) from None
            raise DataError(f"{folder} must contain {RECORD}", hint=_FROM_A_STAGE) from None
        except (ValueError, TypeError) as error:
            raise DataError(f"{file} is not the record of an artifact: {error}") from error

    @classmethod
    def _of(cls, record: CopyRecord) -> "Carried":
        try:
            return cls(digest=record.digest, **record.about)
        except TypeError as error:
            raise DataError(f"{RECORD} is not the record of an artifact: {error}", hint=_FROM_A_STAGE) from None

    def copy_content(self, place: Place, artifact: Artifact) -> None:
        """Copies the content from a folder or an object store to an artifact, and checks it.

        Raises:
            DataError: the content is not what `artifact.json` says.
            StoreError: the object store does not answer.
        """
        if isinstance(place, ObjectStore):
            try:
                download(_record_in(place), place, artifact.uri)
            except DamagedCopy as error:
                hint = "write it again with `kerasvision stage --out`, to another address"
                raise DataError(f"the artifact in {place.address} cannot be used: {error}", hint=hint) from None
        # An object store keeps no empty folders.
        elif (place / CONTENT).is_dir():
            shutil.copytree(place / CONTENT, artifact.uri, dirs_exist_ok=True)
        artifact.properties.update(self.properties)
        if self._digest_of(artifact) != self.digest:
            where = place.address if isinstance(place, ObjectStore) else place
            raise DataError(
                f"the content of {where} is not the one that its {RECORD} names",
                hint="copy the folder again; an artifact that refers to files outside its folder cannot be carried",
            )

    @staticmethod
    def _digest_of(artifact: Artifact) -> str:
        try:
            return tree_digest([artifact.uri, *artifact.external_paths()], None)
        except (OSError, ValueError, LookupError):
            return ""


def _there(objects: ObjectStore) -> CopyRecord | None:
    try:
        return read_copy(objects, RECORD)
    except DamagedCopy as error:
        raise DataError(f"{objects.address}/{RECORD} cannot be used: {error}", hint=_FROM_A_STAGE) from None


def _record_in(objects: ObjectStore) -> CopyRecord:
    if (record := _there(objects)) is None:
        raise DataError(f"{objects.address} must contain {RECORD}", hint=_FROM_A_STAGE)
    return record


def check_free(place: Place, *, pipeline: str, node: str, key: str) -> None:
    """Checks that an output can be written there, before its stage runs.

    An object store may have what the same stage wrote before it was killed: a scheduler gives a command again.

    Raises:
        ConfigError: something else is there.
    """
    if isinstance(place, ObjectStore):
        there = _there(place)
        if there is not None and [there.about.get(name) for name in ("pipeline", "node", "key")] != [pipeline, node, key]:
            raise _not_free(place)
    elif place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ConfigError(
            "an output requires an empty folder or one that does not exist",
            received=str(place),
            hint="name another one, or empty it",
        )


def _not_free(place: ObjectStore) -> ConfigError:
    return ConfigError(
        "an output requires an address without another artifact", received=place.address, hint="name another address"
    )


def carry(record: ArtifactRecord, place: Place, *, pipeline: str, node: str, key: str) -> Carried:
    """Writes an artifact to a folder or an object store, from which `read` and `copy_content` bring it back.

    Args:
        record: the artifact.
        place: a folder that does not exist or is empty, or an object store without an artifact.
        pipeline, node, key: where the artifact comes from.

    Raises:
        ConfigError: the object store has another artifact there.
        StoreError: the object store does not answer, or does not allow it.
    """
    carried = Carried(record.type, record.digest, record.properties, pipeline, node, key)
    if isinstance(place, ObjectStore):
        there = _there(place)
        if there is not None and there.digest != record.digest:
            raise _not_free(place)
        artifact = record.open()
        upload(artifact, CopyRecord.of(artifact, about=carried.to_data()), place, name=RECORD)
        return carried
    shutil.copytree(record.uri, place / CONTENT)
    text = json.dumps(carried.to_data(), indent=2, sort_keys=True, ensure_ascii=False)
    (place / RECORD).write_text(storable(text) + "\n", encoding="utf-8")
    return carried
