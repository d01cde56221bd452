"""The layers in an HDF5 file of Keras weights, by name and in order, each with its arrays. There are two formats.

The old one, `.h5`:

    <root>, or the group "model_weights" of a file with a whole model
        attribute "layer_names"             in order; a long list is split into "layer_names0", "layer_names1", ...
        <layer>/                            attribute "weight_names", the paths of its arrays in order
            <path of an array>

Keras 3's, `.weights.h5`. It does not name the layers, but numbers those of each class in the order of the model:

    layers/
        conv2d/, conv2d_1/, conv2d_2/ ...   vars/0, vars/1, ... are its arrays in order
        sequential/                         a model in the model: layers/ as above

The file may come from anywhere. So nothing is unpickled, no code is run, and links out of the file are rejected. The shape
of an array is checked before its content is read, so an array that claims to be huge takes no memory.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, takewhile
from math import prod
from pathlib import Path
from typing import Protocol

import h5py
import keras
import numpy as np

from kerasvision.errors import ConfigError

# The largest size of one attribute. Keras splits its lists of names at 64 KiB.
_MOST_BYTES = 2**20


class Stored(Protocol):
    """An array that is read later; its shape is known before."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""

    def read(self) -> np.ndarray:
        """The numbers: float32, of that shape."""


class StoredArray:
    """An array in a file; `read` reads its numbers.

    Attributes:
        shape: as the file states it.
    """

    def __init__(self, dataset: h5py.Dataset, file: Path) -> None:
        self._dataset, self._file = dataset, file
        self.shape: tuple[int, ...] = tuple(dataset.shape)

    def read(self) -> np.ndarray:
        """The numbers as float32, whatever precision the file has.

        Raises:
            ConfigError: some of the numbers are missing.
        """
        try:
            return np.asarray(self._dataset[()], np.float32)
        except (OSError, RuntimeError) as error:
            raise _damaged(self._file, error) from error


Layers = dict[str, list[StoredArray]]


def is_keras_archive(file: Path) -> bool:
    """Whether this is a `.keras` file, judged by its name or by its content, a ZIP archive."""
    return file.suffix == ".keras" or (file.is_file() and zipfile.is_zipfile(file))


@contextmanager
def open_layers(file: Path, *, model: keras.Model | None = None) -> Iterator[Layers]:
    """The layers that have weights, in the file's order; readable while the file is open.

    Args:
        file: its path.
        model: the network that the file was made of. Its layers have the names in the result if the file is a
            `.weights.h5`. Without a model, such a file is rejected.

    Raises:
        ConfigError: the file is not an HDF5 file, is cut short, has another layout, or links to other files.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(h5py.File(file, "r"))
            numbered = model is not None and "layers" in opened and not _lists_layers(opened)
            found = _numbered_layers(opened, model.layers, file) if model and numbered else _layers(opened, file)
        # For a damaged file h5py raises one of these, depending on where the damage is.
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise _damaged(file, error) from error
        yield found


def _layers(group: h5py.Group, file: Path) -> Layers:
    if "model_weights" in group:
        group = _inside(group, "model_weights", h5py.Group, file)
    if not _lists_layers(group):
        raise _bad(
            file,
            "must list its layers in an attribute 'layer_names'",
            hint="a Keras 3 .weights.h5 has no such list: load it into its model and call model.save('name.h5')",
        )
    found: Layers = {}
    for name in _names(group, "layer_names", file):
        layer = _inside(group, name, h5py.Group, file)
        arrays = [_array(layer, path, file) for path in _names(layer, "weight_names", file)]
        if arrays:
            found[name] = arrays
    return found


def _lists_layers(group: h5py.Group) -> bool:
    return "layer_names" in group.attrs or "layer_names0" in group.attrs


def _numbered_layers(group: h5py.Group, layers: Sequence[keras.Layer], file: Path) -> Layers:
    """The arrays of the model's layers, and those that the model lacks, which keep their names in the file."""
    group = _inside(group, "layers", h5py.Group, file)
    counts: Counter[str] = Counter()
    found: Layers = {}
    others = set(group)
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        name = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        others.discard(name)
        if layer.weights:
            found[layer.name] = _numbered_arrays(_inside(group, name, h5py.Group, file), layer, file)
    for name in sorted(others):
        if group[name].get("vars"):
            found[f"layers/{name}"] = _variables(_inside(group, name, h5py.Group, file), file)
    return found


def _numbered_arrays(group: h5py.Group, layer: keras.Layer, file: Path) -> list[StoredArray]:
    if isinstance(layer, keras.Sequential):
        return [array for arrays in _numbered_layers(group, layer.layers, file).values() for array in arrays]
    return _variables(group, file)


def _variables(group: h5py.Group, file: Path) -> list[StoredArray]:
    names = _inside(group, "vars", h5py.Group, file)
    return [_array(group, f"vars/{number}", file) for number in range(len(names))]


def _snake_case(name: str) -> str:
    """A class's name as Keras writes it in files.

    >>> _snake_case("BatchNormalization"), _snake_case("DepthwiseConv2D")
    ('batch_normalization', 'depthwise_conv2d')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


def _names(group: h5py.Group, attribute: str, file: Path) -> list[str]:
    """A list of names, in one attribute or split into several."""
    if attribute in group.attrs:
        return _texts(group, attribute, file)
    parts = takewhile(group.attrs.__contains__, (f"{attribute}{number}" for number in count()))
    return [name for part in parts for name in _texts(group, part, file)]


def _texts(group: h5py.Group, attribute: str, file: Path) -> list[str]:
    stored = group.attrs.get_id(attribute)
    if 0 in stored.shape:
        return []
    if h5py.check_string_dtype(stored.dtype) is None or prod(stored.shape) * stored.dtype.itemsize > _MOST_BYTES:
        raise _bad(file, f"must list names in {attribute} of {group.name}; it has {stored.shape} of {stored.dtype}")
    return [text.decode() if isinstance(text, bytes) else text for text in group.attrs[attribute]]


def _array(group: h5py.Group, path: str, file: Path) -> StoredArray:
    dataset = _inside(group, path, h5py.Dataset, file)
    if dataset.external or dataset.is_virtual:
        raise _bad(file, f"must contain its own numbers; {dataset.name} is in another file")
    # The layer Normalization has an integer, a single one: how many images it saw.
    if dataset.dtype.kind != "f" and (dataset.shape or dataset.dtype.kind not in "iu"):
        raise _bad(file, f"must contain floating-point numbers; {dataset.name} is {dataset.dtype}")
    return StoredArray(dataset, file)


def _inside(group: h5py.Group, path: str, kind: type, file: Path) -> h5py.Group | h5py.Dataset:
    """The member at a path. No step may be a link, because a link may lead into any other file."""
    found = group
    for part in path.split("/"):
        if part in ("", ".", "..") or not isinstance(found, h5py.Group) or part not in found:
            raise _bad(file, f"has no {path!r} in {group.name}")
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise _bad(file, f"must be complete in itself; {part!r} in {found.name} is a link")
        found = found[part]
    if not isinstance(found, kind):
        raise _bad(file, f"must have a {kind.__name__.lower()} {path!r} in {group.name}")
    return found


def _damaged(file: Path, error: Exception) -> ConfigError:
    return _bad(file, f"is damaged or not an HDF5 file: {str(error).splitlines()[0]}", hint="copy or download it again")


def _bad(file: Path, what: str, hint: str = "") -> ConfigError:
    return ConfigError(f"the weights file {file} {what}", hint=hint)
