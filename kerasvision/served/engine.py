"""Computes the network of a SavedModel with another engine than TensorFlow, between two functions of the SavedModel.

    encoded images  --decoded-->  scaled images  --the engine-->  the network's outputs  --placed_back-->  answers
    pixels          --scaled--->  scaled images  --the engine-->  the network's outputs  --in_frame----->  answers

The four functions are in the SavedModel's `parts`. `assets.extra/openvino/network.xml` is the network for engines of
OpenVINO. Other signatures stay with TensorFlow.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasvision import lookup
from kerasvision.errors import ExportError
from kerasvision.extras import missing
from kerasvision.served.signatures import BYTES_SIGNATURE, TENSOR_SIGNATURE

# What `decoded` and `scaled` call the images for the network.
IMAGES = "images"
# A signature -> the functions before and after the network.
PARTS = {BYTES_SIGNATURE: ("decoded", "placed_back"), TENSOR_SIGNATURE: ("scaled", "in_frame")}

Function = Callable[..., Mapping[str, tf.Tensor]]


def network_file(saved_model: Path, engine: str) -> Path:
    """Where a SavedModel has its network for an engine. Engines that differ in precision alone read the same file.

    >>> for engine in ("openvino", "openvino_bfloat16"):
    ...     print(network_file(Path("saved_models/digits/3"), engine).as_posix())
    saved_models/digits/3/assets.extra/openvino/network.xml
    saved_models/digits/3/assets.extra/openvino/network.xml
    """
    return saved_model / "assets.extra" / engine.removesuffix("_bfloat16") / "network.xml"


def exported_mark(saved_model: Path, engine: str) -> Path:
    """An empty file: the SavedModel was exported for this engine, and its answers through it were compared.

    >>> exported_mark(Path("saved_models/digits/3"), "openvino_bfloat16").as_posix()
    'saved_models/digits/3/assets.extra/openvino/openvino_bfloat16.exported'
    """
    return network_file(saved_model, engine).with_name(f"{engine}.exported")


def output_name(number: int) -> str:
    """The name of an output of the network, by its place in the order of `tf.nest.flatten`."""
    return f"output_{number}"


class ThroughEngine:
    """A signature of a SavedModel whose network an engine computes; it is called as the signature itself.

    Args:
        signature: TensorFlow's function for it.
        before: from the signature's inputs to `images`, float32 (N, H, W, C), and to what `after` takes as well.
        network: images -> outputs by the names of `output_name`.
        after: from the result of `before` and the outputs to the answers.
    """

    def __init__(
        self, signature: Any, *, before: Function, network: Callable[[np.ndarray], Mapping[str, np.ndarray]], after: Function
    ) -> None:
        self.structured_input_signature = signature.structured_input_signature
        self.structured_outputs = signature.structured_outputs
        self._before, self._network, self._after = before, network, after

    def __call__(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The answers: name -> tensor of N rows."""
        made = self._before(**inputs)
        found = self._network(made[IMAGES].numpy())
        return dict(self._after(**made, **{name: tf.constant(value) for name, value in found.items()}))


def through(engine: str, *, saved_model: Path, loaded: Any) -> dict[str, ThroughEngine]:
    """The signatures of a loaded SavedModel whose network an engine computes.

    Args:
        engine: a name in `kerasvision.lookup.ENGINES`.
        saved_model: the folder.
        loaded: what TensorFlow loaded from it.

    Raises:
        ConfigError: there is no such engine, or its package is missing.
        ExportError: the SavedModel was not exported for it, or it cannot compute the network.
    """
    path = lookup.ENGINES.path(engine)
    if not exported_mark(saved_model, engine).is_file() or not hasattr(loaded, "parts"):
        raise ExportError(
            f"{saved_model} was not exported for the engine {engine}",
            hint=f'add "{engine}" to export.formats, run the pipeline again, and serve the version that it pushes',
        )
    network = _loaded(path, engine)(network_file(saved_model, engine))
    return {
        name: ThroughEngine(
            loaded.signatures[name],
            before=getattr(loaded.parts, before),
            network=network,
            after=getattr(loaded.parts, after),
        )
        for name, (before, after) in PARTS.items()
    }


def _loaded(path: str, engine: str) -> Callable[[Path], Callable[[np.ndarray], Mapping[str, np.ndarray]]]:
    try:
        found: Callable[[Path], Callable[[np.ndarray], Mapping[str, np.ndarray]]] = lookup.load(path)
    except ModuleNotFoundError as error:
        raise missing(f"the engine {engine}", [error.name or ""]) from error
    return found
