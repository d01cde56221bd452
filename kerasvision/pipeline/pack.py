"""A run in one zip file: what is needed to run it again elsewhere, and what came out of it.

```
run.json            the run, what was asked of it, its stages with all that they depended on, the versions of packages
requirements.txt    the same versions, for `pip install -r`
code/pipeline/      the pipeline file
code/modules/       the modules of the user that the stages reached; only this folder is on the path of imports
manifest.parquet    a row per image, with a hash of its bytes; the images themselves are not packed
scores.json         of the evaluator, if the run reached it
```
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kerasvision.errors import ConfigError
from kerasvision.pipeline.request import Request
from kerasvision.pipeline.store import Parts

FORMAT = 2
RUN, LOCK, CODE, MANIFEST, SCORES = "run.json", "requirements.txt", "code", "manifest.parquet", "scores.json"
# The folders below CODE. A pipeline file and a module of the user may have the same name.
PIPELINE, MODULES = "pipeline", "modules"
# The earliest time that a zip file can record: packing a run twice gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# No packed run is nearly as large; a hostile file may claim more.
MOST_BYTES, MOST_ENTRIES = 2**32, 10_000
# What a damaged file raises in zipfile, json and this module; RuntimeError is for encrypted entries and deeply nested JSON.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)


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
            ConfigError: the file is not a packed run, is damaged or of another version, or names a path outside itself.
            OSError: it cannot be opened.
        """
        try:
            with zipfile.ZipFile(file) as packed:
                content = dict(_contents(packed))
            data = json.loads(content[RUN])
            _check_format(data["format"], file)
            code = {_inside(name): text for name, text in content.items() if name.startswith(f"{CODE}/")}
            scores = json.loads(content.get(SCORES, b"{}"))
            return _checked({**data, "code": code, "manifest": content.get(MANIFEST), "scores": scores})
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.filename:  # the file cannot be opened
                raise
            raise ConfigError(
                f"{file} is not a packed run, or it is damaged: {error}", hint="`kerasvision runs pack` writes one"
            ) from error


def installed_packages() -> dict[str, str]:
    """All installed packages -> version. A folder that only looks like one, without a name or a version, is left out."""
    packages: dict[str, str] = {}
    for found in metadata.distributions():
        name, version = found.metadata["Name"], found.metadata["Version"]
        if name and version:  # the first of a name is the one that Python imports
            packages.setdefault(name.lower().replace("_", "-"), version)
    return dict(sorted(packages.items()))


def _check_format(number: int, file: Path) -> None:
    if number != FORMAT:
        age, hint = ("a newer", "update kerasvision") if number > FORMAT else ("an older", "pack the run again")
        raise ConfigError(f"{file} was written by {age} version of kerasvision", hint=hint)


def _contents(packed: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the entries that a packed run has; others are not read."""
    parts = [
        info
        for info in packed.infolist()
        if info.filename in (RUN, MANIFEST, SCORES) or (info.filename.startswith(f"{CODE}/") and not info.is_dir())
    ]
    size = sum(info.file_size for info in parts)
    if len(parts) > MOST_ENTRIES or size > MOST_BYTES:
        raise ValueError(
            f"it has {len(parts):,} entries with {size:,} bytes; at most {MOST_ENTRIES:,} and {MOST_BYTES:,} are read"
        )
    # The size that an entry claims is the most that is read of it.
    yield from ((info.filename, packed.read(info)) for info in parts)


def _checked(data: object) -> Pack:
    """The pack, if each of its fields has the right type, and its code can be written to one folder."""
    try:
        pack = TypeAdapter(Pack).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if pack.file not in pack.code:
        raise ValueError(f"it has no pipeline file {CODE}/{pack.file}")
    for path in pack.code:
        for folder in PurePosixPath(path).parents:
            if str(folder) in pack.code:
                raise ValueError(f"{CODE}/{folder} is a file and a folder")
    return pack


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
