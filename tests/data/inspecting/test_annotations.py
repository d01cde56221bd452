"""Captions, boxes and masks are kept if they are usable, and otherwise noted."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasvision.data.inspecting.annotations import (
    BOX_CLIPPED,
    BOX_DROPPED,
    MASK_MISSING,
    MASK_SIZE,
    MASK_UNREADABLE,
    clip_objects,
    encode_objects,
    nonempty_captions,
)
from kerasvision.data.png import encode_png
from kerasvision.data.records import Object

WIDTH, HEIGHT = 20, 12


def kept(*boxes):
    objects, notes = clip_objects([Object(box, "cat") for box in boxes], width=WIDTH, height=HEIGHT)
    return [thing.box for thing in objects], notes


@pytest.mark.parametrize(
    ("box", "expected", "notes"),
    [
        ((0, 0, 12, 20), (0, 0, 12, 20), []),
        ((-1, -2, 13, 22), (0, 0, 12, 20), [BOX_CLIPPED]),
        ((3, 4, 5, 20.01), (3, 4, 5, 20), []),  # rounding
        ((0, 20, 5, 30), None, [BOX_DROPPED]),
        ((5, 5, 5, 9), None, [BOX_DROPPED]),
        ((9, 5, 3, 9), None, [BOX_DROPPED]),
        ((math.nan, 0, 3, 9), None, [BOX_DROPPED]),
        ((0, 0, math.inf, 9), (0, 0, 12, 9), [BOX_CLIPPED]),
    ],
)
def test_a_box_is_kept_clipped_or_dropped(box, expected, notes):
    assert kept(box) == ([] if expected is None else [expected], notes)


def test_a_note_is_told_once_however_many_boxes_there_are():
    assert kept((-1, 0, 3, 3), (-2, 0, 3, 3), (0, 0, 0, 0))[1] == [BOX_CLIPPED, BOX_DROPPED]


# A side of 5e-324 pixels is above zero, but as a share of an image it becomes zero.
coordinates = st.floats(-50, 50, allow_subnormal=False)


@given(box=st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_shares_of_what_is_kept_lie_in_the_unit_square(box):
    objects, _ = clip_objects([Object(box, "cat")], width=WIDTH, height=HEIGHT)
    placed, _ = encode_objects(objects, width=WIDTH, height=HEIGHT, masks=False)
    for thing in placed:
        y_min, x_min, y_max, x_max = thing["bbox"]
        assert 0 <= y_min < y_max <= 1 and 0 <= x_min < x_max <= 1
        assert y_min * HEIGHT == pytest.approx(max(box[0], 0)) and x_max * WIDTH == pytest.approx(min(box[3], WIDTH))


def test_an_object_without_a_name_is_an_object():
    objects, _ = clip_objects([Object((0, 0, 1, 1), " "), Object((0, 0, 1, 1), " traffic \n light")], width=9, height=9)
    assert [thing.label for thing in objects] == ["object", "traffic light"]


def test_an_area_is_that_of_the_source_or_else_of_the_box_inside_the_image():
    objects, _ = clip_objects(
        [Object((-3, 0, 4, 5), "cat", crowd=True), Object((0, 0, 4, 5), "cat", area=12.5)], width=WIDTH, height=HEIGHT
    )
    placed, _ = encode_objects(objects, width=WIDTH, height=HEIGHT, masks=False)
    assert [(thing["crowd"], thing["area"]) for thing in placed] == [(True, 20.0), (False, 12.5)]


def mask_of(size, value=255):
    return encode_png(np.full(size, value, np.uint8))


GOOD = mask_of((HEIGHT, WIDTH))


@pytest.mark.parametrize(
    ("mask", "note"),
    [
        (GOOD, None),
        (lambda: GOOD, None),
        (None, MASK_MISSING),
        (mask_of((WIDTH, HEIGHT)), MASK_SIZE),
        (b"", MASK_UNREADABLE),
        (GOOD[:-20], MASK_UNREADABLE),
        (GOOD[:45] + b"\0" + GOOD[46:], MASK_UNREADABLE),
        (encode_png(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), MASK_UNREADABLE),
    ],
)
def test_a_mask_that_does_not_fit_becomes_an_empty_one(mask, note):
    thing = Object((0.0, 0.0, 3.0, 5.0), "cat", mask)
    placed, notes = encode_objects([thing], width=WIDTH, height=HEIGHT, masks=True)
    assert notes == ([] if note is None else [note])
    pixels = tf.io.decode_png(placed[0]["mask"], channels=1).numpy()
    assert pixels.shape == (HEIGHT, WIDTH, 1)
    assert pixels.max() == (255 if note is None else 0)


@given(st.lists(st.text(max_size=5)))
def test_captions_stay_as_they_are_but_for_empty_ones(captions):
    found, notes = nonempty_captions(captions)
    assert list(found) == [caption for caption in captions if caption.split()]
    assert bool(notes) == (len(found) < len(captions))
