"""What was found and missed is drawn over samples and worst images, numbered, and said in words."""

import base64
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.drawn import MOST_MARKS, drawings_of, shown_pictures
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.evaluation.page import Findings, top_losses, write_evaluation_page
from kerasvision.evaluation.samples import samples
from kerasvision.tasks.base import Illustration, Judgement
from kerasvision.tasks.classification.task import ClassificationTask
from kerasvision.tasks.drawing import Drawing

EVIL = "<script>alert(1)</script>"
MIDDLE = (0.25, 0.25, 0.75, 0.75)


class Tagging(ClassificationTask):
    """A task without illustrations."""

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
    """The drawings of each row are about its own image; those of the first are of every kind."""
    ids = [row["id"].decode() for row in example_set.dataset("test").as_numpy_iterator()]
    of_row = [
        (
            Drawing("missed", MIDDLE, "قطة"),
            Drawing("false", (0.0, 0.0, 0.2, 0.2), EVIL, 0.61),
            Drawing("found", MIDDLE, "cat", 0.98),
            Drawing("truth", MIDDLE, "crowd of cat"),
        ),
        (Drawing("found", MIDDLE, f"only {ids[1]}", 0.5),),
        (),
    ]
    rows = pd.DataFrame({"id": ids, "objects": [1, 2, 3], "loss": [2.0, 3.0, 1.0]})
    return Judgement({"f1": 0.5}, rows, drawings=of_row.__getitem__)


def image_at(url):
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"), int)


def test_a_small_image_is_enlarged_and_its_frames_are_in_place(judgement, example_set):
    """48 x 24 becomes 240 x 120; the frame of the middle is at 60 to 180 and 30 to 90."""
    name = judgement.rows["id"][1]
    picture = shown_pictures(example_set, drawings_of(judgement, [name]))[name]
    assert (picture.width, picture.height) == (240, 120)
    assert [(mark.number, mark.kind, mark.text) for mark in picture.marks] == [(1, "found", f"only {name} 0.50")]
    changed = np.abs(image_at(picture.url) - 200).max(axis=2) > 60
    assert changed[87:90, 62:178].all() and changed[32:88, 177:180].all()
    assert not changed[:, :55].any() and not changed[95:].any() and not changed[50:80, 66:174].any()


def test_an_image_without_drawings_is_small_and_plain(judgement, example_set):
    name = judgement.rows["id"][2]
    picture = shown_pictures(example_set, drawings_of(judgement, [name]))[name]
    assert (picture.width, picture.height) == (48, 24)
    assert not hasattr(picture, "marks")


def test_the_worst_images_have_their_own_drawings(judgement, example_set):
    shown = top_losses(judgement, task=TASK, examples=example_set)
    assert [picture.id for picture, *_ in shown] == [judgement.rows["id"][place] for place in (1, 0, 2)]
    assert [len(getattr(picture, "marks", ())) for picture, *_ in shown] == [1, 4, 0]


def test_a_task_without_illustrations_has_samples_if_something_is_drawn(judgement, example_set):
    shown = samples(judgement, task=TASK, examples=example_set, model=Served(), transform=TRANSFORM)
    assert [one.illustration.answer for one in shown] == ["1 of 1 found", "1 of 2 found", "1 of 3 found"]
    plain = replace(judgement, drawings=lambda row: ())
    assert samples(plain, task=TASK, examples=example_set, model=Served(), transform=TRANSFORM) == []


def test_an_illustration_may_have_drawings_of_its_own(judgement, example_set):
    class Own(Tagging):
        def illustrations(self, rows, *, ask):
            return [Illustration(name, "an answer", (), drawings=(Drawing("truth", MIDDLE, "own"),)) for name in rows["id"]]

    task = Own(c.Classification(top_k=2), ("a", "b"))
    shown = samples(judgement, task=task, examples=example_set, model=Served(), transform=TRANSFORM)
    assert [[mark.text for mark in one.picture.marks] for one in shown] == [["own"]] * 3


def test_of_many_drawings_the_first_are_shown_and_the_others_counted(judgement, example_set):
    name = judgement.rows["id"][0]
    many = {name: [Drawing("false", MIDDLE, "cat", 0.5)] * (MOST_MARKS + 7)}
    picture = shown_pictures(example_set, many)[name]
    assert (len(picture.marks), picture.more) == (MOST_MARKS, 7)


@pytest.fixture(scope="module")
def page(judgement, example_set, tmp_path_factory):
    known = Evaluated("test", judgement, intervals={}, slices=pd.DataFrame(columns=[*SLICE_COLUMNS, "range"]))
    findings = Findings(
        evaluated={"test": known},
        verdict=judge(c.Gate(), task=TASK, evaluated=known),
        settings=c.Evaluation(),
        history=pd.DataFrame({"epoch": [1], "loss": [1.0]}),
        samples=samples(judgement, task=TASK, examples=example_set, model=Served(), transform=TRANSFORM),
    )
    file = tmp_path_factory.mktemp("page") / "evaluation.html"
    write_evaluation_page(findings, task=TASK, examples=example_set, file=file)
    return file.read_text(encoding="utf-8")


def test_a_page_says_in_words_what_each_frame_is(page):
    """The samples and the worst images have each a legend, and a line for each frame, in any script."""
    for meaning in ("found, and it is there", "found, but it is not there", "there, but not found"):
        assert page.count(f"</svg> {meaning}</span>") == 2
    assert page.count('<span dir="auto">قطة</span> <small>there, but not found</small>') == 2
    assert page.count('<span dir="auto">&lt;script&gt;alert(1)&lt;/script&gt; 0.61</span>') == 2


def test_labels_run_no_code_and_nothing_is_fetched(page):
    assert EVIL not in page
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in page]
