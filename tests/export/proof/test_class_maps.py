"""Two models may answer a few single pixels otherwise, within a bound; what these pixels do not explain is an error."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.export.proof import probe
from kerasvision.export.proof.container import _array
from kerasvision.export.proof.parity import compare_outputs
from kerasvision.export.writing.formats.writing import compare_numbers

ALLOWED = 1e-4
MAPS = {"numbers": ("shares",), "map_png_bytes": ("shares",)}


def answers(pixels):
    """A map as numbers and as PNG, and the shares of two classes, for uint8 (N, H, W)."""
    pngs = np.array([tf.io.encode_png(one[..., None]).numpy() for one in pixels], object)
    ones = pixels.reshape(len(pixels), -1).mean(axis=1).astype(np.float32)
    return {"numbers": pixels, "map_png_bytes": pngs, "shares": np.stack([1 - ones, ones], axis=1)}


def other(*places, count=4, side=100):
    """Answers with other classes at these places, (image, row, column), and those without."""
    pixels = np.zeros((count, side, side), np.uint8)
    pixels[:, side // 2 :] = 1
    changed = pixels.copy()
    for place in places:
        changed[place] ^= 1
    return answers(changed), answers(pixels)


def compare(received, wanted):
    return compare_outputs(received, wanted, ALLOWED, maps=MAPS)


def test_equal_maps_have_no_complaint():
    assert compare(*other()) == ([], 0.0)


def test_one_pixel_of_ten_thousand_may_have_another_class_and_so_may_what_is_counted():
    complaints, largest = compare(*other((0, 3, 4), (2, 70, 1)))
    assert complaints == []
    assert largest == pytest.approx(2 / 40_000)


def test_more_pixels_of_another_class_are_complained_about_in_both_forms():
    complaints, _ = compare(*other(*((1, 0, column) for column in range(5))))
    assert complaints == [f"{name}: 0.013% of the pixels have another class (allowed: 0.010%)" for name in MAPS]


def test_counts_that_the_pixels_do_not_explain_are_complained_about():
    received, wanted = other((0, 3, 4))
    received["shares"][0] = [0.4, 0.6]
    assert compare(received, wanted).complaints == ["shares differ by up to 0.1 (allowed: 0.0001)"]
    received, wanted = other((0, 3, 4))
    received["shares"][3] += 0.001  # an image whose map is equal
    assert compare(received, wanted).complaints == ["shares differ by up to 0.001 (allowed: 0.0001)"]


def test_a_map_of_another_size_differs_everywhere():
    received, wanted = other()
    received["map_png_bytes"] = received["map_png_bytes"].copy()
    received["map_png_bytes"][0] = tf.io.encode_png(np.zeros((7, 5, 1), np.uint8)).numpy()
    assert compare(received, wanted).complaints == [
        "map_png_bytes: 25.000% of the pixels have another class (allowed: 0.010%)"
    ]


def test_bytes_that_are_not_a_map_are_compared_as_bytes():
    wanted = {"sound_bytes": np.array([b"\xff\x00", b"\xfe"], object)}
    assert compare_outputs(wanted, wanted, ALLOWED).complaints == []
    received = {"sound_bytes": np.array([b"\xff", b"\xfe"], object)}
    assert compare_outputs(received, wanted, ALLOWED).complaints == ["sound_bytes differ in 1 of 2 rows"]


def test_numbers_of_other_formats_count_other_pixels_as_a_difference():
    received, wanted = ({name: one[name] for name in ("numbers", "shares")} for one in other((0, 0, 0)))
    found = compare_numbers(received, wanted, maps=MAPS)
    assert found["max_difference"] == pytest.approx(1 / 40_000)
    assert (found["other_decisions"], found["same_answers"]) == (0, 1.0)


def test_bytes_are_saved_and_read_again_with_zeros_at_their_end(tmp_path):
    rows = np.array([b"\x89PNG\x00\x00", b"", b"\xff"], object)
    probe.save(str(tmp_path / "one.npz"), {"map_png_bytes": rows})
    assert probe.unsent(np.load(tmp_path / "one.npz")["map_png_bytes"]).tolist() == rows.tolist()


def test_a_reply_has_bytes_as_tensorflow_serving_sends_them():
    rows = np.array([b"\x89PNG", b"\xff"], object)
    reply = json.loads(json.dumps(probe.as_json("map_png_bytes", rows)))
    assert reply == [{"b64": "iVBORw=="}, {"b64": "/w=="}]
    assert [base64.b64decode(row) for row in probe.from_json("map_png_bytes", reply)] == rows.tolist()
    assert _array(reply, "map_png_bytes").tolist() == rows.tolist()
