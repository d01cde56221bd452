"""A SavedModel in memory, as a server needs it: signatures that take arrays, and what their metadata say."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict

from kerasvision.export.writing.graph import read_graph
from kerasvision.served.answers import PLACES, read_answers
from kerasvision.served.model import LOAD_ERRORS, ServedModel, SignatureFunction
from kerasvision.served.signatures import BYTES_SIGNATURE, VALID

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ServedSignature:
    """One function of a SavedModel.

    Attributes:
        name: such as `serving_default`.
        inputs: name -> specification.
        outputs: names, sorted.
        joins: whether the first axis of every input and output is free, so that rows of several requests may be joined.
        function: the function itself.
    """

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    outputs: tuple[str, ...]
    joins: bool
    function: SignatureFunction

    @classmethod
    def of(cls, name: str, function: SignatureFunction) -> "ServedSignature":
        """The signature of a loaded SavedModel with this name."""
        inputs = dict(function.structured_input_signature[1])
        outputs = function.structured_outputs
        return cls(name, inputs, tuple(sorted(outputs)), all(map(_is_free, (*inputs.values(), *outputs.values()))), function)

    @property
    def tells_valid(self) -> bool:
        """Whether an output says which rows have an answer."""
        return VALID in self.outputs

    def __call__(self, columns: Columns) -> dict[str, np.ndarray]:
        """Output name -> array, from input name -> array; dtypes and shapes are those of the signature."""
        given = {name: tf.constant(columns[name], spec.dtype) for name, spec in self.inputs.items()}
        return {name: value.numpy() for name, value in self.function(**given).items()}


class ServedVersion:
    """A loaded version of a model.

    Args:
        folder: a SavedModel.
        version: its number.
        engine: what computes the network, see `ServedModel`.

    Attributes:
        version: the same.
        signatures: name -> signature.
        signature_definitions: in TensorFlow Serving's format.
        places: which outputs a page draws over an image, see `kerasvision.served.answers`; empty if none.

    Raises:
        ExportError: it is incomplete, differs from what was pushed, is damaged, or has no signature.
    """

    def __init__(self, folder: Path, *, version: int, engine: str | None = None) -> None:
        self.version = version
        self._served = ServedModel(folder, engine=engine)
        self.signatures = {name: ServedSignature.of(name, made) for name, made in self._served.signatures.items()}
        self.signature_definitions = _definitions(folder)
        self.places = _places(read_answers(folder).get(PLACES, {}), self.signatures.get(BYTES_SIGNATURE))

    def warm_up(self, max_batch_size: int) -> None:
        """Calls every signature once with one row and once with a full batch, because the first call of each is slow."""
        for signature in self.signatures.values():
            for rows in (1, max_batch_size) if signature.joins else (None,):
                with contextlib.suppress(*LOAD_ERRORS):  # It may not accept the made-up input.
                    signature({name: _made_up(spec, rows) for name, spec in signature.inputs.items()})


def _places(places: Mapping[str, object], signature: ServedSignature | None) -> dict[str, object]:
    """What the file says, if all outputs that it requires are there.

    Answers of several rows require all four. An answer of one place requires its corners, and may lack its label and score.
    A map of classes requires the map, labels, scores and colours. Numbers require their labels.
    """
    if signature is None or not isinstance(places.get("shown_from"), int | float):
        return {}
    known = {name: what for name, what in places.items() if name in ("shown_from", "colors") or what in signature.outputs}
    required = {"corners", "labels", "scores", "count"} if "count" in places else {"corners"}
    if "map" in places:
        required = {"map", "labels", "scores", "colors"}
    elif "numbers" in places:
        required = {"numbers", "labels"}
    return known if required <= set(known) else {}


def _is_free(spec: tf.TensorSpec) -> bool:
    return spec.shape.rank is not None and spec.shape.rank > 0 and spec.shape[0] is None


def _made_up(spec: tf.TensorSpec, rows: int | None) -> np.ndarray:
    """Zeros; for texts a small picture, because that is what most models here take."""
    sides = [1 if side is None else side for side in spec.shape.as_list() or []]
    shape = sides if rows is None else [rows, *sides[1:]]
    if spec.dtype != tf.string:
        return np.zeros(shape, spec.dtype.as_numpy_dtype)
    return np.full(shape, tf.io.encode_png(np.zeros((32, 32, 3), np.uint8)).numpy(), object)


def _definitions(folder: Path) -> dict[str, object]:
    """The signatures in TensorFlow Serving's format: protobuf's JSON of `SignatureDef`."""
    return {
        name: MessageToDict(made, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for name, made in read_graph(folder).signature_def.items()
    }
