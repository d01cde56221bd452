"""TensorFlow Serving's JSON for `predict`: converts a body to arrays, and arrays to a reply.

Rows: `{"instances": [...]}`, answered by `{"predictions": [...]}`. Columns: `{"inputs": ...}`, answered by
`{"outputs": ...}`. For a signature with one input, bare values may be given, and a signature with one output returns bare
values. `{"b64": "..."}` is bytes. NaN and Infinity are tokens, as in TensorFlow Serving.

Source: `util/json_tensor.cc` of TensorFlow Serving and https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import tensorflow as tf

from kerasvision.served.signatures import BYTES_INPUT, BYTES_SUFFIX, LABEL_INPUT
from kerasvision.serving.body import parse_body, refuse_overflow
from kerasvision.serving.headers import NOT_DECODABLE, pixels_to_decode
from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import Columns, ServedSignature

DEFAULT_SIGNATURE = "serving_default"
B64 = "b64"
# The beginning of an image as base64 text (JPEG, PNG, GIF, WebP), with or without the head of a data URL.
BASE64_IMAGES = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "data:image/")


@dataclass(frozen=True)
class Asked:
    """The content of a request.

    Attributes:
        signature: the signature to call.
        columns: input name -> array.
        pixels: for each row, the pixels that TensorFlow would decode; empty if the signature does not join rows.
        by_rows: whether the reply must be in rows.
    """

    signature: ServedSignature
    columns: Columns
    pixels: tuple[int, ...]
    by_rows: bool


def read_request(body: bytes, signatures: Mapping[str, ServedSignature], limits: Limits) -> Asked:
    """The content of a request as arrays, with the dtypes and shapes of the signature.

    Args:
        body: JSON.
        signatures: of the model, by name.
        limits: how much a request may contain.

    Raises:
        Refused: 400, it is not JSON, does not fit the signature, or exceeds a limit.
    """
    request = parse_body(body, limits)
    name = request.get("signature_name", "") or DEFAULT_SIGNATURE
    if not isinstance(name, str):
        raise Refused(400, "'signature_name' must be a string")
    if name not in signatures:
        raise Refused(400, f'Serving signature name: "{name}" not found; there are {", ".join(sorted(signatures))}')
    signature = signatures[name]
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise Refused(400, "exactly one of 'instances' and 'inputs' must be given")
    values = _by_rows(request["instances"], signature, limits) if by_rows else _by_columns(request["inputs"], signature)
    columns = {key: _array(values[key], key, spec) for key, spec in signature.inputs.items()}
    if any(array.dtype.kind == "f" and np.isinf(array).any() for array in columns.values()):
        refuse_overflow(body)
    if b"true" in body or b"false" in body:
        _refuse_truths(values, columns)
    return Asked(signature, columns, _checked(columns, signature, limits), by_rows)


def write_reply(outputs: Columns, *, by_rows: bool) -> bytes:
    """The JSON reply for a model's outputs.

    Args:
        outputs: output name -> array of any dtype and shape; in rows, the first axis is that of the rows.
        by_rows: whether the request was in rows.

    Raises:
        Refused: 500, in rows, if the outputs differ in their number of rows.

    >>> write_reply({"scores": np.array([[0.1, 1]], np.float32), "label": np.array([b"cat"], object)}, by_rows=True)
    b'{"predictions": [{"scores": [0.1, 1.0], "label": "cat"}]}'
    >>> write_reply({"scores": np.array([[0.1, 1]], np.float32)}, by_rows=False)
    b'{"outputs": [[0.1, 1.0]]}'
    """
    plain = {name: _plain(name, values) for name, values in outputs.items()}
    if not by_rows:
        return json.dumps({"outputs": plain if len(plain) > 1 else next(iter(plain.values()))}).encode()
    if len({values.shape[:1] for values in outputs.values()}) > 1 or not all(values.ndim for values in outputs.values()):
        raise Refused(500, "the outputs differ in their number of rows; send the request in columns, with 'inputs'")
    if len(plain) == 1:
        return json.dumps({"predictions": next(iter(plain.values()))}).encode()
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    return json.dumps({"predictions": rows}).encode()


def _by_rows(instances: object, signature: ServedSignature, limits: Limits) -> dict[str, object]:
    """Input name -> a list of one value per row."""
    if not isinstance(instances, list) or not instances:
        raise Refused(400, "'instances' must be a list of at least one value")
    if len(instances) > limits.max_instances:
        raise Refused(400, f"a request may have {limits.max_instances:,} instances; received {len(instances):,}")
    named = [_is_named(instance) for instance in instances]
    if not any(named):
        return {_only_input(signature, "instances"): instances}
    for number, instance in enumerate(instances):
        if not _is_named(instance) or instance.keys() != signature.inputs.keys():
            raise Refused(400, f"instance {number} must be an object with the keys {', '.join(sorted(signature.inputs))}")
    return {name: [instance[name] for instance in instances] for name in signature.inputs}


def _by_columns(inputs: object, signature: ServedSignature) -> dict[str, object]:
    """Input name -> values."""
    if not _is_named(inputs):
        return {_only_input(signature, "inputs"): inputs}
    if inputs.keys() != signature.inputs.keys():
        keys, received = ", ".join(sorted(signature.inputs)), _shown(list(inputs))
        raise Refused(400, f"'inputs' must have the keys {keys}; received {received}")
    return inputs


def _is_named(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is an object of named values, and not the bytes of one value."""
    return isinstance(value, dict) and not (len(value) == 1 and isinstance(value.get(B64), str))


