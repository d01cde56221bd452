"""Classes of pixels in a line, in rows and painted over an image."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.class_colors import class_color
from kerasvision.data.png import encode_png
from kerasvision.tasks.base import make_task
from kerasvision.tasks.class_maps import ClassMap, paint_over, paint_with_legend
from kerasvision.tasks.presentation import presentation_of
from kerasvision.tasks.segmentation.presentation import PixelClasses, answers_of

NAMES = ("road", "car", "bus", "tram", "tree", "sky")


@pytest.fixture
def shown():
    return PixelClasses(answers_of(NAMES, background="background"))


def answer(shares):
    numbers = np.repeat(np.arange(len(shares)), np.rint(100 * np.array(shares)).astype(int)).astype(np.uint8)
    return {
        "mask_png_bytes": encode_png(numbers.reshape(10, 10)),
        "shares": np.array(shares, np.float32),
        "classes": np.array([name.encode() for name in NAMES], object),
        "image_size": np.array([10, 10], np.int32),
    }


def test_a_line_names_the_largest_classes_and_counts_the_others(shown):
    found = answer([0.3, 0.02, 0.28, 0.1, 0.25, 0.05])
    assert shown.line(shown.kept(found)) == "road 0.30, bus 0.28, tree 0.25, tram 0.10 (+2)"
    assert shown.line(shown.kept(found, least_score=0.9)) == "nothing found"


def test_keeping_twice_is_keeping_once_also_from_plain_lists(shown):
    """A writer keeps what a table has kept before."""
    once = shown.kept(answer([0.9, 0.1, 0, 0, 0, 0]), least_score=0.05)
    plain = once | {"shares": once["shares"].tolist(), "classes": list(NAMES)}
    assert shown.rows(shown.kept(plain)) == shown.rows(once)
    assert [row["class_number"] for row in shown.rows(once)] == [0, 1]


def test_colours_of_all_class_numbers_differ_and_white_letters_are_legible():
    """Contrast as WCAG 2.1 defines it, at least 4.5."""
    colors = [class_color(number) for number in range(255)]
    assert len(set(colors)) == 255
    values = np.array([list(bytes.fromhex(color[1:])) for color in colors]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert (1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)).min() >= 4.5


def test_what_was_cut_off_and_the_background_stay_as_they_are():
    pixels = np.array([[0, 1, 255]], np.uint8)
    one = ClassMap("answer", encode_png(pixels), ("background", "cat"), plain="background")
    assert (one.unpainted, one.present) == ({0, 255}, [1])
    painted = np.asarray(paint_over(Image.new("RGB", (3, 1), (9, 9, 9)), pixels, unpainted=one.unpainted))
    assert (painted[0, [0, 2]] == 9).all() and (painted[0, 1] != 9).any()


def test_the_colour_of_an_object_does_not_change_that_of_its_class():
    """Pure blue is a grey of 29 by Pillow's weights, 0.114 of 255."""
    painted = paint_over(Image.new("RGB", (400, 1), (0, 0, 255)), np.zeros((1, 1), np.uint8), unpainted=frozenset())
    color = np.array(list(bytes.fromhex(class_color(0)[1:])))
    assert np.abs(np.array(painted.getpixel((200, 0))) - (color + 29) / 2).max() <= 1


def test_borders_between_classes_are_in_full_colour():
    pixels = np.zeros((40, 800), np.uint8)
    pixels[:, 400:] = 1
    painted = np.asarray(paint_over(Image.new("RGB", (800, 40), "white"), pixels, unpainted=frozenset()))
    full = [tuple(bytes.fromhex(class_color(number)[1:])) for number in (0, 1)]
    # Two pixels on each side: a four-hundredth of the longer side.
    assert [tuple(painted[20, x]) in full for x in (397, 398, 401, 402)] == [False, True, True, False]


def test_a_legend_has_a_line_of_the_colour_of_each_class_that_is_painted():
    pixels = np.zeros((300, 400), np.uint8)
    pixels[150:, 200:] = 1
    drawn = paint_with_legend(Image.new("RGB", (400, 300), "white"), pixels, names=("road", "car"), plain=None)
    colors = [tuple(bytes.fromhex(class_color(number)[1:])) for number in (0, 1)]
    assert drawn.getpixel((1, 2)) == colors[0]
    assert drawn.getpixel((1, round(1.6 * 11) + 2)) == colors[1]
    # Without a name, the number is shown; a legend that has no room is cut.
    assert paint_with_legend(Image.new("RGB", (4, 4)), pixels, names=(), plain=None).size == (4, 4)


def test_the_answers_of_a_task_are_shown_and_drawn_without_its_background():
    task = make_task(c.Segmentation(background="road"), NAMES)
    answers = task.presentation()
    assert presentation_of(answers, outputs=answer([1.0]), where="the model").answers["background"] == "road"
    assert [bool(color) for color in answers["places"]["colors"]] == [False, True, True, True, True, True]
    true, answered = (encode_png(np.array([row], np.uint8)) for row in ([0, 1], [0, 0]))
    maps = task.drawings(pd.Series({"true_picture": true, "answered_picture": answered}))
    assert [(one.kind, one.present) for one in maps] == [("truth", [1]), ("answer", [])]
