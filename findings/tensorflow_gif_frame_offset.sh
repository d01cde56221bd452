#!/usr/bin/env bash
# A GIF whose only frame does not begin at the corner of its canvas: TensorFlow 2.21.0 returns black.
#
# GIF89a (section 20) places each frame on the canvas by an offset. Tools that trim a frame's transparent border write such
# files, and every viewer shows the frame at its place. TensorFlow makes the canvas as large as the first frame, but still
# applies the offset: the part of the frame outside that canvas is cut off. Its documentation says that unoccupied areas of
# the first frame become black. Here the occupied area is lost, without an error, and the shape is not that of the picture.
#
# Observed with tensorflow 2.21.0 and pillow 13.0.0, for a red frame of 2 x 2 at (5, 3) on a canvas of 8 x 6:
#     Pillow:     (6, 8, 3), red at [3, 5], [3, 6], [4, 5], [4, 6]
#     TensorFlow: (2, 2, 3), all zeros
# The same frame at (1, 1) keeps one of its four pixels, and at (0, 0) all of them.
#
# Exits with 0 if TensorFlow still does so, and with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 pillow==13.0.0
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

import numpy as np
import PIL
import tensorflow as tf
from PIL import Image


def gif(canvas, offset, size):
    """A GIF with one red frame; all numbers are (width, height)."""
    palette = bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    codes = [4, 1] * (size[0] * size[1]) + [5]  # a clear code before each pixel keeps every LZW code at 3 bits
    bits = "".join(f"{code:03b}"[::-1] for code in codes)
    data = bytes(int(bits[at:at + 8][::-1], 2) for at in range(0, len(bits), 8))
    screen = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x81, 0, 0) + palette
    frame = b"," + struct.pack("<HHHHB", *offset, *size, 0) + bytes([2, len(data)]) + data + b"\0"
    return screen + frame + b";"


def red(pixels):
    return np.argwhere(pixels[..., 0] == 255).tolist()


print("tensorflow", tf.__version__, "pillow", PIL.__version__)
seen = {}
for offset in ((0, 0), (1, 1), (5, 3)):
    data = gif((8, 6), offset, (2, 2))
    with Image.open(io.BytesIO(data)) as image:
        right = np.asarray(image.convert("RGB"))
    ours = tf.io.decode_image(data, channels=3, expand_animations=False).numpy()
    print(f"offset {offset}: Pillow {right.shape}, red at {red(right)}; TensorFlow {ours.shape}, red at {red(ours)}")
    x, y = offset
    assert right.shape == (6, 8, 3) and red(right) == [[y + row, x + column] for row in (0, 1) for column in (0, 1)]
    seen[offset] = ours.shape, len(red(ours))
expected = {(0, 0): ((2, 2, 3), 4), (1, 1): ((2, 2, 3), 1), (5, 3): ((2, 2, 3), 0)}
print("as described" if seen == expected else f"changed: {seen}")
sys.exit(seen != expected)
PYTHON