def _only_input(signature: ServedSignature, key: str) -> str:
    if len(signature.inputs) != 1:
        raise Refused(400, f"'{key}' must name its values: {signature.name} takes {', '.join(sorted(signature.inputs))}")
    return next(iter(signature.inputs))


def _array(value: object, name: str, spec: tf.TensorSpec) -> np.ndarray:
    array = _texts(value, name) if spec.dtype == tf.string else _numbers(value, name, spec.dtype)
    if not spec.shape.is_compatible_with(array.shape):
        raise Refused(400, f"input {name} has the shape {list(array.shape)}, expected {spec.shape}")
    return array


def _texts(value: object, name: str) -> np.ndarray:
    """object array of bytes, in the shape of the nested lists."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    leaves = _leaves(value, shape, name)  # Before memory is allocated: the first lists may be the longest.
    array = np.empty(len(leaves), object)
    for number, item in enumerate(leaves):
        array[number] = _text(item, name)
    return array.reshape(shape)


def _leaves(value: object, shape: Sequence[int], name: str) -> list[Any]:
    """The values in nested lists of that shape, in order."""
    leaves: list[Any] = [value]
    for length in shape:
        if any(not isinstance(item, list) or len(item) != length for item in leaves):
            raise Refused(400, f"input {name} has lists of unequal lengths")
        leaves = [deeper for item in leaves for deeper in item]
    return leaves


def _text(item: object, name: str) -> bytes:
    if isinstance(item, str):
        if name == BYTES_INPUT and item.startswith(BASE64_IMAGES):
            message = f'input {name} takes the base64 text of an image as {{"b64": "..."}}; received {_shown(item)}'
            raise Refused(400, message)
        return item.encode("utf-8", "surrogatepass")
    if not (isinstance(item, dict) and not _is_named(item)):
        raise Refused(400, f'input {name} takes strings or {{"b64": "..."}}; received {_shown(item)}')
    # The padding may be missing, and the text may have line breaks.
    compact = "".join(item[B64].split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        way_out = ". Remove everything up to the comma of a data URL" if compact.startswith("data:") else ""
        raise Refused(400, f"input {name}: unable to base64 decode: {error}{way_out}") from error


def _numbers(value: object, name: str, dtype: tf.DType) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise Refused(400, f"input {name} has lists of unequal lengths") from error
    except OverflowError as error:
        raise Refused(400, f"input {name} takes {dtype.name}; received a number that is too large for it") from error
    wanted = dtype.as_numpy_dtype
    kinds = "biuf".replace("b" if dtype != tf.bool else "iuf", "") if not dtype.is_integer else "iu"
    if array.size and array.dtype.kind not in kinds:
        raise Refused(400, f"input {name} takes {dtype.name}; received {_other_leaf(value, array, name, dtype)}")
    if dtype.is_integer and array.size and not dtype.min <= array.min() <= array.max() <= dtype.max:
        raise Refused(400, f"input {name} takes {dtype.name}, from {dtype.min} to {dtype.max}")
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    if array.size and converted.dtype.kind == "f" and (lost := np.isinf(converted) & np.isfinite(array)).any():
        raise Refused(400, f"input {name} takes {dtype.name}; received {array[lost][0]}, which is too large for it")
    return converted


def _refuse_truths(values: Mapping[str, object], columns: Columns) -> None:
    """Raises Refused for true or false among numbers, which NumPy would convert to 1 or 0."""
    for name, array in columns.items():
        if array.dtype.kind in "iuf" and any(isinstance(leaf, bool) for leaf in _leaves(values[name], array.shape, name)):
            raise Refused(400, f"input {name} takes {array.dtype.name}; received true or false among its numbers")


def _other_leaf(value: object, array: np.ndarray, name: str, dtype: tf.DType) -> str:
    """The first value whose type an input does not take, for a message."""
    right = bool if dtype == tf.bool else int if dtype.is_integer else (int, float)
    for leaf in _leaves(value, array.shape, name):
        if not isinstance(leaf, right) or isinstance(leaf, bool) != (right is bool):
            return _shown(leaf)
    return "a number that is too large for it"


def _checked(columns: Columns, signature: ServedSignature, limits: Limits) -> tuple[int, ...]:
    """Pixels to decode, per row. Images that cannot be decoded become empty, so that the model calls them invalid."""
    if signature.joins and len({len(array) for array in columns.values()}) > 1:
        raise Refused(400, "the inputs differ in their number of rows")
    rows = len(next(iter(columns.values()))) if signature.joins else 0
    if rows > limits.max_instances:
        raise Refused(400, f"a request may have {limits.max_instances:,} rows; received {rows:,}")
    if signature.joins and not rows:
        raise Refused(400, "there are no rows")
    total = [0] * rows
    for name, array in columns.items():
        # If another input contains the images, a text is only a text, however it begins: "BMW" is not a bitmap.
        if array.dtype == object and (name == BYTES_INPUT or (BYTES_INPUT not in columns and name != LABEL_INPUT)):
            each = array.size // max(rows, 1)
            for number, pixels in enumerate(_image_pixels(array.reshape(-1), name, signature, limits)):
                if rows:
                    total[number // each] += pixels
    return tuple(total)


def _image_pixels(texts: np.ndarray, name: str, signature: ServedSignature, limits: Limits) -> list[int]:
    """Pixels to decode, per text. An image over a limit becomes empty, so that it does not affect the others.

    If all images are over a limit, the request is rejected, because only an error can say why; a row cannot.
    """
    counted, over = [], []
    for number, data in enumerate(texts):
        try:
            pixels = pixels_to_decode(data, max_pixels=limits.max_pixels)
        except Refused as error:
            over.append(Refused(error.status, f"input {name}, item {number}: {error}"))
            pixels = NOT_DECODABLE
        else:
            if pixels == NOT_DECODABLE and not signature.tells_valid:
                raise Refused(400, f"input {name}, item {number}: a truncated or corrupt image")
        if over and (not signature.tells_valid or len(over) == len(texts)):
            raise over[0]
        if pixels == NOT_DECODABLE:
            texts[number], pixels = b"", 0
        counted.append(pixels)
    return counted


def _plain(name: str, values: np.ndarray) -> Any:
    """The array as nested lists of JSON values."""
    if values.dtype.kind in "OSU":
        write = _as_b64 if name.endswith(BYTES_SUFFIX) else _as_text
        return _mapped(write, values.tolist())
    if values.dtype.kind == "f" and values.dtype != np.float64:
        # Through the shortest text that distinguishes a float32 from its neighbours: 0.1, not 0.10000000149011612.
        return values.astype("U").astype(np.float64).tolist()
    return values.tolist()


def _mapped(write: Callable[[bytes], object], value: Any) -> object:
    return [_mapped(write, item) for item in value] if isinstance(value, list) else write(value)


def _as_text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _as_b64(value: bytes) -> dict[str, str]:
    return {B64: base64.b64encode(value).decode()}


def _shown(value: object) -> str:
    """A value for a message, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:60] + "..."
