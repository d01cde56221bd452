"""Ask a SavedModel in a process that has TensorFlow and nothing else; run as a script by `parity.py`.

    python -I probe.py SAVED_MODEL IMAGES ANSWERS LATENCY_QUERIES

IMAGES is a TFRecord file of encoded images. ANSWERS is an .npz file of what `serving_default` answers for all of them, in
order; beside it a .json file of times and signatures. This file must import nothing of kerasvision.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

BATCH_SIZE = 32


def main(saved_model: str, images: str, answers: str, latency_queries: int) -> None:
    """Loads, asks, times, and writes down what came."""
    began = time.perf_counter()
    loaded = tf.saved_model.load(saved_model)
    load_seconds = time.perf_counter() - began
    signature = loaded.signatures["serving_default"]
    encoded = list(tf.data.TFRecordDataset(images).as_numpy_iterator())
    batches = [encoded[start : start + BATCH_SIZE] for start in range(0, len(encoded), BATCH_SIZE)]
    outputs = [signature(image_bytes=tf.constant(batch)) for batch in batches]
    arrays = {name: np.concatenate([output[name].numpy() for output in outputs]) for name in outputs[0]}
    np.savez(answers, **{name: text(value) if value.dtype == object else value for name, value in arrays.items()})
    milliseconds = []
    for number in range(latency_queries + 1):
        began = time.perf_counter()
        signature(image_bytes=tf.constant([encoded[number % len(encoded)]]))
        milliseconds.append(1000 * (time.perf_counter() - began))
    facts = {
        "tensorflow": tf.__version__,
        "load_seconds": load_seconds,
        # The first single-image query may still trace; it is told apart.
        "first_query_ms": milliseconds[0],
        "latency_ms": {f"p{p}": float(np.percentile(milliseconds[1:], p)) for p in (50, 95)},
        "signatures": {
            name: {"inputs": describe(fn.structured_input_signature[1]), "outputs": describe(fn.structured_outputs)}
            for name, fn in loaded.signatures.items()
        },
        "kerasvision_imported": any(name.partition(".")[0] == "kerasvision" for name in sys.modules),
    }
    with open(answers + ".json", "w", encoding="utf-8") as file:  # noqa: PTH123 - this file depends on nothing
        json.dump(facts, file)


def text(strings: np.ndarray) -> np.ndarray:
    """Bytes as text."""
    # `astype(str)` would take the bytes for ASCII.
    return np.char.decode(strings.astype("S"), "utf-8")


def describe(tensors: dict) -> dict[str, list]:
    """Name -> type and shape; None in a shape is a free dimension."""
    return {name: [tensor.dtype.name, tensor.shape.as_list()] for name, tensor in tensors.items()}


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
