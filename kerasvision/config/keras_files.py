"""Reads the contents of a `.keras` file without Keras: whether it is complete, what it needs, and the classes of its head.

    metadata.json       the version of Keras that wrote it
    config.json         the layers and how they are connected
    model.weights.h5    the weights
    kerasvision.json    {"classes": [...]}, in the order of their numbers; we add it, and Keras ignores it

The class names are inside the file, so they stay with a copy of it. A file that Keras alone wrote has none.
"""

import json
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", ("model.weights.h5", "model.weights.npz")
NAMES = "kerasvision.json"
# A description of layers is small. A larger entry is something else, perhaps a ZIP bomb.
MOST_BYTES = 64 * 2**20
ZIP, HDF5 = b"PK", b"\x89HDF\r\n\x1a\n"
# How other kinds of file begin.
KINDS = {
    HDF5: "an HDF5 file (the older format of Keras, whose files end in .h5)",
    b"<": "a text, perhaps the page of a failed download",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
}
COPY_AGAIN = "copy the file again, or train again"


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be used.

    Attributes:
        reason: continues a sentence that begins with the file's name: "is empty".
        hint: the way out.
    """

    reason: str
    hint: str = COPY_AGAIN


def file_fault(file: Path) -> Fault | None:
    """What is wrong with a file that should be a `.keras` file, according to its list of contents.

    The weights themselves are not read, so this is quick for a file of any size.

    >>> file_fault(Path("nowhere.keras"))
    Fault(reason='does not exist', hint='copy the file again, or train again')
    """
    beginning = _beginning(file)
    if isinstance(beginning, Fault):
        return beginning
    if not beginning.startswith(ZIP):
        kind = next((kind for sign, kind in KINDS.items() if beginning.startswith(sign)), "not a ZIP archive")
        return Fault(f"is not a .keras file: it is {kind}")
    return _archive_fault(file)


def hdf5_fault(file: Path) -> Fault | None:
    """What is wrong with a file that should be a `.h5` file of weights, according to its first bytes.

    A `.keras` file with that ending is checked as a `.keras` file.
    """
    beginning = _beginning(file)
    if isinstance(beginning, Fault):
        return beginning
    if beginning.startswith(ZIP):
        return _archive_fault(file)
    if not beginning.startswith(HDF5):
        kind = next((f"it is {kind}" for sign, kind in KINDS.items() if beginning.startswith(sign)), "it begins differently")
        return Fault(f"is damaged or not an HDF5 file: {kind}")
    return None


def _beginning(file: Path) -> bytes | Fault:
    """The first bytes of a file, at least one."""
    if file.is_dir():
        return Fault("is a folder", "name the file: the trainer writes it to Format-Keras/model.keras in its folder")
    try:
        # Opening a pipe may block forever.
        if not stat.S_ISREG(file.stat().st_mode):
            return Fault("is a pipe, a socket or a device", "copy it to a file, and name that")
        with file.open("rb") as opened:
            beginning = opened.read(64)
    except FileNotFoundError:
        return Fault("does not exist")
    except OSError as error:
        return Fault(f"cannot be read: {error.strerror}", "make the file readable for this user")
    return beginning or Fault("is empty")


def _archive_fault(file: Path) -> Fault | None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        return Fault(f"is cut short or damaged: {error}")
    if CONFIG not in entries:
        return Fault(f"has no {CONFIG}, which describes the layers", "write it with model.save('name.keras')")
    if not entries & set(WEIGHTS):
        return Fault(f"has no {WEIGHTS[0]}, which holds the weights", "write it with model.save('name.keras')")
    config = _read(file, CONFIG)
    return config if isinstance(config, Fault) else None


def loading_fault(file: Path, error: Exception) -> Fault:
    """Why Keras could not load a file whose `file_fault` is None.

    Args:
        file: the file.
        error: what Keras raised.
    """
    config = _read(file, CONFIG)
    layers = list(_layers(config))
    hidden = next((layer for layer in layers if layer["class_name"] == "Lambda"), None)
    if hidden is not None:
        name = (hidden.get("config") or {}).get("name", "lambda")
        return Fault(
            f"has a Lambda layer {name!r}, whose code is stored in the file and would run here",
            "write that step with keras.ops, or as a layer class, and train again",
        )
    foreign = sorted({_class(layer) for layer in layers if not _is_keras(layer)})
    if foreign:
        return Fault(
            f"needs {', '.join(foreign)}, which Keras does not have",
            "register the class with @keras.saving.register_keras_serializable() in the module of the network's builder",
        )
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return Fault(f"is damaged, or incompatible with this version of Keras: {line}{_versions(file)}")


def head_names(file: Path) -> tuple[str, ...] | None:
    """The class names of the head of the network in a `.keras` file, in order; None if the file does not say.

    >>> head_names(Path("nowhere.keras")) is None
    True
    """
    data = _read(file, NAMES)
    names = data.get("classes") if isinstance(data, dict) else None
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def add_names(file: Path, names: Sequence[str]) -> None:
    """Writes the names of the classes into a `.keras` file that has none yet."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(NAMES, json.dumps({"classes": list(names)}, ensure_ascii=False))


def _read(file: Path, entry: str) -> object:
    """The JSON of an entry; None if there is no such entry, a Fault if it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            if entry not in archive.namelist():
                return None
            if archive.getinfo(entry).file_size > MOST_BYTES:
                return Fault(f"has a {entry} of more than {MOST_BYTES >> 20} MiB")
            return json.loads(archive.read(entry))
    except OSError:
        return None
    # A damaged archive raises several kinds of error, and all mean the same.
    except Exception as error:
        return Fault(f"has a damaged {entry}: {error}")


def _layers(config: object) -> Iterator[dict[str, Any]]:
    """Every part of a description that names a class, outermost first."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from _layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layers(value)


def _is_keras(layer: dict[str, Any]) -> bool:
    """Whether the class belongs to Keras. So do inner descriptions without a module, such as `__tensor__`."""
    module = layer.get("module", "keras")
    return isinstance(module, str) and module.partition(".")[0] in ("keras", "builtins")


def _class(layer: dict[str, Any]) -> str:
    """Its registered name, "package>Class", or "module.Class" if it is not registered."""
    module = layer.get("module")
    return str(layer.get("registered_name") or (f"{module}.{layer['class_name']}" if module else layer["class_name"]))


def _versions(file: Path) -> str:
    data = _read(file, METADATA)
    written = data.get("keras_version") if isinstance(data, dict) else None
    ours = metadata.version("keras")
    return f" (the file was written by Keras {written}; this is Keras {ours})" if written not in (None, ours) else ""
