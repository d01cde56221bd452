"""Each rule speaks on one side of its threshold and is silent on the other; without figures, none speaks."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.errors import ConfigError
from kerasvision.evaluation.advice import fitting, images, judging
from kerasvision.evaluation.advice.facts import Facts, Score, gather
from kerasvision.evaluation.advice.rules import RULES, advice_on
from kerasvision.evaluation.run_facts import ArtifactFacts, RunFacts, StageFacts


def history(**columns):
    return Facts(metric="accuracy", history=columns, chance=("log_loss", math.log(10)))


def fits(train, validation, **more):
    return replace(history(accuracy=[train], val_accuracy=[validation]), **more)


def scored(value, low, high, *, count=100, validation=None, **more):
    scores = {"test": {"accuracy": Score(value, low, high)}}
    scores |= {"validation": {"accuracy": Score(*validation)}} if validation else {}
    return Facts(metric="accuracy", scores=scores, examples={"test": count}, **more)


def counted(**counts):
    return Facts(counts={"train": counts})


def slices(score, low, high, *, count=20):
    row = {"slice": "label", "value": "rose", "count": str(count), "metric": "accuracy"}
    return scored(0.9, 0.85, 0.94, slices=[{**row, "score": str(score), "low": str(low), "high": str(high)}])


def confused(count, share):
    return Facts(confused=[{"label": "rose", "answered": "tulip", "count": str(count), "share_of_label": str(share)}])


def calibrated(error, confidence, accuracy, **settings):
    facts = scored(0.9, 0.85, 0.94, settings=settings)
    of_test = {**facts.scores["test"], "expected_calibration_error": Score(error)}
    bands = [
        {"count": "30", "confidence": str(confidence), "accuracy": str(accuracy)},
        {"count": "10", "confidence": "0.5", "accuracy": "0.5"},
    ]
    return replace(facts, scores={"test": of_test}, calibration=bands)


def simple(score):
    row = {"model": "linear SVM", "features": "pixels", "metric": "accuracy", "score": str(score)}
    return scored(0.9, 0.85, 0.94, simple=[{**row, "score": "0.1"}, row, {**row, "metric": "other", "score": "1.0"}])


# rule -> (facts on which it speaks, a figure that it says, facts on which it is silent).
SIDES = {
    fitting.exploding: [
        (history(loss=[2.0, 2.1]), "loss 2 after the first epoch, 2.1 after the last", history(loss=[2.0, 2.0])),
        (history(loss=[2.0, math.nan, 1.0]), "the loss of epoch 2 is not a finite number", history(loss=[9.0])),
    ],
    fitting.flat: [  # 0.95 * ln(10) = 2.187
        (
            history(log_loss=[2.4, 2.19]),
            "log_loss 2.190 at best; equal scores for all classes give 2.303",
            history(log_loss=[2.18]),
        )
    ],
    fitting.still_falling: [
        (
            history(val_loss=[9, 8, 7, 6, 5, 4, 1.0, 1.0, 0.94, 0.94]),
            "mean val_loss 1.000 in epochs 7 to 8, 0.940 after that",
            history(val_loss=[9, 8, 7, 6, 5, 4, 1.0, 1.0, 0.96, 0.96]),
        ),
        (history(loss=[5, 4, 3, 2, 1.0]), "mean loss 2.000 in epochs 4 to 4, 1.000", history(loss=[4, 3, 2, 1.0])),
        (
            replace(fits(0.99, 0.97), history={**fits(0.99, 0.97).history, "val_loss": [5, 4, 3, 2, 1.0]}),
            "mean val_loss 2.000",
            replace(fits(0.99, 0.985), history={**fits(0.99, 0.985).history, "val_loss": [5, 4, 3, 2, 1.0]}),
        ),
    ],
    fitting.turned: [
        (
            history(val_loss=[2.0, 1.0, 1.11]),
            "val_loss 1.000 in epoch 2, 1.110 in the last, 3",
            history(val_loss=[2.0, 1.0, 1.1]),
        ),
        (
            history(val_loss=[1.0, 2.0]),
            "2.000 in the last",
            replace(history(val_loss=[1.0, 2.0]), settings={"training.keep": "best"}),
        ),
    ],
    fitting.bias: [
        (fits(0.94, 0.94), "accuracy 0.940 on training images, as augmented; the best possible is 1.000", fits(0.96, 0.5)),
        (
            fits(0.90, 0.90, human={"accuracy": 0.96}),
            "accuracy 0.900 on training images, as augmented; people reach 0.960",
            fits(0.92, 0.90, human={"accuracy": 0.96}),
        ),
        (fits(0.5, 0.5), "0.500", fits(0.5, 0.5, mixes=True)),
        (fits(0.5, 0.5), "0.500", fits(0.5, 0.5, larger_is_better=False)),
    ],
    fitting.variance: [
        (fits(0.99, 0.93), "accuracy 0.990 on training images, as augmented, 0.930 on validation images", fits(0.99, 0.95)),
        (history(loss=[1.0], val_loss=[1.6]), "loss 1.000 on training images", history(loss=[1.0], val_loss=[1.5])),
        (
            history(loss=[1.0], val_loss=[1.6]),
            "1.600 on validation images",
            replace(history(loss=[1.0], val_loss=[1.6]), mixes=True),
        ),
    ],
    fitting.unlike_splits: [
        (
            scored(0.8, 0.75, 0.84, validation=(0.9, 0.85, 0.94)),
            "accuracy 0.900 (0.850 to 0.940) on validation images, 0.800 (0.750 to 0.840) on test images",
            scored(0.8, 0.75, 0.85, validation=(0.9, 0.85, 0.94)),
        ),
        (scored(0.9, 0.85, 0.94, validation=(0.8, 0.75, 0.84)), "0.900", scored(0.9, 0.85, 0.94)),
    ],
    images.few_images: [(counted(rose=49, tulip=50), "fewer than 50: rose 49", counted(rose=50))],
    images.imbalance: [
        (counted(rose=100, tulip=10), "100 training images of rose, 10 of tulip", counted(rose=99, tulip=10)),
        (counted(rose=10, tulip=0), "0 of tulip", counted(rose=1000)),
    ],
    images.leaks: [(Facts(shared=1), "1 groups of copies or look-alikes", Facts(shared=0))],
    images.contradictions: [(Facts(contradictions=2), "2 groups of copies", Facts(contradictions=0))],
    judging.too_wide: [  # 100 images, 0.14 wide: (0.14 / 0.1)**2 = 1.96 times as many
        (scored(0.8, 0.72, 0.86), "accuracy 0.800, between 0.720 and 0.860, on 100 test images", scored(0.8, 0.76, 0.85)),
        (scored(0.8, 0.72, 0.86), "0.800", scored(8.0, 7.0, 9.0)),
    ],
    judging.confusion: [
        (confused(5, 0.1), "5 test images, 10% of those of rose", confused(5, 0.09)),
        (confused(50, 0.5), "50 test images", confused(4, 0.5)),
    ],
    judging.weak_part: [
        (slices(0.7, 0.6, 0.84), "accuracy 0.700 (0.600 to 0.840) on 20 of these, 0.900 on all", slices(0.7, 0.6, 0.85)),
        (slices(0.7, 0.6, 0.84), "0.700", slices(0.7, 0.6, 0.84, count=19)),
        (
            replace(slices(0.97, 0.95, 0.99), larger_is_better=False),
            "accuracy 0.970",
            replace(slices(0.97, 0.93, 0.99), larger_is_better=False),
        ),
    ],
    judging.simple_is_as_good: [
        (simple(0.85), "linear SVM on pixels: accuracy 0.850; the network 0.900 (0.850 to 0.940)", simple(0.84))
    ],
    judging.overconfident: [  # (30 * 0.9 + 10 * 0.5) / 40 = 0.8, and (30 * 0.7 + 5) / 40 = 0.65
        (
            calibrated(0.06, 0.9, 0.7),
            "a score of 0.800 on average, and is right for 0.650; expected calibration error 0.060",
            calibrated(0.05, 0.9, 0.7),
        ),
        (calibrated(0.06, 0.9, 0.7), "0.800", calibrated(0.06, 0.7, 0.9)),
        (calibrated(0.06, 0.9, 0.7), "0.800", calibrated(0.06, 0.9, 0.7, **{"export.temperature": True})),
    ],
    judging.beyond_people: [
        (
            scored(0.9, 0.85, 0.94, human={"accuracy": 0.84}),
            "accuracy 0.900 (0.850 to 0.940), people 0.840",
            scored(0.9, 0.85, 0.94, human={"accuracy": 0.85}),
        )
    ],
}
CASES = [(rule, *case) for rule, cases in SIDES.items() for case in cases]


@pytest.mark.parametrize(("rule", "speaks", "figure", "silent"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_rule_speaks_on_one_side_of_its_threshold_only(rule, speaks, figure, silent):
    advice = rule(speaks)
    assert advice is not None and figure in advice.figures, advice
    assert advice.rule == rule.__name__ and advice.finding.endswith(".") and advice.todo and advice.source
    assert rule(silent) is None


def test_every_rule_is_asked_and_has_two_sides():
    assert set(RULES) == set(SIDES)


@pytest.mark.parametrize(
    "facts", [Facts(), Facts(metric="accuracy"), history(loss=[], val_loss=[]), scored(0.9, math.nan, math.nan)]
)
def test_without_figures_there_is_no_advice(facts):
    assert advice_on(facts) == []


def test_the_number_of_test_images_grows_with_the_square_of_the_width():
    assert "About 196 test images make the interval 0.1 wide" in judging.too_wide(scored(0.8, 0.72, 0.86)).todo


def test_of_bias_and_variance_the_larger_comes_first():
    assert [one.rule for one in advice_on(fits(0.93, 0.6))] == ["variance", "bias"]
    assert [one.rule for one in advice_on(fits(0.6, 0.5))] == ["bias", "variance"]


# --- From the files of a run


def run_of(folder, **artifacts):
    """A run whose artifacts have these files: type -> name -> text or data."""
    outputs = {}
    for number, (kind, files) in enumerate(artifacts.items(), 1):
        place = folder / kind
        place.mkdir(parents=True)
        for name, content in files.items():
            (place / name).write_text(content if isinstance(content, str) else json.dumps(content))
        outputs[kind] = ArtifactFacts(number, kind, place, properties={"headline": "accuracy"})
    return RunFacts("1", "flowers", "now", folder, (StageFacts("some", 1, 1, "ran", outputs=outputs),))


TRAINED = {
    "history.csv": "epoch,accuracy,loss,val_accuracy,val_loss\n1,0.5,2.0,0.4,2.0\n2,0.99,0.1,0.75,1.0\n",
    "settings.json": TrainerSettings.parse(
        {"task": {"kind": "classification"}, "model": {"name": "lenet5"}, "training": {"epochs": 2}, "augment": []}
    ).to_data(),
}
STATISTICS = {
    "statistics.json": {
        "classes": ["rose", "tulip"],
        "counts": {"train": {"rose": 100, "tulip": 20}, "test": {}},
        "shared_between_splits": [["a", "b"]],
        "contradictions": [],
    }
}
CELL = {"score": 0.8, "low": 0.7, "high": 0.88}
EVALUATED = {
    "scores.json": {
        "splits": {"test": {"count": 80, "scores": {"accuracy": CELL}}},
        "human": {"scores": {"accuracy": 0.95}},
    },
    "confused_pairs.csv": "label,answered,count,share_of_label\ntulip,rose,9,0.45\n",
    "slices.csv": "split,slice,value,count,metric,score,low,high,range\nvalidation,label,rose,40,accuracy,0.1,0.0,0.2,\n",
}
SCORES = {"simple_scores.csv": "model,features,metric,score\nlinear SVM,pixels,accuracy,0.75\nbroken,pixels,accuracy,\n"}


def test_the_facts_of_a_run_come_from_its_files(tmp_path):
    run = run_of(tmp_path, Model=TRAINED, ExampleStatistics=STATISTICS, ModelEvaluation=EVALUATED, SimpleScores=SCORES)
    facts = gather(run)
    assert facts.missing == ()
    assert (facts.metric, facts.fitted, facts.chance) == ("accuracy", (0.99, 0.75), ("log_loss", math.log(2)))
    assert facts.score("test") == Score(0.8, 0.7, 0.88) and facts.human == {"accuracy": 0.95}
    assert facts.settings["training.epochs"] == 2 and len(facts.simple) == 1 and not facts.slices
    assert [one.rule for one in advice_on(facts)] == [
        "leaks",
        "variance",
        "few_images",
        "simple_is_as_good",
        "confusion",
        "too_wide",
    ]
    assert gather(run, human=0.99).human == {"accuracy": 0.99}


def learning(task):
    """The files of a trained network with another task."""
    return {**TRAINED, "settings.json": {**TRAINED["settings.json"], "task": task.to_data()}}


# statistics.json of images with all kinds of annotations, unlike in number.
EVERY_KIND = {
    **STATISTICS["statistics.json"],
    "tags": {"images": {"train": {"sea": 400, "sun": 40}}, "without": {"train": 3}},
    "objects": {"by_split": {"train": {"cat": 300, "dog": 30}}, "without": {"train": 5}},
    "maps": {"images": {"train": {"sky": 200, "road": 20}}},
}


@pytest.mark.parametrize(
    ("task", "few", "uneven", "todo"),
    [
        (
            c.MultiLabel(),
            ("Some tags have few training images.", "fewer than 50: sun 40"),
            ("The tags are uneven.", "400 training images of sea, 40 of sun"),
            "gives every tag the same weight: mean_average_precision or macro_f1. Let the rare tags weigh more in the "
            "training: --set task.class_weights=balanced. More images of the rare tags.",
        ),
        (
            c.MultiLabel(class_weights="balanced"),
            ("Some tags have few training images.", "fewer than 50: sun 40"),
            ("The tags are uneven.", "400 training images of sea, 40 of sun"),
            "gives every tag the same weight: mean_average_precision or macro_f1. More images of the rare tags.",
        ),
        (
            c.Detection(),
            ("Some classes have few training objects.", "fewer than 50: dog 30"),
            ("The classes are uneven.", "300 training objects of cat, 30 of dog"),
            "the same weight: box_average_precision or box_recall. More objects of the rare classes.",
        ),
        (
            c.Segmentation(),
            ("Some classes have few training images.", "fewer than 50: road 20"),
            ("The classes are uneven.", "200 training images of sky, 20 of road"),
            "the same weight: mean_iou or mean_accuracy. More images of the rare classes.",
        ),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_what_the_task_learns_is_counted_and_named_by_its_own_words(tmp_path, task, few, uneven, todo):
    run = run_of(tmp_path, Model=learning(task), ExampleStatistics={"statistics.json": EVERY_KIND})
    found = {one.rule: one for one in advice_on(gather(run))}
    assert (found["few_images"].finding, found["few_images"].figures) == few
    assert (found["imbalance"].finding, found["imbalance"].figures) == uneven
    assert found["imbalance"].todo.endswith(todo)
    known = task.metric_names()
    assert all(metric in known for metric in task.even_metrics())


def test_numbers_have_no_classes_that_could_be_rare(tmp_path):
    run = run_of(tmp_path, Model=learning(c.Regression()), ExampleStatistics={"statistics.json": EVERY_KIND})
    assert not {"few_images", "imbalance"} & {one.rule for one in advice_on(gather(run))}


def test_what_a_run_has_not_reached_is_named_and_the_rest_is_looked_at(tmp_path):
    facts = gather(run_of(tmp_path, Model=TRAINED))
    assert [one.rule for one in advice_on(facts)] == ["variance"]
    assert facts.missing == (
        "the scores: intervals, unlike splits, confusions, slices, calibration: this run did not get that far",
        "the images: how many of each class, copies: this run did not get that far",
        "simple models on the same images: this run did not get that far",
    )
    facts = gather(
        RunFacts("1", "flowers", "now", Path(), (StageFacts("trainer", 1, 1, "failed", error="the loss is NaN"),))
    )
    assert facts.missing[-1] == "what comes after trainer, which failed: the loss is NaN"


def test_a_score_of_people_requires_a_headline_metric():
    with pytest.raises(ConfigError, match="a score of people requires a task with a headline metric"):
        gather(RunFacts("1", "flowers", "now", Path()), human=0.9)


def test_mixed_training_images_have_no_score_to_compare(tmp_path):
    mixed = {**TRAINED["settings.json"], "augment": [{"kind": "mixup"}]}
    facts = gather(run_of(tmp_path, Model={**TRAINED, "settings.json": mixed}))
    assert facts.fitted is None and advice_on(facts) == []
    assert "the score on the training images: they were mixed, so it says little" in facts.missing


def test_a_damaged_file_and_a_task_of_an_absent_module_are_named(tmp_path):
    foreign = {**TRAINED["settings.json"], "task": {"kind": "nowhere:Task"}}
    model = {**TRAINED, "settings.json": foreign}
    facts = gather(run_of(tmp_path, Model=model, ModelEvaluation={**EVALUATED, "scores.json": "{"}))
    assert any(line.startswith("the scores:") and "JSONDecodeError" in line for line in facts.missing)
    older = gather(run_of(tmp_path / "older", Model={}, ExampleStatistics={"statistics.json": {}}))
    assert any(line.startswith("the images:") and "KeyError" in line for line in older.missing)
    assert "the task: its settings cannot be read here, so a larger score is taken for the better one" in facts.missing
