"""Tests a SavedModel in a process with TensorFlow and nothing else; run as a script by `fresh_process.py`.

    python -I probe.py < REQUEST

It imports first, and then reads JSON from standard input: `saved_model`, `requests`, `answers` and `latency_queries`.
Without input it ends. `requests` is a folder: `images.tfrecord`, encoded images; `pixels.npy`, float32 (M, H, W, C), decoded
images; `made/NAME.npz`, an array of N rows for each input of a signature that takes no images. `answers` is a folder for the
results, which exists:

- `bytes.npz`, the answers of `serving_default` for all images, in order
- `pixels.npz`, the answers of `serve_tensor`
- `further/NAME.npz`, the answers of each other signature that takes nothing but encoded images, for the first images
  (fewer of them if an answer is large, see `few_enough`)
- `made/NAME.npz`, the answers of each signature that takes no images, for the rows of `requests/made/NAME.npz` together, and
  `made_alone/NAME.npz`, those for the same rows one by one
- `batches/SIZE.npz`, the answers of `serving_default` for the first images, in batches of this size
- `found.json`, times, memory and other findings

This file must not import anything of kerasvision. In every function, `ask` takes encoded images, string (N,), and returns
named outputs (N, ...). Outputs whose name ends in `_bytes` are saved as base64, as TensorFlow Serving sends them.
"""

import time

BEGAN = time.perf_counter()

import atexit  # noqa: E402 - the start-up time is measured from here
import base64  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Mapping, Sequence  # noqa: E402
from typing import Any  # noqa: E402

# As `kerasvision/quiet.py` does, and for its reason.
gc.disable()
atexit.register(gc.freeze)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

gc.freeze()
gc.enable()

# The process may have waited for its request since then: that does not count as start-up.
IMPORT_SECONDS = time.perf_counter() - BEGAN

BATCH_SIZE = 32
# A server joins requests to batches of any size, and splits them again: 7 divides none of the others.
BATCH_SIZES = (1, 7, 32)
# How many images are sent in batches of these sizes, and at most to further signatures.
COMPARED = 64
THROUGHPUT_BATCHES = 10
# How many numbers of a further signature are compared at most, which takes 128 MB.
MOST_NUMBERS = 2**25
# As `kerasvision/served/signatures.py` says.
BYTES_SUFFIX = "_bytes"

Ask = Callable[..., Mapping[str, tf.Tensor]]
Arrays = dict[str, np.ndarray]


def main(saved_model: str, requests: str, answers: str, latency_queries: int) -> None:
    """Loads the model, sends the requests, measures times, and writes the results."""
    began = time.perf_counter() - IMPORT_SECONDS
    loaded = tf.saved_model.load(saved_model)
    load_seconds = time.perf_counter() - began
    images = list(tf.data.TFRecordDataset(f"{requests}/images.tfrecord").as_numpy_iterator())
    ask = loaded.signatures["serving_default"]
    ask(image_bytes=tf.constant(images[:1]))
    start_seconds = time.perf_counter() - began
    every = asked(ask, images, BATCH_SIZE)
    save(f"{answers}/bytes.npz", every)
    if "serve_tensor" in loaded.signatures:
        pixels = np.load(f"{requests}/pixels.npy")
        batches = [
            loaded.signatures["serve_tensor"](image=tf.constant(pixels[start : start + BATCH_SIZE]))
            for start in range(0, len(pixels), BATCH_SIZE)
        ]
        save(f"{answers}/pixels.npz", joined(batches))
    save_further(loaded.signatures, images[:COMPARED], answers)
    save_made(loaded.signatures, f"{requests}/made", answers)
    for size in BATCH_SIZES:
        save(f"{answers}/batches/{size}.npz", asked(ask, images[:COMPARED], size))
    found = {
        "tensorflow": tf.__version__,
        "load_seconds": load_seconds,
        "start_seconds": start_seconds,
        "bad_row": bad_row(ask, images[0]),
        "rest": {form: rest_difference(ask, images[:3], form) for form in ("instances", "inputs")},
        "latency_ms": latencies(ask, images, latency_queries),
        "images_per_second": throughput(ask, images),
        "memory_mb": most_memory(),
        "kerasvision_imported": any(name.partition(".")[0] == "kerasvision" for name in sys.modules),
    }
    with open(f"{answers}/found.json", "w", encoding="utf-8") as file:  # noqa: PTH123 - this file depends on nothing
        json.dump(found, file)


