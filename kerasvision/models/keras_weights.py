"""The arrays in a weights file of a network of keras.applications, by our names of the layers.

    <file>.h5             keras.applications' own, or written by `model.save("name.h5")`
    <file>.weights.h5     written by `model.save_weights("name.weights.h5")`

Both are matched by the order of the layers, as Keras does it: Keras numbers some layers through the whole process, so their
names in a file may be any. A file may have the head of the network, which is not read, and its preprocessing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.errors import ConfigError
from kerasvision.models.keras_applications import original_network, our_names
from kerasvision.models.weight_files import Stored, open_layers

# VGG has a head of three layers, and no network has more.
_MOST_IN_HEAD = 3


@contextmanager
def our_layers(name: str, file: Path, options: Mapping[str, Any]) -> Iterator[dict[str, Sequence[Stored]]]:
    """Our name of each layer before the head -> its arrays; readable inside the `with`.

    Args:
        name: of the network, in `KERAS_NETWORKS`.
        file: an HDF5 file.
        options: of our builder.

    Raises:
        ConfigError: the file is damaged, or is of a network with another number of layers.
    """
    row = KERAS_NETWORKS[name]
    side = row.family.least_side
    width = {"alpha": options["width"]} if "width" in options else {}
    original = original_network(row.function, image_shape=(side, side, 3), **width)
    names = our_names(original)
    wanted = [names[layer.name] for layer in original.layers if layer.weights]
    with open_layers(file, model=original) as layers:
        if not 0 <= len(layers) - len(wanted) <= _MOST_IN_HEAD:
            raise ConfigError(
                f"the weights file {file} has {len(layers)} layers with weights, and {name} has {len(wanted)} before its "
                "head",
                hint="name the network that the file is of",
            )
        yield dict(zip(wanted, layers.values(), strict=False))
