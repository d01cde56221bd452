#!/usr/bin/env bash
# A grey map of 3 x 3 cannot be enlarged to 7 x 7 in ONNX, and one of three channels can: tf2onnx 1.17.0, onnxruntime 1.32.0.
#
# ONNX's Resize takes either the sizes of its result or the ratios to its input, as float32. For tf.image.resize with fixed sizes,
# tf2onnx writes the ratios. 7 / 3 as float32 is 2.3333333, a little too small: onnxruntime infers floor(3 * 2.3333333) = 6
# rows, while its kernel computes 7. Nothing comes of that by itself. But with a single channel, onnxruntime replaces the
# transposition after it by a Reshape to the inferred shape, which then fails. The conversion gives no warning, and the session
# opens; the first request ends with an error. So a network that is fine for colour images fails for grey ones.
#
# Observed with tensorflow 2.21.0, tf2onnx 1.17.0, onnx 1.23.2 and onnxruntime 1.32.0, opset 18, method "nearest":
#     three channels, all sizes below: as TensorFlow
#     one channel: 3 -> 6 and 5 -> 11 (11 / 5 is rounded up) as TensorFlow; 3 -> 7, 5 -> 13, 7 -> 15 and 10 -> 21 fail:
#     "Input shape:{1,1,7,7}, requested shape:{-1,6,6,1}"
#
# Exits with 0 if they still do so, and with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - 2>"$folder/errors" <<'PYTHON' || { cat "$folder/errors" >&2; exit 1; }
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx


def answer(rows, wanted, channels):
    """What the ONNX model does with an image of rows x rows: "equal", "other pixels", or the end of the error."""

    spec = tf.TensorSpec([None, rows, rows, channels], tf.float32, name="image")

    @tf.function(autograph=False, input_signature=[spec])
    def resized(image):
        return tf.image.resize(image, (wanted, wanted), method="nearest")

    model, _ = tf2onnx.convert.from_function(resized, input_signature=[spec], opset=18)
    image = np.arange(rows * rows * channels, dtype=np.float32).reshape(1, rows, rows, channels)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    try:
        (found,) = session.run(None, {"image": image})
    except Exception as error:  # the class is private to onnxruntime
        return str(error).split("Input shape:")[-1].strip()
    return "equal" if np.array_equal(found, resized(image).numpy()) else "other pixels"


print(*(f"{name} {version(name)}" for name in ("tensorflow", "tf2onnx", "onnxruntime")))
PAIRS = ((3, 6), (3, 7), (5, 11), (5, 13), (7, 15), (10, 21))
grey, colour = ({pair: answer(*pair, channels) for pair in PAIRS} for channels in (1, 3))
for pair in PAIRS:
    print(f"{pair[0]} -> {pair[1]}: three channels {colour[pair]}, one channel {grey[pair]}")
works = [pair for pair in PAIRS if grey[pair] == "equal"]
if set(colour.values()) != {"equal"} or works != [(3, 6), (5, 11)] or "{1,1,7,7}" not in grey[3, 7]:
    sys.exit("changed: grey and colour no longer differ as described above")
PYTHON
