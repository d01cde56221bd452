"""The implementation of a format: a converter, which writes a file and gets its answers through the format's own runtime.

A custom format is two classes in your own module, and `c.Export(formats=("my_formats:Ncnn",))`:

```python
class Ncnn(c.Format):
    implementation: ClassVar[str] = "my_formats:NcnnConverter"
    file: ClassVar[str] = "Format-NCNN/model.param"

    def packages(self):
        return super().packages() | {"ncnn"}


class NcnnConverter:
    def __init__(self, settings): ...
    def write(self, exported, file): ...
    def load(self, file): ...
```
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.export import Format
from kerasvision.errors import ConfigError
from kerasvision.served.signatures import TENSOR_INPUT


@dataclass(frozen=True)
class Exported:
    """The source for a file of another format.

    Attributes:
        numbers: image float32 (N, H, W, C) in [0, 255] -> output name -> numbers (N, ...), float32, or int32 for what is
            counted or numbered: a plain function of TensorFlow operations. Positions are those in these images. Text outputs
            are left out: few formats support texts.
        image_shape: (H, W, C).
        saved_model: the SavedModel; its signature `serve_tensor` answers with these numbers, and the texts.
        calibration: a count -> at most that many images of the train split, float32 (H, W, C) in [0, 255].
    """

    numbers: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    image_shape: tuple[int, int, int]
    saved_model: Path
    calibration: Callable[[int], Iterator[np.ndarray]]

    def function(self, batch_size: int | None) -> "tf.types.experimental.PolymorphicFunction":
        """`numbers` as a tf.function of `image`, float32 (N, H, W, C), for one batch size; None leaves the size free."""
        spec = tf.TensorSpec([batch_size, *self.image_shape], tf.float32, name=TENSOR_INPUT)
        return tf.function(self.numbers, autograph=False, input_signature=[spec])


class Converter(Protocol):
    """A class whose constructor takes the settings, a `Format`, and imports the packages that it needs."""

    def write(self, exported: Exported, file: Path) -> None:
        """Writes the file; its folder exists."""

    def load(self, file: Path) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
        """A function that gets answers from the file, through the format's own runtime.

        Returns:
            images float32 (N, H, W, C) in [0, 255] -> output name -> (N, ...), as from `Exported.numbers`.
        """


def make_converter(settings: Format) -> Converter:
    """The converter that the settings choose, which imports its packages now.

    Raises:
        ConfigError: it lacks a method.
    """
    make: Callable[[Format], Converter] = lookup.load(settings.implementation)
    converter = make(settings)
    if missing := [name for name in ("write", "load") if not callable(getattr(converter, name, None))]:
        raise ConfigError(
            f"{settings.implementation} must have the methods write and load, see {__name__}",
            received=f"a converter without {' and '.join(missing)}",
        )
    return converter
