"""An artifact in a folder of its own, as it travels from one machine to another.

```
artifact.json   its type, the digest of its content, its properties, and the pipeline, stage and output that it comes from
content/        its files
```

`artifact.json` is written last, so a folder that has it is complete.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from kerasvision.config.listing import storable
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.artifact import Artifact
from kerasvision.pipeline.digests import tree_digest
from kerasvision.pipeline.records import ArtifactRecord, Properties

RECORD = "artifact.json"
CONTENT = "content"
_FROM_A_STAGE = "name a folder that `kerasvision stage --out` has written"


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
    def read(cls, folder: Path) -> "Carried":
        """Reads the folder's `artifact.json`.

        Raises:
            DataError: the file does not exist, or is not such a record.
        """
        file = folder / RECORD
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if not folder.is_dir():
                raise DataError("the folder of an input must exist", received=str(folder), hint=_FROM_A_STAGE) from None
            raise DataError(f"{folder} must contain {RECORD}", hint=_FROM_A_STAGE) from None
        except (ValueError, TypeError) as error:
            raise DataError(f"{file} is not the record of an artifact: {error}") from error

    def copy_content(self, folder: Path, artifact: Artifact) -> None:
        """Copies the content from the folder to an artifact, and checks it.

        Raises:
            DataError: the content is not what `artifact.json` says.
        """
        # An object store keeps no empty folders.
        if (folder / CONTENT).is_dir():
            shutil.copytree(folder / CONTENT, artifact.uri, dirs_exist_ok=True)
        artifact.properties.update(self.properties)
        if self._digest_of(artifact) != self.digest:
            raise DataError(
                f"the content of {folder} is not the one that its {RECORD} names",
                hint="copy the folder again; an artifact that refers to files outside its folder cannot be carried",
            )

    @staticmethod
    def _digest_of(artifact: Artifact) -> str:
        try:
            return tree_digest([artifact.uri, *artifact.external_paths()], None)
        except (OSError, ValueError, LookupError):
            return ""


def check_free(folder: Path) -> None:
    """Raises ConfigError if an artifact cannot be written to the folder because something is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            "an output requires an empty folder or one that does not exist",
            received=str(folder),
            hint="name another one, or empty it",
        )


def carry(record: ArtifactRecord, folder: Path, *, pipeline: str, node: str, key: str) -> Carried:
    """Writes an artifact to a folder, from which `Carried.read` and `Carried.copy_content` bring it back.

    Args:
        record: the artifact.
        folder: does not exist, or is empty.
        pipeline, node, key: where the artifact comes from.
    """
    carried = Carried(record.type, record.digest, record.properties, pipeline, node, key)
    shutil.copytree(record.uri, folder / CONTENT)
    text = json.dumps(carried.to_data(), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / RECORD).write_text(storable(text) + "\n", encoding="utf-8")
    return carried