def asked(ask: Ask, images: list[bytes], size: int) -> Arrays:
    """The answers for encoded images, sent in batches of `size`: name -> array (N, ...), float32 or bytes objects."""
    return joined([ask(image_bytes=tf.constant(images[start : start + size])) for start in range(0, len(images), size)])


def joined(batches: Sequence[Mapping[str, tf.Tensor]]) -> Arrays:
    """name -> array (N, ...) of all rows of all batches, of the same dtype; string becomes bytes objects."""
    return {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in batches[0]}


def save_further(
    signatures: Mapping[str, tf.types.experimental.ConcreteFunction], images: list[bytes], answers: str
) -> None:
    """Saves the answers of all signatures but `serving_default` that take nothing but encoded images."""
    for name, ask in signatures.items():
        if name != "serving_default" and set(ask.structured_input_signature[1]) == {"image_bytes"}:
            shapes = {
                output: spec.shape.as_list()[1:] for output, spec in ask.structured_outputs.items() if output != "valid"
            }
            count = few_enough(shapes)
            save(f"{answers}/further/{name}.npz", asked(ask, images[:count], min(count, BATCH_SIZE)))


def save_made(signatures: Mapping[str, tf.types.experimental.ConcreteFunction], requests: str, answers: str) -> None:
    """Saves the answers of signatures without images, for all rows of the file with their inputs, and for each row alone."""
    for file in sorted(os.listdir(requests)) if os.path.isdir(requests) else ():  # noqa: PTH112, PTH208
        name = file.removesuffix(".npz")
        if name not in signatures:
            continue
        ask, inputs = signatures[name], dict(np.load(f"{requests}/{file}"))
        rows = range(len(next(iter(inputs.values()))))
        alone = [ask(**{key: tf.constant(value[row : row + 1]) for key, value in inputs.items()}) for row in rows]
        save(f"{answers}/made/{file}", joined([ask(**{key: tf.constant(value) for key, value in inputs.items()})]))
        save(f"{answers}/made_alone/{file}", joined(alone))


