"""A run in one zip file: what is needed to run it again elsewhere, and what came out of it.

```
run.json            the run, what was asked of it, its stages with all that they depended on, the versions of packages
requirements.txt    the same versions, for `pip install -r`
code/               the pipeline file, and the modules of the user that the stages reached
manifest.parquet    a row per image, with a hash of its bytes; the images themselves are not packed
scores.json         of the evaluator, if the run reached it
```
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from kerasvision.errors import ConfigError
from kerasvision.pipeline.request import Request
from kerasvision.pipeline.store import Parts

FORMAT = 1
RUN, LOCK, CODE, MANIFEST, SCORES = "run.json", "requirements.txt", "code", "manifest.parquet", "scores.json"
# The earliest time that a zip file can record: packing a run twice gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# No part of a packed run is nearly as large; a hostile file may claim more.
MOST_BYTES = 2**32


@dataclass(frozen=True)
class PackedStage:
    """A stage of a packed run.

    Attributes:
        name: its name.
        parts: everything that its result depended on, see `Fingerprint`.
        outputs: key -> (type, hash of its content).
        seconds: how long it took.
    """

    name: str
    parts: Parts
    outputs: Mapping[str, tuple[str, str]]
    seconds: float


@dataclass(frozen=True)
class Pack:
    """A packed run.

    Attributes:
        run, pipeline: its id, and the pipeline's name.
        started: when, in UTC.
        outcome: finished, failed, ...
        verdict: of the gate; "" if the run did not reach it.
        request: what was asked of it.
        file: the pipeline file, below `code/`.
        stages: in order.
        python, platform: of the machine on which it was packed.
        packages: all installed packages there -> version.
        examples: the hash of the examples; "" without examples.
        code: path below `code/` -> content.
        manifest: of the examples; None without.
        scores: the content of `scores.json`; empty without an evaluation.
    """

    run: str
    pipeline: str
    started: str
    outcome: str
    verdict: str
    request: Request
    file: str
    stages: tuple[PackedStage, ...]
    python: str
    platform: str
    packages: Mapping[str, str]
    examples: str = ""
    code: Mapping[str, bytes] = field(default_factory=dict)
    manifest: bytes | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Writes the zip file."""
        data = {name: value for name, value in asdict(self).items() if name not in ("code", "manifest", "scores")}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:

            def add(name: str, content: str | bytes) -> None:
                packed.writestr(zipfile.ZipInfo(name, NO_TIME), content, zipfile.ZIP_DEFLATED)

            add(RUN, _text({"format": FORMAT, **data}))
            add(LOCK, "".join(f"{name}=={version}\n" for name, version in self.packages.items()))
            for path, content in self.code.items():
                add(f"{CODE}/{path}", content)
            if self.manifest is not None:
                add(MANIFEST, self.manifest)
            if self.scores:
                add(SCORES, _text(self.scores))

    @classmethod
    def load(cls, file: Path) -> "Pack":
        """The packed run of a zip file.

        Raises:
            ConfigError: the file is not a packed run, is damaged or of a newer version, or names a path outside itself.
        """
        try:
            with zipfile.ZipFile(file) as packed:
                content = {info.filename: _read(packed, info) for info in packed.infolist() if not info.is_dir()}
            data = json.loads(content[RUN])
            if data.pop("format") > FORMAT:
                raise ConfigError(f"{file} was written by a newer version of kerasvision", hint="update kerasvision")
            data["request"] = Request(**data["request"])
            data["stages"] = tuple(_stage(one) for one in data["stages"])
            code = {_inside(name): text for name, text in content.items() if name.startswith(f"{CODE}/")}
            scores = json.loads(content.get(SCORES, b"{}"))
            return cls(**data, code=code, manifest=content.get(MANIFEST), scores=scores)
        except (zipfile.BadZipFile, LookupError, ValueError, TypeError, EOFError, NotImplementedError) as error:
            raise ConfigError(
                f"{file} is not a packed run, or it is damaged: {error}", hint="`kerasvision runs pack` writes one"
            ) from error


def _read(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MOST_BYTES:
        raise ValueError(f"{info.filename} has {info.file_size:,} bytes")
    return packed.read(info)


def _stage(data: Mapping[str, Any]) -> PackedStage:
    outputs = {key: (str(kind), str(digest)) for key, (kind, digest) in data["outputs"].items()}
    return PackedStage(**{**data, "outputs": outputs})


def _inside(name: str) -> str:
    """The path below `code/` of an entry of a zip file.

    >>> _inside("code/nets/small.py")
    'nets/small.py'
    >>> _inside("code/../../escape.py")
    Traceback (most recent call last):
    ...
    ValueError: 'code/../../escape.py' leads out of the file
    """
    path = PurePosixPath(name)
    if ".." in path.parts or path.is_absolute() or "\\" in name or ":" in name:
        raise ValueError(f"{name!r} leads out of the file")
    return path.relative_to(CODE).as_posix()


def _text(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=True, sort_keys=True) + "\n"
