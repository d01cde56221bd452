"""Found objects in a line, in rows and in pictures; letters of any script."""

import numpy as np
import pytest
from PIL import Image

from kerasvision.data.class_colors import LABEL_COLORS
from kerasvision.tasks import drawing
from kerasvision.tasks.detection.presentation import ANSWER, ANSWERS, FoundObjects, LocatedObject
from kerasvision.tasks.drawing import STYLES, Drawing, draw_over, writable


@pytest.fixture
def shown():
    return FoundObjects(ANSWERS)


def found(*, count=2, size=(100, 200)):
    return {
        "boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0], [0, 0, 0, 0]], np.float32),
        "scores": np.array([0.75, 0.25, 0.0], np.float32),
        "classes": np.array(["über".encode(), b"cat", b""], object),
        "class_numbers": np.array([1, 0, 0], np.int32),
        "count": np.int32(count),
        "image_size": np.array(size, np.int32),
    }


def test_rows_behind_the_count_are_not_objects(shown):
    assert shown.kept(found(count=1))["classes"].tolist() == ["über".encode()]
    assert shown.rows(shown.kept(found(count=0))) == []
    assert shown.line(shown.kept(found(count=0))) == "nothing found"


def test_keeping_twice_is_keeping_once(shown):
    """A writer keeps what a table has kept before, from plain lists."""
    once = shown.kept(found())
    plain = {name: np.asarray(value).tolist() for name, value in once.items()} | {"classes": ["über", "cat"]}
    assert shown.line(shown.kept(plain, least_score=0.5)) == "über 0.75 at 40,10-120,50"
    assert shown.line(once) == "über 0.75 at 40,10-120,50 (+1)"


def test_rows_are_in_pixels_of_the_upright_image(shown):
    first, second = shown.rows(shown.kept(found()))
    assert list(first.values()) == ["über", 0.75, *(pytest.approx(side, abs=1e-4) for side in (40, 10, 120, 50))]
    assert list(second.values()) == ["cat", 0.25, 0, 0, 200, 100]


def test_a_class_without_a_number_has_no_result(shown):
    results = shown.results(shown.kept(found()), image_id=3, category_ids={"cat": 5})
    assert results == [{"image_id": 3, "category_id": 5, "bbox": [0, 0, 200, 100], "score": 0.25}]


# One object per image, as from a network with classes and from one without.
LOCATED = {"box": np.array([0.1, 0.2, 0.5, 0.6], np.float32), "image_size": np.array([100, 200], np.int32)}
NAMED = LOCATED | {"classes": "über".encode(), "class_numbers": np.int32(1), "scores": np.float32(0.75)}


@pytest.mark.parametrize(
    ("outputs", "line", "label", "score"),
    [(LOCATED, "object at 40,10-120,50", "object", None), (NAMED, "über 0.75 at 40,10-120,50", "über", 0.75)],
)
def test_one_located_object_is_a_line_a_row_and_a_result(outputs, line, label, score):
    shown = LocatedObject(ANSWER)
    kept = shown.kept(outputs)
    assert shown.line(kept) == line
    (row,) = shown.rows(kept)
    assert (row["label"], row["score"]) == (label, score)
    assert [row[side] for side in ("left", "top", "right", "bottom")] == pytest.approx([40, 10, 120, 50], abs=1e-4)
    assert shown.results(kept, image_id=3, category_ids={label: 5}) == [
        {"image_id": 3, "category_id": 5, "bbox": [40, 10, 80, 40], "score": score or 1.0}
    ]


def test_a_located_object_of_a_lower_score_is_left_out():
    shown = LocatedObject(ANSWER)
    kept = shown.kept(NAMED, least_score=0.8)
    assert (shown.line(kept), shown.rows(kept)) == ("nothing found", [])
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in kept.items()}
    assert shown.rows(shown.kept(plain)) == []


def test_a_located_object_is_drawn_where_it_is():
    shown = LocatedObject(ANSWER)
    pixels = np.asarray(shown.drawn(Image.new("RGB", (200, 100), "white"), shown.kept(LOCATED)))
    # At 40,10-120,50: its lower side, and its inside.
    assert (pixels[48:50, 50:110] != 255).any(axis=2).all() and (pixels[34:44, 50:110] == 255).all()


def test_the_tags_of_an_object_and_of_the_answer_for_it_do_not_hide_each_other():
    """The frame is at 48 to 192. The answer has its tag above it on the left, the missed object below it on the right."""
    middle = (0.2, 0.2, 0.8, 0.8)
    drawings = [Drawing("missed", middle, "cat"), Drawing("false", middle, "dog", 0.5)]
    pixels = np.asarray(draw_over(Image.new("RGB", (240, 240), "white"), drawings, tag=lambda place, _: str(place + 1)))
    colors = {kind: tuple(bytes.fromhex(STYLES[kind].color[1:])) for kind in ("missed", "false")}
    above, below = pixels[36:46, 48:60], pixels[194:204, 180:192]
    assert (above == colors["false"]).all(axis=2).any() and not (above == colors["missed"]).all(axis=2).any()
    assert (below == colors["missed"]).all(axis=2).any() and not (below == colors["false"]).all(axis=2).any()


def test_a_label_that_no_font_can_write_is_a_class_number(monkeypatch):
    monkeypatch.setattr(drawing, "_system_fonts", lambda: ())
    drawing._font_file.cache_clear()
    assert writable("猫", otherwise="class 2") == "class 2"
    assert writable("кошка", otherwise="class 2") == "кошка"
    drawing._font_file.cache_clear()


def test_kinds_differ_without_their_colour():
    """The number of drawn pixels of the same frame differs, because the dashes differ."""
    frame = (0.1, 0.1, 0.9, 0.9)
    grey = {
        kind: np.asarray(
            draw_over(
                Image.new("RGB", (240, 240), "white"),
                [Drawing(kind, frame, "cat")],
                tag=lambda place, drawing: "",
                color=lambda drawing: "#808080",
            )
        )
        for kind in STYLES
    }
    counts = {kind: int((pixels == 128).all(axis=2).sum()) for kind, pixels in grey.items()}
    assert len(set(counts.values())) == len(STYLES)
    assert counts["found"] == max(counts.values())


@pytest.mark.parametrize("color", [*LABEL_COLORS, *(style.color for style in STYLES.values())])
def test_white_letters_are_legible_on_every_colour(color):
    """Contrast as WCAG 2.1 defines it, at least 4.5."""
    values = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("corners", [(0, 0, 0, 0), (1, 1, 1, 1), (0.99, 0.99, 1, 1), (0, 0, 1, 1), (0.5, 0.5, 0.2, 0.2)])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 48)])
def test_any_corners_are_drawn_on_any_size(corners, size):
    drawings = [Drawing(kind, corners, "cat", 0.5) for kind in STYLES]
    assert draw_over(Image.new("L", size), drawings, tag=lambda place, drawing: drawing.text).size == size
