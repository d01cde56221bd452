"""Sentences about a scene of shapes are judged as a person who looks at the scene would judge them."""

import numpy as np
import pytest

from kerasvision.config.sources import Shapes
from kerasvision.data.sources.shape_scenes import Scene, Shape, make_scene
from kerasvision.data.sources.shape_truth import is_true, shape_called
from kerasvision.data.sources.shapes import read_shapes


def square(y, x, *, side, words):
    """A shape that fills a square of the 90 x 90 pixels of `SCENE`; words: size, colour, name."""
    visible = np.zeros((90, 90), bool)
    visible[y : y + side, x : x + side] = True
    size, colour, name = words.split()
    return Shape(name, colour, size, visible)


# Middles: the heart's 20 down and 20 across, the star's 80 and 25, the other heart's 15 and 75.
SCENE = Scene(
    np.zeros((90, 90, 3), np.uint8),
    (
        square(0, 0, side=40, words="large red heart"),
        square(70, 15, side=20, words="medium-sized orange star"),
        square(10, 70, side=10, words="small blue heart"),
    ),
    "dark",
)
ALONE = Scene(SCENE.pixels, SCENE.shapes[1:2], "light")


@pytest.mark.parametrize(
    "caption",
    [
        "a large red heart on a dark background",
        "a red heart on a dark background",
        "a small blue heart in the upper right corner",
        "an orange star in the lower left corner",
        "a red heart in the upper left corner",
        "the largest shape is a red heart",
        "a small blue heart right of a large red heart",
        "there is a red heart left of a blue heart",
        "a medium-sized orange star below a large red heart",
        # 65 down and 50 across: farther apart down than across.
        "there is an orange star below a blue heart",
        "three shapes: a large red heart, a medium-sized orange star and a small blue heart",
        "three shapes a small blue heart a large red heart and a medium-sized orange star",
        "two hearts and one star on a dark background",
        "One star and two hearts on a dark background.",
    ],
)
def test_true_captions_are_true(caption):
    assert is_true(caption, SCENE)


@pytest.mark.parametrize(
    "caption",
    [
        "a large blue heart on a dark background",
        "a large red heart on a light background",
        "a large red star on a dark background",
        "a small red heart on a dark background",
        "a blue heart in the upper left corner",
        "a blue heart at the top",
        "an orange star on the left",
        "the largest shape is an orange star",
        "there is only a large red heart",
        "a picture of a large red heart",
        "a small blue heart left of a large red heart",
        "a small blue heart below a large red heart",
        "there is an orange star left of a blue heart",
        "a large red heart left of a large red heart",
        "a large red heart left of a small pink ring",
        "two shapes: a large red heart and a small blue heart",
        "three shapes: a large red heart and a small blue heart",
        "three shapes: a large red heart, a large red heart and a small blue heart",
        "four shapes: a large red heart, a medium-sized orange star, a large red heart and a small blue heart",
        "one heart and one star on a dark background",
        "two hearts on a dark background",
        "two hearts and two stars on a dark background",
        "two hearts and one star on a light background",
        "two heart and one star on a dark background",
        "one heart and one heart and one star on a dark background",
    ],
)
def test_false_captions_are_not(caption):
    assert not is_true(caption, SCENE)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a",
        "a heart",
        "red",
        "a red heart",
        "an large red heart on a dark background",
        "a orange star at the bottom",
        "a large red heart on a dark",
        "a large red heart on a dark background on a dark background",
        "there is only",
        "a large large red heart on a dark background",
        "three shapes:",
        "on a dark background",
        "ein rotes Herz",
        "赤いハート",
        "a red heart in the upper left corner and more",
        "the largest shape is the largest shape",
        "a dog on a sofa",
    ],
)
def test_what_is_no_sentence_about_shapes_is_not_true(caption):
    assert not is_true(caption, SCENE)


def test_a_lone_shape_is_said_to_be_the_only_one():
    assert is_true("there is only a medium-sized orange star", ALONE)
    assert is_true("a picture of an orange star", ALONE)
    assert is_true("one star on a light background", ALONE)
    assert not is_true("there is only a medium-sized orange star", SCENE)
    assert not is_true("there is only a small orange star", ALONE)


def test_shapes_that_lie_close_are_neither_left_nor_right_of_each_other():
    # 9 of 90 pixels across: less than 0.15 of the side.
    close = Scene(SCENE.pixels, (SCENE.shapes[0], square(15, 24, side=10, words="small pink ring")), "dark")
    assert not any(is_true(f"a pink ring {where} a red heart", close) for where in ("left of", "right of", "above", "below"))


def test_the_shape_meant_is_found_by_its_words():
    assert shape_called(SCENE, "a blue heart") is SCENE.shapes[2]
    assert shape_called(SCENE, "a small blue heart") is SCENE.shapes[2]
    assert shape_called(SCENE, "a large blue heart") is None


CHANGES = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above", "dark": "light", "light": "dark",
    "upper": "lower", "lower": "upper", "top": "bottom", "middle": "upper left corner", "two": "three", "one": "two",
    "small": "large", "large": "small", "red": "pink", "blue": "red", "star": "ring", "circle": "heart", "square": "cross",
}  # fmt: skip


@pytest.fixture(scope="module")
def captioned():
    """(caption, scene) of some hundred scenes of up to six shapes."""
    settings = Shapes(count=400, max_objects=6, seed=3)
    return [
        (caption, make_scene(settings, number))
        for number, record in enumerate(read_shapes(settings))
        for caption in record.captions
    ]


def test_every_sentence_that_the_scenes_say_is_true(captioned):
    assert len(captioned) > 1000
    assert [caption for caption, scene in captioned if not is_true(caption, scene)] == []


def test_a_sentence_with_one_word_changed_is_false(captioned):
    tried = wrongly_true = 0
    for caption, scene in captioned:
        for old, new in CHANGES.items():
            if f" {old} " in f" {caption} ":
                tried += 1
                wrongly_true += is_true(f"{caption} ".replace(f"{old} ", f"{new} ", 1), scene)
    assert tried > 2000
    assert wrongly_true == 0
