"""One self-contained page for a run, whatever its outcome; it runs no code from names or messages."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kerasvision.evaluation import report
from kerasvision.evaluation.bound_pages import MOST_LABELS, MOST_OF_A_LABEL, bound_page, training_pictures
from kerasvision.evaluation.report import write_report
from kerasvision.evaluation.run_facts import ArtifactFacts, RunFacts, StageFacts

EVIL = "<script>alert(1)</script>"
EVIL_FILE = '"><img src=x onerror=alert(2)>.png'
PIXEL = "data:image/png;base64,iVBORw0KGgo="

STATISTICS = """<!doctype html><style>body {{ margin: 0 }}</style><h1>Statistics</h1><h2>Exact copies</h2>
<img src="data:image/png;base64,Y29weQ=="><h2>Training images</h2>
{sheets}</html>"""
EVALUATION = """<!doctype html><style>p {{ color: red }}</style><h1>Evaluation</h1><p>NOT_BLESSED, said once</p>
<h2>Scores</h2><table><tr><td>{evil}</td></tr></table><img src="data:image/png;base64,c2NvcmVz"></html>"""


class Page(HTMLParser):
    """The tags, the text by section, and the addresses of a page."""

    def __init__(self, file):
        super().__init__()
        self.tags, self.attributes, self.addresses, self.links, self.words = [], [], [], [], {"": ""}
        self._section, self._open, self.loose_tables = "", [], 0
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        self.addresses += [value for name, value in attributes if name in ("src", "srcset", "data", "action")]
        self.links += [value for name, value in attributes if name == "href"]
        if tag == "table" and not {"wide", "table"} & set(self._open):
            self.loose_tables += 1
        if tag in ("div", "table"):
            self._open.append("table" if tag == "table" else dict(attributes).get("class"))
        if tag == "section":
            self._section = dict(attributes)["id"]
            self.words[self._section] = ""

    def handle_endtag(self, tag):
        if tag in ("div", "table"):
            self._open.pop()

    def handle_data(self, data):
        self.words[self._section] += " " + data

    def text(self, section):
        return " ".join(self.words[section].split())


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def artifact(root, number, kind, properties=None, **files):
    """A folder of files; `name__html="..."` is the file name.html, a dict is written as JSON."""
    folder = root / "runs" / "artifacts" / f"{number}"
    folder.mkdir(parents=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return ArtifactFacts(number, kind, folder, f"{number}abcdef0123456789", properties or {})


def stage(number, name, *outputs, inputs=(), state="ran", **fields):
    read, wrote = ({one.type.lower(): one for one in some} for some in (inputs, outputs))
    return StageFacts(name, number, number, state, "2024-05-06 07:08:09", 1.5, inputs=read, outputs=wrote, **fields)


def test_objects_and_tags_are_counted_the_most_frequent_first(tmp_path):
    statistics = artifact(
        tmp_path,
        2,
        "ExampleStatistics",
        statistics__json={
            "classes": [],
            "counts": {"train": {}},
            "images": {"train": 33},
            "object_counts": {"cat": 5, EVIL: 36},
            "tags": {"images": {"train": {"sea": 4, "sun": 5}, "test": {"sea": 2, "sun": 0}}},
        },
    )
    page = page_of([stage(2, "statistics_gen", statistics)], tmp_path)
    assert f"tag images sea 6 sun 5 class objects {EVIL} 36 cat 5" in page.text("data")
    assert EVIL not in page.source


def test_the_headline_metric_comes_first(tmp_path):
    scores = {"best_score": 0.25, "box_recall": 0.75, "box_average_precision": 0.5, "headline": "box_average_precision"}
    evaluation = artifact(tmp_path, 5, "ModelEvaluation", scores, evaluation__html=EVALUATION.format(evil=""))
    page = page_of([stage(5, "evaluator", evaluation)], tmp_path)
    assert "0.5 box average precision 0.25 best score 0.75 box recall" in page.text("")


@pytest.fixture
def stages(tmp_path):
    """A run from end to end; the names of classes and files, the messages and the settings all contain HTML."""
    sheets = f'<h3>{escaped(EVIL)} <small>2</small></h3><div><img src="{PIXEL}" title="{escaped(EVIL_FILE)}"></div>'
    examples = artifact(tmp_path, 1, "Examples", manifest__parquet="not read")
    statistics = artifact(
        tmp_path,
        2,
        "ExampleStatistics",
        statistics__html=STATISTICS.format(sheets=sheets),
        statistics__json={
            "classes": [EVIL, "dog"],
            "counts": {"train": {EVIL: 2, "dog": 1}, "test": {EVIL: 1, "dog": 0}},
            "quarantined": {EVIL_FILE: EVIL},
            "min_side": 6,
            "max_side": 9,
            "formats": {"PNG": 4},
        },
    )
    leak = {"severity": "warning", "code": "near_leakage", "message": f"{EVIL_FILE} lies in two splits"}
    anomalies = artifact(tmp_path, 3, "ExampleAnomalies", anomalies__json={"anomalies": [leak]})
    model = artifact(
        tmp_path,
        4,
        "Model",
        settings__json={"training": {"epochs": 2}},
        history__csv="epoch,loss,val_loss\n1,1.0,0.75\n2,0.5,0.0625\n",
    )
    evaluation = artifact(
        tmp_path, 5, "ModelEvaluation", {"accuracy": 0.75}, evaluation__html=EVALUATION.format(evil=escaped(EVIL))
    )
    blessing = artifact(
        tmp_path,
        6,
        "ModelBlessing",
        {"verdict": "NOT_BLESSED", "blessed": 0},
        verdict__json={
            "verdict": "NOT_BLESSED",
            "reason": f"recall[{EVIL}] is too low",
            "rules": [{"rule": f"recall[{EVIL}] >= 0.9", "outcome": "failed", "value": 0.123456, "bound": 0.9}],
        },
    )
    facts = {"latency_p50_ms": 2.5, EVIL: [EVIL]}
    proof = artifact(
        tmp_path,
        7,
        "InfraBlessing",
        {"blessed": 1},
        certificate__json={"blessed": True, "max_difference": 1.5e-07, "facts": facts},
    )
    pushed = artifact(tmp_path, 8, "PushedModel", {"pushed": 0, "reason": EVIL}, pushed__json={"pushed": False, "why": EVIL})
    return (
        stage(1, "example_gen", examples, settings={"source.path": EVIL_FILE, "splits.test": 0.2}),
        stage(2, "statistics_gen", statistics, inputs=[examples], state="reused"),
        stage(3, "example_validator", anomalies),
        stage(4, "trainer", model, settings={"training.epochs": 2}),
        stage(5, "evaluator", evaluation, blessing),
        stage(6, "infra_validator", proof),
        stage(7, "pusher", pushed, state="failed", error=f"OSError: {EVIL}"),
    )


def page_of(stages, root):
    file = root / "runs" / "reports" / "20240506-070809-abcd.html"
    write_report(RunFacts("20240506-070809-abcd", "flowers", "2024-05-06 07:08:09", root, tuple(stages)), file)
    return Page(file)


def test_what_anybody_wrote_is_shown_and_not_run(stages, tmp_path):
    page = page_of(stages, tmp_path)
    assert "script" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    for section in ("verdict", "data", "evaluation", "serving", "lineage"):
        assert EVIL in page.text(section), section
    assert EVIL_FILE in page.text("data")


def test_the_page_loads_nothing_from_anywhere(stages, tmp_path):
    page = page_of(stages, tmp_path)
    assert page.addresses == [PIXEL, "data:image/png;base64,c2NvcmVz"]
    assert not {"link", "script", "iframe", "base", "object"} & set(page.tags)
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in page.source]
    # Links lead to sections, or to files of the stages below the root.
    folder = tmp_path / "runs" / "reports"
    assert all(link.startswith("#") or (folder / link).exists() for link in page.links)


def test_every_table_scrolls_by_itself_where_the_page_is_too_narrow(stages, tmp_path):
    (tmp_path / "runs" / "artifacts" / "5" / "evaluation.html").write_text(EVALUATION.format(evil="").replace("table", "p"))
    page = page_of(stages, tmp_path)
    assert page.tags.count("table") >= 8
    assert page.loose_tables == 0


def test_what_a_person_should_know_of_the_model_stands_below_the_verdict(stages, tmp_path):
    file = tmp_path / "runs" / "artifacts" / "6" / "verdict.json"
    said = {"remarks": [f"The model answers '{EVIL}' for every image."]}
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    text = page_of(stages, tmp_path).text("verdict")
    assert f"is too low. The model answers '{EVIL}' for every image. rule outcome" in text


def test_of_very_many_rules_the_failed_ones_are_shown(stages, tmp_path):
    rules = [{"rule": f"rule {n}", "outcome": "failed" if n == 140 else "passed", "value": 1.0} for n in range(150)]
    file = tmp_path / "runs" / "artifacts" / "6" / "verdict.json"
    file.write_text(json.dumps({"verdict": "NOT_BLESSED", "reason": "rule 140 failed", "rules": rules}))
    text = page_of(stages, tmp_path).text("verdict")
    assert "rule outcome value rule 140 failed 1 rule 0 passed" in text
    assert text.endswith("And 50 more rules, failed ones first; all are in verdict.json.")


def test_every_part_of_a_run_is_there(stages, tmp_path):
    page = page_of(stages, tmp_path)
    assert list(page.words) == ["", "verdict", "advice", "data", "training", "evaluation", "serving", "lineage"]
    head = page.text("")
    assert "5 of 7 stages ran, in 7.5 s; 1 reused; 1 failed." in head
    assert "NOT BLESSED serves as trained not pushed" in head
    assert f"pusher : OSError: {EVIL}" in head
    assert "0.75 accuracy" in head
    assert f"recall[{EVIL}] >= 0.9 failed 0.1235 0.9" in page.text("verdict")
    assert "3 train 1 test 2 classes 1 left out 6 to 9 pixels a side 4 PNG" in page.text("data")
    assert "warning near leakage" in page.text("data")
    assert f"Some classes have few training images. fewer than 50: dog 1, {EVIL} 2." in page.text("advice")
    assert "Not looked at: " in page.text("advice") and "what comes after pusher, which failed" in page.text("advice")
    assert "2 0.5 0.0625" in page.text("training")
    assert "latency p50 ms 2.5" in page.text("serving") and "max difference 1.5e-07" in page.text("serving")


def test_after_a_final_training_both_networks_are_shown_and_named(stages, tmp_path):
    about = {"trains": True, "judged": f"the one of {EVIL}", "served": "another, trained on all 4 images"}
    final = artifact(
        tmp_path, 9, "Model", {"final_images": 1400}, final__json=about, history__csv="epoch,loss\n1,0.375\n2,0.25\n"
    )
    run = (*stages[:6], stage(8, "final_trainer", final), stages[6])
    page = page_of(run, tmp_path)
    assert f"Judged : the one of {EVIL}. Not served : another, trained on all 4 images." in page.text("verdict")
    assert "not pushed not served: a network trained on all 1,400 images, which was not judged" in page.text("")
    pushed = artifact(tmp_path, 10, "PushedModel", {"pushed": 1, "pushed_destination": "saved_models/flowers/1"})
    page = page_of((*run, stage(9, "pusher", pushed)), tmp_path)
    assert f"Judged : the one of {EVIL}. Served : another, trained on all 4 images." in page.text("verdict")
    assert "serves a network trained on all 1,400 images, which was not judged" in page.text("")
    training = page.text("training")
    assert "2 epochs. The last: epoch loss val loss 2 0.5 0.0625" in training
    assert "Final training 2 epochs on all images, after the verdict. The last: epoch loss 2 0.25" in training
    # Without a blessing the judged network is passed on.
    (tmp_path / "runs" / "artifacts" / "9" / "final.json").write_text(json.dumps(about | {"trains": False}))
    assert "Final training" not in page_of((*stages[:6], stage(8, "final_trainer", final)), tmp_path).text("training")


def test_the_lineage_names_executions_artifacts_digests_and_settings(stages, tmp_path):
    text = page_of(stages, tmp_path).text("lineage")
    assert "splits.test 0.2" in text
    assert "reused execution 2 1.5 Examples 1 examples, 1abcdef01234 ExampleStatistics 2" in text


def test_the_evaluations_page_is_bound_in_without_its_verdict_and_keeps_its_style_to_itself(stages, tmp_path):
    page = page_of(stages, tmp_path)
    assert "said once" not in page.text("evaluation")
    assert "#evaluation-page { p { color: red } }" in page.source


def test_the_evaluators_template_can_be_bound():
    """The part that is cut off is before the first heading: the title and the verdict."""
    template = Path(report.__file__).with_name("evaluation.html")
    style, body = bound_page(template, place="here")
    assert style.startswith("#here {") and "table" in style
    assert body.startswith("<h2>Scores</h2>")
    assert template.read_text().count("<style>") == 1


@pytest.mark.parametrize("reached", range(8))
def test_a_run_that_stopped_half_way_shows_what_it_came_to(reached, stages, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_curves", lambda history: PIXEL)
    page = page_of(stages[:reached], tmp_path)
    expected = {"data": 1, "advice": 2, "training": 4, "verdict": 5, "evaluation": 5, "serving": 6, "lineage": 1}
    assert set(page.words) - {""} == {name for name, needed in expected.items() if reached >= needed}
    assert "cannot be shown" not in page.source
    # The report draws the curves of a training that has not been evaluated.
    assert (PIXEL in page.addresses[1:]) == (reached == 4)


def test_the_curves_of_a_training_that_was_not_evaluated_are_drawn(stages, tmp_path):
    (url,) = (url for url in page_of(stages[3:4], tmp_path).addresses)
    assert url.startswith("data:image/png;base64,") and len(url) > 2_000


DAMAGED = {
    "2/statistics.json": "data",
    "3/anomalies.json": "data",
    "4/settings.json": "training",
    "5/evaluation.html": "evaluation",
    "6/verdict.json": "verdict",
    "7/certificate.json": "serving",
    "8/pushed.json": "serving",
}


@pytest.mark.parametrize("content", [b"", b'{"verd', b"[1]", b"\xff\xfe", b"{}"])
@pytest.mark.parametrize("file", DAMAGED)
def test_a_file_that_is_damaged_is_told_and_the_rest_is_shown(file, content, stages, tmp_path):
    (tmp_path / "runs" / "artifacts" / file).write_bytes(content)
    page = page_of(stages, tmp_path)
    section = DAMAGED[file]
    # An empty object is complete if all of its keys are optional.
    whole = content == b"{}" and section in ("training", "serving")
    assert ("This part cannot be shown:" in page.text(section)) == (not whole)
    assert list(page.words) == ["", "verdict", "advice", "data", "training", "evaluation", "serving", "lineage"]
    assert sum("This part cannot be shown:" in page.text(name) for name in page.words) <= 1


def test_an_artifact_that_was_deleted_is_left_out(stages, tmp_path):
    import shutil

    shutil.rmtree(tmp_path / "runs" / "artifacts" / "6")
    assert "verdict" not in page_of(stages, tmp_path).words


def test_many_classes_show_some_pictures_of_some(tmp_path):
    sheet = f'<div class="sheet">{f"<img src={chr(34)}{PIXEL}{chr(34)}>" * 12}</div>'
    sheets = "".join(f"<h3>class {number} <small>12</small></h3>{sheet}" for number in range(50))
    (tmp_path / "page.html").write_text(STATISTICS.format(sheets=sheets))
    found = training_pictures(tmp_path / "page.html")
    assert list(found) == [f"class {number}" for number in range(MOST_LABELS)]
    assert {len(urls) for urls in found.values()} == {MOST_OF_A_LABEL}


def test_a_report_that_cannot_be_written_leaves_the_one_before(stages, tmp_path, monkeypatch):
    page_of(stages, tmp_path)
    (file,) = (tmp_path / "runs" / "reports").iterdir()
    before = file.read_text()
    monkeypatch.setattr(Path, "rename", lambda self, target: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        page_of(stages[:2], tmp_path)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.read_text() == before
