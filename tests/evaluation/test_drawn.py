"""What was found and missed is drawn over samples and worst images, numbered, and said in words."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.class_colors import class_color
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.drawn import MOST_MARKS, drawings_of, shown_pictures
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.evaluation.page import Findings, top_losses, write_evaluation_page
from kerasvision.evaluation.samples import samples
from kerasvision.tasks.base import Illustration, Judgement
from kerasvision.tasks.class_maps import ClassMap
from kerasvision.tasks.classification.task import ClassificationTask
from kerasvision.tasks.drawing import Drawing

EVIL = "<script>alert(1)</script>"
MIDDLE = (0.25, 0.25, 0.75, 0.75)


DRAWINGS = {
    "0.png": (
        Drawing("missed", MIDDLE, "قطة"),
        Drawing("false", (0.0, 0.0, 0.2, 0.2), EVIL, 0.61),
        Drawing("found", MIDDLE, "cat", 0.98),
        Drawing("truth", MIDDLE, "crowd of cat"),
    ),
    "1.png": (Drawing("found", MIDDLE, "only this", 0.5),),
    "2.png": (),
}


class Tagging(ClassificationTask):
    """A task that draws over the images, and does not illustrate them."""

    def drawings(self, row):
        return DRAWINGS[row["id"]]

    def caption(self, row):
        return f"1 of {row['objects']} found"

    def figures(self, judgement):
        return {}


TASK = Tagging(c.Classification(top_k=2), ("a", "b"))
TRANSFORM = ImageTransform.fit(c.Transform(image_size=(8, 8), scale="zero_to_one"), None)


class Served:
    signatures = frozenset()


@pytest.fixture(scope="module")
def example_set(tmp_path_factory):
    """Three grey test images of 48 x 24 pixels."""
    rows = [(f"{n}.png", encode_png(np.full((24, 48, 3), 200, np.uint8)), "a") for n in range(3)]
    folder = tmp_path_factory.mktemp("drawn") / "data"
    write_examples(lambda split: rows, splits=["test"], classes=("a", "b"), folder=folder)
    return ExampleSet(folder)


@pytest.fixture(scope="module")
def judgement(example_set):
    ids = [row["id"].decode() for row in example_set.dataset("test").as_numpy_iterator()]
    losses = {"0.png": 2.0, "1.png": 3.0, "2.png": 1.0}
    rows = {"id": ids, "objects": [int(name[0]) for name in ids], "loss": [losses[name] for name in ids]}
    errors = pd.DataFrame({"kind": ["missed"], "count": [2], "cost": [np.nan]})
    return Judgement({"f1": 0.5}, pd.DataFrame(rows), tables={"errors": errors})


def picture_of(name, judgement, example_set):
    rows = judgement.rows[judgement.rows["id"] == name]
    return shown_pictures(example_set, drawings_of(rows, task=TASK))[name]


def image_at(url):
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"), int)


def test_a_small_image_is_enlarged_and_its_frames_are_in_place(judgement, example_set):
    """48 x 24 becomes 240 x 120; the frame of the middle is at 60 to 180 and 30 to 90."""
    picture = picture_of("1.png", judgement, example_set)
    assert (picture.width, picture.height) == (240, 120)
    assert [(mark.number, mark.kind, mark.text) for mark in picture.marks] == [(1, "found", "only this 0.50")]
    changed = np.abs(image_at(picture.url) - 200).max(axis=2) > 60
    assert changed[87:90, 62:178].all() and changed[32:88, 177:180].all()
    assert not changed[:, :55].any() and not changed[95:].any() and not changed[50:80, 66:174].any()


def test_an_image_without_drawings_is_small_and_plain(judgement, example_set):
    picture = picture_of("2.png", judgement, example_set)
    assert (picture.width, picture.height) == (48, 24)
    assert not hasattr(picture, "marks")


def png_map(rows):
    return encode_png(np.array(rows, np.uint8))


def test_each_map_of_classes_is_painted_over_a_picture_of_its_own(example_set):
    """48 x 24 becomes 240 x 120. True: a cat on the right; answered: a cat below on the right, and unknown pixels."""
    names = ("background", EVIL)
    maps = (
        ClassMap("truth", png_map([[0, 1], [0, 1]]), names, plain="background"),
        ClassMap("answer", png_map([[0, 255], [0, 1]]), names, plain="background"),
    )
    picture = shown_pictures(example_set, {"1.png": maps})["1.png"]
    assert [layer.meaning for layer in picture.layers] == ["there", "answered"]
    assert [(row.color, row.name, row.shares) for row in picture.legend] == [
        (class_color(1), EVIL, "there 0.50, answered 0.25")
    ]
    painted = [np.abs(image_at(layer.url) - 200).max(axis=2) > 20 for layer in picture.layers]
    assert painted[0].shape == (120, 240)
    for one in painted:
        assert not one[:, :110].any() and one[65:115, 125:].all()
    assert painted[0][5:55, 125:].all() and not painted[1][5:50, 130:].any()


def test_the_worst_images_have_their_own_drawings(judgement, example_set):
    shown = top_losses(judgement, task=TASK, examples=example_set)
    assert [picture.id for picture, *_ in shown] == ["1.png", "0.png", "2.png"]
    assert [len(getattr(picture, "marks", ())) for picture, *_ in shown] == [1, 4, 0]


def test_a_task_without_illustrations_has_samples_if_something_is_drawn(judgement, example_set):
    shown = samples(judgement, task=TASK, examples=example_set, model=Served(), transform=TRANSFORM)
    assert {one.illustration.id: one.illustration.answer for one in shown} == {
        "0.png": "1 of 0 found",
        "1.png": "1 of 1 found",
        "2.png": "1 of 2 found",
    }


def test_an_illustration_may_have_drawings_of_its_own(judgement, example_set):
    class Own(Tagging):
        def illustrations(self, rows, *, ask):
            return [Illustration(name, "an answer", (), drawings=(Drawing("truth", MIDDLE, "own"),)) for name in rows["id"]]

    task = Own(c.Classification(top_k=2), ("a", "b"))
    shown = samples(judgement, task=task, examples=example_set, model=Served(), transform=TRANSFORM)
    assert [[mark.text for mark in one.picture.marks] for one in shown] == [["own"]] * 3


def test_of_many_drawings_the_first_are_shown_and_the_others_counted(example_set):
    many = {"0.png": [Drawing("false", MIDDLE, "cat", 0.5)] * (MOST_MARKS + 7)}
    picture = shown_pictures(example_set, many)["0.png"]
    assert (len(picture.marks), picture.more) == (MOST_MARKS, 7)


def written_page(task, judgement, example_set, folder):
    known = Evaluated("test", judgement, intervals={}, slices=pd.DataFrame(columns=[*SLICE_COLUMNS, "range"]))
    findings = Findings(
        evaluated={"test": known},
        verdict=judge(c.Gate(), task=task, evaluated=known),
        settings=c.Evaluation(),
        history=pd.DataFrame({"epoch": [1], "loss": [1.0]}),
        samples=samples(judgement, task=task, examples=example_set, model=Served(), transform=TRANSFORM),
    )
    write_evaluation_page(findings, task=task, examples=example_set, file=folder / "evaluation.html")
    return (folder / "evaluation.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(judgement, example_set, tmp_path_factory):
    return written_page(TASK, judgement, example_set, tmp_path_factory.mktemp("page"))


def test_a_page_has_both_maps_of_an_image_and_a_line_for_each_class(judgement, example_set, tmp_path):
    """Three samples and three worst images; labels are escaped."""

    class Painting(Tagging):
        def drawings(self, row):
            return tuple(ClassMap(kind, png_map([[0, 1]]), ("ground", EVIL)) for kind in ("truth", "answer"))

    text = written_page(Painting(c.Classification(top_k=2), ("a", "b")), judgement, example_set, tmp_path)
    assert text.count("<small>there</small><img") == text.count("<small>answered</small><img") == 6
    assert text.count('<span dir="auto">&lt;script&gt;alert(1)&lt;/script&gt;</span> <small>there 0.50, answered 0.50') == 6
    assert EVIL not in text


def test_a_page_says_in_words_what_each_frame_is(page):
    """The samples and the worst images have each a legend, and a line for each frame, in any script."""
    for meaning in ("found, and it is there", "found, but it is not there", "there, but not found"):
        assert page.count(f"</svg> {meaning}</span>") == 2
    assert page.count('<span dir="auto">قطة</span> <small>there, but not found</small>') == 2
    assert page.count('<span dir="auto">&lt;script&gt;alert(1)&lt;/script&gt; 0.61</span>') == 2


def test_a_table_without_a_name_for_its_rows_has_no_column_of_row_numbers(page):
    assert '<tr><th class="left">kind</th><th>count</th><th>cost</th></tr>' in page.replace("\n", "")


def test_a_number_that_is_unknown_is_an_empty_cell(page):
    assert '<td class="left">missed</td><td>2</td><td></td></tr>' in page


def test_labels_run_no_code_and_nothing_is_fetched(page):
    assert EVIL not in page
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in page]