def few_enough(shapes: Mapping[str, Sequence[int | None]]) -> int:
    """How many images a further signature is asked about: 64, or fewer if the answer to one has very many numbers.

    Args:
        shapes: output -> the shape of a row; an axis of unknown length counts as 1.

    >>> few_enough({"scores": [10]}), few_enough({"maps": [512, 512, 20]}), few_enough({"maps": [8192, 8192, None]})
    (64, 6, 1)
    """
    numbers = sum(int(np.prod([side or 1 for side in shape])) for shape in shapes.values())
    return max(1, min(COMPARED, MOST_NUMBERS // max(numbers, 1)))


def bad_row(ask: Ask, image: bytes) -> str:
    """What is wrong with the answer to an image, bytes that are not an image, and an image; empty if nothing is."""
    try:
        mixed = ask(image_bytes=tf.constant([image, b"no image", image]))
    except tf.errors.OpError as error:
        return f"a row that is not an image fails the whole request: {str(error).splitlines()[0]}"
    if "valid" not in mixed:
        return "there is no output `valid` that marks rows that are not images"
    if mixed["valid"].numpy().tolist() != [True, False, True]:
        return f"`valid` is {mixed['valid'].numpy().tolist()} for an image, bytes that are not an image, and an image"
    # In a batch of the same size, nothing is rounded otherwise.
    alike = ask(image_bytes=tf.constant([image] * 3))
    around, expected = ({name: value.numpy()[::2] for name, value in one.items()} for one in (mixed, alike))
    apart = difference(around, expected)
    return "" if apart is not None and apart < 1e-4 else "a row that is not an image changes the answers to the others"


def rest_difference(ask: Ask, images: list[bytes], form: str) -> float | str | None:
    """The largest difference after TensorFlow Serving's JSON and back; a text if JSON cannot contain a value."""
    encoded = [{"b64": base64.b64encode(image).decode("ascii")} for image in images]
    body = {"instances": [{"image_bytes": one} for one in encoded]} if form == "instances" else {"inputs": encoded}
    received = json.loads(json.dumps(body))
    rows = [row["image_bytes"] for row in received["instances"]] if form == "instances" else received["inputs"]
    answer = joined([ask(image_bytes=tf.constant([base64.b64decode(row["b64"]) for row in rows]))])
    try:
        columns = {name: as_json(name, value) for name, value in answer.items()}
        if form == "instances":
            reply = {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}
            reply = json.loads(json.dumps(reply, allow_nan=False))["predictions"]
            back = {name: from_json(name, [row[name] for row in reply]) for name in columns}
        else:
            reply = json.loads(json.dumps(columns, allow_nan=False))
            back = {name: from_json(name, rows) for name, rows in reply.items()}
    except (UnicodeDecodeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return difference(back, {name: sent(name, value) for name, value in answer.items()})


def as_json(name: str, array: np.ndarray) -> list[object]:
    """An output in the JSON of a reply: lists of rows (N, ...), with {"b64": ...} in the rows of bytes, (N,)."""
    rows = sent(name, array).tolist()
    return [{"b64": row} for row in rows] if name.endswith(BYTES_SUFFIX) else rows


def from_json(name: str, rows: Sequence[Any]) -> np.ndarray:
    """The array (N, ...) of `as_json`, with base64 as string (N,) for bytes."""
    return np.array([row["b64"] for row in rows] if name.endswith(BYTES_SUFFIX) else rows)


def latencies(ask: Ask, images: list[bytes], queries: int) -> dict[str, float]:
    """p50, p95, p99 of queries of one image, in milliseconds."""
    milliseconds = []
    for number in range(queries + 1):
        began = time.perf_counter()
        answer = ask(image_bytes=tf.constant([images[number % len(images)]]))
        next(iter(answer.values())).numpy()
        milliseconds.append(1000 * (time.perf_counter() - began))
    # The first query follows a batch of another size.
    return {f"p{p}": float(np.percentile(milliseconds[1:], p)) for p in (50, 95, 99)}


def throughput(ask: Ask, images: list[bytes]) -> float:
    """Images per second, in batches of 32."""
    batch = tf.constant([images[number % len(images)] for number in range(BATCH_SIZE)])
    began = time.perf_counter()
    for _ in range(THROUGHPUT_BATCHES):
        next(iter(ask(image_bytes=batch).values())).numpy()
    return THROUGHPUT_BATCHES * BATCH_SIZE / (time.perf_counter() - began)


def most_memory() -> float:
    """The peak memory of this process, in MB."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 2**10
    except FileNotFoundError:
        # Only without /proc: on Linux, this number includes the parent's memory.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def difference(one: Arrays, other: Arrays) -> float | None:
    """The largest difference of a number, infinite for NaN; None if anything else differs, or a shape.

    Both are name -> array (N, ...), float32 or float64, bool, or texts.
    """
    apart = 0.0
    for name, value in other.items():
        if one[name].shape != value.shape:
            return None
        if value.dtype.kind == "f":
            gaps = np.abs(one[name].astype(np.float64) - value)
            apart = max(apart, float(np.max(np.nan_to_num(gaps, nan=np.inf, posinf=np.inf), initial=0.0)))
        elif not np.array_equal(one[name], value):
            return None
    return apart


def save(file: str, arrays: Arrays) -> None:
    """Saves arrays of any dtype and shape, with bytes objects as string, because NumPy would pickle objects."""
    os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
    np.savez(file, allow_pickle=False, **{name: sent(name, value) for name, value in arrays.items()})


def sent(name: str, array: np.ndarray) -> np.ndarray:
    """An output of any shape as it can be sent: bytes objects as string, those of a name in `_bytes`, (N,), in base64."""
    if name.endswith(BYTES_SUFFIX) and array.dtype == object:
        return np.array([base64.b64encode(value).decode("ascii") for value in array], str)
    return text(array)


def unsent(array: np.ndarray) -> np.ndarray:
    """Object (N,) of bytes from base64, string (N,): the inverse of `sent` for a name in `_bytes`."""
    return np.array([base64.b64decode(value) for value in array], object)


def text(array: np.ndarray) -> np.ndarray:
    """Bytes objects as string, of the same shape; numbers are unchanged."""
    # `astype(str)` would decode the bytes as ASCII.
    return np.char.decode(array.astype("S"), "utf-8") if array.dtype == object else array


if __name__ == "__main__":
    if request := sys.stdin.read():
        main(**json.loads(request))
