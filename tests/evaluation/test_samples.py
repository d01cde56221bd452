"""Samples are the same for every model, and show the image, the truth, the answer, and where the network looked."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.evaluation.page import Findings, top_losses, write_evaluation_page
from kerasvision.evaluation.samples import faded, samples
from kerasvision.tasks.base import Illustration, Judgement, Part
from kerasvision.tasks.classification.task import ClassificationTask

EVIL = "<script>alert(1)</script>"
COUNT = 12


class Telling(ClassificationTask):
    """A task whose answers are neither right nor wrong, and have parts where the model looks for them."""

    def illustrations(self, rows, *, ask):
        told = ask("explain")
        parts = [() if told is None else (Part(EVIL, weights),) for weights in (told or {"at": rows["id"]})["at"]]
        return [
            Illustration(row.id, row.answer, (row.truth, "قطة"), looks)
            for row, looks in zip(rows.itertuples(), parts, strict=True)
        ]

    def caption(self, row):
        return f"{row['truth']} → {row['answer']}"

    def figures(self, judgement):
        return {}


class Served:
    """A model that looks at the upper left corner, and remembers the images that it received."""

    def __init__(self, *signatures):
        self.signatures, self.asked = frozenset(signatures), []

    def __call__(self, signature, *, image_bytes):
        self.asked += [Image.open(io.BytesIO(image)).convert("RGB").getpixel((0, 0))[0] for image in image_bytes.numpy()]
        corner = np.zeros((len(image_bytes), 4, 4))
        corner[:, 0, 0] = 0.5
        return {"at": tf.constant(corner)}


TASK = Telling(c.Classification(top_k=2), ("a", "b"))
TRANSFORM = ImageTransform.fit(c.Transform(image_size=(8, 8), scale="zero_to_one"), None)


@pytest.fixture(scope="module")
def example_set(tmp_path_factory):
    """Twelve test images; the brightness of each is 10 times its number."""
    rows = [(f"{n:02}.png", encode_png(np.full((8, 8, 3), 10 * n, np.uint8)), "a") for n in range(COUNT)]
    folder = tmp_path_factory.mktemp("samples") / "data"
    write_examples(lambda split: rows, splits=["test"], classes=("a", "b"), folder=folder)
    return ExampleSet(folder)


@pytest.fixture(scope="module")
def judgement(example_set):
    ids = [row["id"].decode() for row in example_set.dataset("test").as_numpy_iterator()]
    rows = {"id": ids, "truth": f"{EVIL} cat", "answer": [f"answer to {name}" for name in ids], "loss": np.arange(12.0)}
    return Judgement({"bleu_4": 0.5}, pd.DataFrame(rows))


def drawn(judgement, example_set, model=None, **options):
    served = model or Served("explain")
    return samples(judgement, task=TASK, examples=example_set, model=served, transform=TRANSFORM, **options)


def picture_at(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"), int)


def test_the_same_images_are_drawn_every_time_in_the_order_of_the_split(judgement, example_set):
    first, second = (drawn(judgement, example_set, most=5) for _ in range(2))
    ids = [one.picture.id for one in first]
    assert ids == [one.picture.id for one in second]
    assert len(set(ids)) == 5
    assert sorted(ids, key=judgement.rows["id"].tolist().index) == ids
    assert [one.illustration.answer for one in first] == [f"answer to {name}" for name in ids]


def test_the_model_is_asked_about_the_images_that_are_shown(judgement, example_set):
    model = Served("explain")
    shown = drawn(judgement, example_set, model, most=5)
    assert model.asked == [10 * int(one.picture.id[:2]) for one in shown]


def test_a_model_that_does_not_tell_where_it_looks_is_not_asked(judgement, example_set):
    model = Served("serving_default")
    assert all(one.looks == () for one in drawn(judgement, example_set, model))
    assert not model.asked


def test_a_task_that_illustrates_nothing_has_no_samples(judgement, example_set):
    task = ClassificationTask(c.Classification(top_k=2), ("a", "b"))
    assert not samples(judgement, task=task, examples=example_set, model=Served(), transform=TRANSFORM)


def test_few_are_shown_with_where_the_network_looked(judgement, example_set):
    assert [len(one.looks) for one in drawn(judgement, example_set)] == [1] * 8 + [0] * 4


def test_what_was_looked_at_stays_and_the_rest_fades(judgement, example_set):
    for sample in drawn(judgement, example_set, most=5):
        ((text, url),) = sample.looks
        assert text == EVIL
        pixels, brightness = picture_at(url), 10 * int(sample.picture.id[:2])
        assert max(pixels.shape) == 112
        # JPEG is off by a few values. Dark images fade to light.
        assert abs(pixels[2, 2] - brightness).max() <= 4
        assert abs(pixels[-3, -3] - (0.25 * brightness + 0.75 * (30 if brightness >= 80 else 225))).max() <= 4


def test_attention_lies_over_the_image_as_a_resized_map():
    weights = np.array([[0.0, 1.0], [0.0, 0.0]])
    seen = faded(np.full((4, 4, 3), 190.0), weights)[..., 0]
    # Columns of a 2 x 2 map stretched to 4: its values at 0, 1/4, 3/4 and 1 between the middles of two cells. A faded pixel
    # loses up to 0.75 * (190 - 30) = 120.
    assert seen[0].tolist() == [70, 100, 160, 190]
    assert seen[:, 0].tolist() == [70] * 4


def test_a_map_without_weight_and_a_grey_image_can_be_shown():
    assert (faded(np.full((2, 3, 1), 190.0), np.zeros((1, 1))) == 70).all()


def test_answers_that_are_neither_right_nor_wrong_have_a_page(judgement, example_set, tmp_path):
    known = Evaluated("test", judgement, intervals={}, slices=pd.DataFrame(columns=[*SLICE_COLUMNS, "range"]))
    findings = Findings(
        evaluated={"test": known},
        verdict=judge(c.Gate(), task=TASK, evaluated=known),
        settings=c.Evaluation(),
        history=pd.DataFrame({"epoch": [1], "loss": [1.0]}),
        samples=drawn(judgement, example_set),
    )
    file = tmp_path / "evaluation.html"
    write_evaluation_page(findings, task=TASK, examples=example_set, file=file)
    page = file.read_text(encoding="utf-8")
    assert "wrongly" not in page
    assert 'class="wrong"' not in page
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; cat") == 2 * COUNT  # the samples, and the top losses
    assert page.count('<small dir="auto">قطة</small>') == COUNT
    assert page.count("<figcaption>&lt;script&gt;alert(1)&lt;/script&gt;</figcaption>") == 8
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in page]


def test_top_losses_need_no_right_answers(judgement, example_set):
    shown = top_losses(judgement, task=TASK, examples=example_set, most=2)
    assert [(wrong, loss) for _, _, wrong, loss in shown] == [(False, 11.0), (False, 10.0)]
