"""Both pages open without a network, and run no code from file names or labels."""

import base64
import functools
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.measuring.contact_sheets import thumbnail_url
from kerasvision.data.measuring.page import write_statistics_page
from kerasvision.data.measuring.statistics import compute_statistics
from kerasvision.data.png import encode_png
from kerasvision.evaluation.curves import draw_history
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.evaluation.page import Findings, top_losses, write_evaluation_page
from kerasvision.tasks.base import make_task

EVIL = "<script>alert(1)</script>"
CLASSES = (EVIL, "dog & cat")
TASK = make_task(c.Classification(top_k=2), CLASSES)


class Page(HTMLParser):
    """The tags, the text and the addresses of a page."""

    def __init__(self, file):
        super().__init__()
        self.tags, self.attributes, self.words, self.addresses = [], [], [], []
        self.open, self.loose_tables = [], 0  # classes of the open elements; tables without an element that scrolls them
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]

        if tag == "table" and not {"wide", "scroll"} & set(self.open):
            self.loose_tables += 1
        if tag in ("div", "table"):
            self.open.append(dict(attributes).get("class"))

    def handle_endtag(self, tag):
        if tag in ("div", "table"):
            self.open.pop()

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def picture_at(address):
    prefix, _, data = address.partition(",")
    assert prefix in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.fixture(scope="module")
def example_set(tmp_path_factory):
    """Four training and four test images, two of each class; the names of the files and of a class contain HTML."""
    rows = {
        split: [
            (f"{split}/<img src=x onerror=alert({n})>.png", encode_png(np.full((4, 6, 3), 60 * n, np.uint8)), CLASSES[n % 2])
            for n in range(4)
        ]
        for split in ("train", "test")
    }
    folder = tmp_path_factory.mktemp("evil") / "data"
    write_examples(lambda split: rows[split], splits=rows, classes=CLASSES, folder=folder)
    return ExampleSet(folder)


def judgement(example_set, wrong):
    """The first `wrong` test images, or all of the class `wrong`, are answered wrong, the earlier with higher scores."""
    examples = list(example_set.dataset("test").as_numpy_iterator())
    labels = np.array([example["label"] for example in examples])
    certainty = np.linspace(0.9, 0.6, len(examples))
    is_wrong = np.arange(len(examples)) < wrong if isinstance(wrong, int) else labels == CLASSES.index(wrong)
    answers = np.where(is_wrong, 1 - labels, labels)
    scores = np.where(np.arange(2) == answers[:, None], certainty[:, None], 1 - certainty[:, None])
    classes = np.array([CLASSES[answer].encode() for answer in answers], object)
    ids = [example["id"].decode() for example in examples]
    return TASK.judge(ids=ids, truth=labels, predictions={"scores": scores, "classes": classes})


def evaluation_page(example_set, folder, *, wrong=2, labels=0):
    history = folder / "history.csv"
    pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [1.1, 0.9]}).to_csv(history, index=False)
    judged = judgement(example_set, wrong)
    names = [f"label {number:03d}" for number in range(labels)] or [EVIL]
    rows = [("label", name, 2, "accuracy", 0.5, 0.25, 0.75, "") for name in names]
    slices = pd.DataFrame(rows, columns=[*SLICE_COLUMNS, "range"])
    known = Evaluated("test", judged, intervals={"accuracy": (0.25, 0.75)}, slices=slices)
    rules = c.Gate(c.AtLeast(f"recall[{EVIL}]", 0.75), c.NoWorse("accuracy"))
    findings = Findings(
        evaluated={"test": known},
        verdict=judge(rules, task=TASK, evaluated=known),
        settings=c.Evaluation(human={"accuracy": 0.9}, human_source=EVIL),
        history=pd.read_csv(history),
        reasons={judged.rows["id"][0]: ((f"for {EVIL}", thumbnail_url(np.zeros((4, 4, 3), np.uint8))),)},
    )
    file = folder / "evaluation.html"
    write_evaluation_page(findings, task=TASK, examples=example_set, file=file)
    return Page(file)


def statistics_page(example_set, folder):
    rows = [
        {
            "id": example["id"].decode(),
            "path": "",
            "split": split,
            "label": CLASSES[example["label"]],
            "sha256": f"{split}{n}",
            "size": 1,
            "width": 6,
            "height": 4,
            "format": "PNG",
            "mode": "RGB",
            "notes": "",
            "fault": "",
        }
        for split in example_set.splits
        for n, example in enumerate(example_set.dataset(split).as_numpy_iterator())
    ]
    rows.append(rows[0] | {"id": "<b onclick=x()>bad</b>.jpg", "fault": "<i>the file is empty</i>"})
    statistics, images = compute_statistics(example_set, pd.DataFrame(rows))
    file = folder / "statistics.html"
    write_statistics_page(statistics, images, examples=example_set, file=file)
    return Page(file)


MAKERS = {"evaluation": evaluation_page, "statistics": statistics_page}


