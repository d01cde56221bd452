"""What implements a format: a converter, which writes a file and asks it by the format's own runtime.

A format of your own is two classes in a module of yours, and `c.Export(formats=("my_formats:OpenVino",))`:

```python
class OpenVino(c.Format):
    implementation: ClassVar[str] = "my_formats:OpenVinoConverter"
    file: ClassVar[str] = "Format-OpenVINO/model.xml"

    def packages(self):
        return super().packages() | {"openvino"}


class OpenVinoConverter:
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
from kerasvision.served.signatures import TENSOR_INPUT


@dataclass(frozen=True)
class Exported:
    """What a file of another format is written from.

    Attributes:
        numbers: image float32 (N, H, W, C) in [0, 255] -> output name -> float32 (N, ...): a plain function of TensorFlow
            operations. The texts among the answers are left out: few formats hold texts.
        image_shape: (H, W, C).
        saved_model: the SavedModel; its signature `serve_tensor` answers with these numbers, and the texts.
        calibration: a count -> at most that many images of the train split, float32 (H, W, C) in [0, 255].
    """

    numbers: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    image_shape: tuple[int, int, int]
    saved_model: Path
    calibration: Callable[[int], Iterator[np.ndarray]]

    def function(self, batch_size: int | None) -> "tf.types.experimental.PolymorphicFunction":
        """`numbers` as a tf.function of `image`, for batches of one size; None leaves the size free."""
        spec = tf.TensorSpec([batch_size, *self.image_shape], tf.float32, name=TENSOR_INPUT)
        return tf.function(self.numbers, autograph=False, input_signature=[spec])


class Converter(Protocol):
    """A class that takes the settings, a `Format`; it imports the packages that it needs."""

    def write(self, exported: Exported, file: Path) -> None:
        """Writes the file; its folder exists."""

    def load(self, file: Path) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
        """What asks the file, by the format's own runtime.

        Returns:
            images float32 (N, H, W, C) in [0, 255] -> output name -> (N, ...), as `Exported.numbers` has them.
        """


def make_converter(settings: Format) -> Converter:
    """The converter that the settings choose, which imports its packages now."""
    make: Callable[[Format], Converter] = lookup.load(settings.implementation)
    return make(settings)