@pytest.fixture(scope="module")
def made(example_set, tmp_path_factory):
    """Each of the two pages by its name, written once."""
    return functools.cache(lambda name: MAKERS[name](example_set, tmp_path_factory.mktemp(name)))


@pytest.fixture(params=MAKERS)
def page(request, made):
    return made(request.param)


def test_a_label_of_html_is_shown_and_not_run(page):
    assert EVIL in page.text
    assert "dog & cat" in page.text
    assert not {"script", "object"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]


def test_the_page_loads_nothing_from_anywhere(page):
    assert page.addresses
    for address in page.addresses:
        picture_at(address).load()
    assert not {"link", "script", "iframe", "base", "object"} & set(page.tags)
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in page.source]


def test_every_table_scrolls_by_itself_where_the_page_is_too_narrow(page):
    assert page.tags.count("table") >= 2
    assert page.loose_tables == 0
    assert re.search(r"\.(wide|scroll) { overflow-x: auto }", page.source)


def test_names_over_a_confusion_matrix_stand_upright_and_no_other_style_keeps_them_from_breaking(made):
    source = made("evaluation").source
    assert "<th><span>dog &amp; cat</span></th>" in source
    assert re.search(r"\.matrix th span {[^}]*vertical-rl;[^}]*max-height: 13rem; overflow-wrap: anywhere", source)
    # The report, which includes this page, keeps its own headings on one line.
    assert re.search(r"^  th {[^}]*white-space: normal }", source, re.MULTILINE)


def test_what_a_person_should_know_of_the_model_stands_below_the_verdict(example_set, tmp_path):
    text = evaluation_page(example_set, tmp_path, wrong=CLASSES[1]).text
    said = f"The model answers {EVIL!r} for every image: 4 of 4, though 2 of them are of this class."
    assert text.index("NOT_BLESSED") < text.index(said) < text.index("Scores")


def test_a_page_shows_some_of_very_many_slices_and_says_so(example_set, tmp_path):
    text = evaluation_page(example_set, tmp_path, labels=130).text
    assert "label 099" in text and "label 100" not in text
    assert "The 100 slices with the most images, of 130; all are in slices.csv." in text


def test_the_statistics_page_names_what_was_left_out(made):
    assert "<i>the file is empty</i> 1 <b onclick=x()>bad</b>.jpg" in made("statistics").text


def test_the_statistics_page_shows_every_training_image(made):
    addresses = made("statistics").addresses[-4:]
    shades = [picture_at(address).convert("RGB").getpixel((0, 0))[0] for address in addresses]
    assert sorted(shades) == [0, 60, 120, 180]


def test_the_evaluation_page_tells_verdict_rules_and_scores(made):
    text = made("evaluation").text
    assert text.startswith("Evaluation")
    assert "NOT_BLESSED" in text
    assert f"recall[{EVIL}] >= 0.75 failed with" in text
    assert "accuracy 0.5000 0.250 to 0.750" in text
    assert "no baseline" in text
    assert f"people ({EVIL}) accuracy 0.9000" in text


def test_the_first_of_the_largest_losses_are_explained_beside_their_images(made):
    text = made("evaluation").text
    assert "The first 1 are explained by Grad-CAM" in text
    assert text.index("Top losses") < text.index(f"for {EVIL}")


def test_an_evaluation_without_mistakes_says_so(example_set, tmp_path):
    page = evaluation_page(example_set, tmp_path, wrong=0)
    assert "No test image was answered wrongly." in page.text


def test_the_largest_losses_come_first_and_wrong_ones_are_marked(example_set):
    judged = judgement(example_set, 3)
    shown = top_losses(judged, task=TASK, examples=example_set, most=4)
    # Scores fall from image to image: of the three wrong ones, the first has the largest loss; the right one comes last.
    assert [picture.id for picture, *_ in shown] == judged.rows["id"].tolist()
    assert [wrong for _, _, wrong, _ in shown] == [True, True, True, False]
    assert shown[0][1] == f"{judged.rows['label'][0]} → {judged.rows['predicted'][0]} 0.90"
    assert [loss for *_, loss in shown] == sorted(judged.rows["loss"], reverse=True)


def test_curves_have_a_plot_per_metric_and_a_line_per_split():
    history = pd.DataFrame({"epoch": [1, 2], "loss": [3.0, 1.0], "val_loss": [4.0, 2.0], "accuracy": [0.5, 0.6]})
    loss, accuracy = draw_history(history).axes
    assert [line.get_ydata().tolist() for line in loss.get_lines()] == [[3.0, 1.0], [4.0, 2.0]]
    assert [line.get_ydata().tolist() for line in accuracy.get_lines()] == [[0.5, 0.6]]


def test_a_metric_of_the_validation_split_alone_has_a_curve():
    """An average precision is measured on that split only."""
    loss, precision = draw_history({"epoch": [1, 2], "loss": [2.0, 1.0], "val_precision": [0.1, 0.3]}).axes
    assert (loss.get_title(), precision.get_title()) == ("loss", "precision")
    (line,) = precision.lines
    assert (line.get_label(), line.get_ydata().tolist()) == ("validation", [0.1, 0.3])
