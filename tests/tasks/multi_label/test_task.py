"""The task encodes, learns from counts, answers with thresholds in the graph, and decides on the validation split alone."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import ConfigError, DataError
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models.saved import save_network
from kerasvision.served.answers import read_answers
from kerasvision.tasks.base import make_task
from kerasvision.tasks.multi_label.names import tag_classes
from kerasvision.tasks.multi_label.simple import simple_taggers
from kerasvision.tasks.presentation import presentation_of

NAMES = ("sand", "sea", "sun")
# An image of 2 x 2 pixels; three of its four grey values are the scores of the three tags.
TRANSFORM = ImageTransform(c.Transform(image_size=(2, 2), color_mode="grayscale"), (0.0,), (1.0,))


def network():
    """Scores are the first three pixels of an image, by a logit of each."""
    images = keras.Input((2, 2, 1))
    pixels = keras.layers.Flatten()(images)[:, :3]
    clipped = keras.ops.clip(pixels, 0.002, 0.998)
    return keras.Model(images, keras.ops.log(clipped) - keras.ops.log(1 - clipped))


def png(*scores):
    return encode_png(np.rint(255 * np.array([*scores, 0.0])).astype(np.uint8).reshape(2, 2))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Twelve images for each split. In validation, sea is right from 0.2 on, and sand is in two images alone."""
    random = np.random.default_rng(0)

    def rows(split):
        for number in range(12):
            sea, sun = number / 12, random.random()
            tags = [name for name, has in (("sea", sea >= 0.2), ("sun", sun > 0.5), ("sand", number < 2)) if has]
            yield Example(f"{split} {number}", png(0.1, sea, sun), tags=tags)

    folder = tmp_path_factory.mktemp("tags") / "data"
    write_examples(rows, splits=["train", "validation", "test"], classes=(), tag_classes=NAMES, folder=folder)
    return ExampleSet(folder)


def batch(*tags):
    return {"image": tf.zeros((len(tags), 2, 2, 1)), "tags": tf.constant(tags, tf.float32)}


def test_a_batch_is_images_and_tags_and_truth_is_bool():
    task = make_task(c.MultiLabel(), NAMES)
    images, targets = task.encode(batch([1, 0, 0], [0, 0, 0]))
    assert images.shape == (2, 2, 2, 1)
    assert targets.numpy().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert task.truth(batch([1, 0, 1])).tolist() == [[True, False, True]]
    for method in (task.encode, task.truth):
        with pytest.raises(DataError, match="multi_label requires the tags of every image"):
            method({"image": tf.zeros((1, 2, 2, 1))})


def test_balanced_weights_follow_the_training_images(examples):
    task = make_task(c.MultiLabel(class_weights="balanced"), NAMES)
    with pytest.raises(ConfigError, match="depend on the training examples"):
        task.objective()
    learned = task.learning_from(examples.dataset("train"))
    logits = tf.zeros((1, 3))
    plain, weighted = (
        one.objective().losses(tf.constant([[1.0, 1.0, 0.0]]), logits, training=True).numpy()[0]
        for one in (make_task(c.MultiLabel(), NAMES), learned)
    )
    # Of 12 images 2 have sand, and 9 have sea: their yes weighs 10 / 2 and 3 / 9.
    assert plain == pytest.approx(3 * np.log(2))
    assert weighted == pytest.approx((5 + 1 / 3 + 1) * np.log(2), rel=1e-5)
    named = make_task(c.MultiLabel(class_weights={"sky": 2.0}), NAMES)
    with pytest.raises(ConfigError, match="no tag is named 'sky'"):
        named.learning_from(examples.dataset("train"))


def test_the_names_are_those_of_the_data_and_no_image_has_more_tags_than_an_answer(examples, tmp_path, capsys):
    assert tag_classes(c.MultiLabel().names_to_fit(), examples) == NAMES
    with pytest.raises(ConfigError, match="task.most_tags must be at least the number of tags of every training image"):
        tag_classes(c.MultiLabel(most_tags=1).names_to_fit(), examples)
    rows = [Example("a", png(0, 0, 0), tags=("sea",))]
    write_examples(lambda split: rows if split == "train" else [Example("b", png(1, 0, 0), tags=("sun",))],
                   splits=["train", "test"], classes=(), tag_classes=("sea", "sun"), folder=tmp_path / "data")  # fmt: skip
    tag_classes(c.MultiLabel().names_to_fit(), ExampleSet(tmp_path / "data"))
    assert "1 of 2 tags have no training image, so they cannot be learned: sun" in capsys.readouterr().err
    write_examples(lambda split: [Example("a", png(0, 0, 0))], splits=["train"], classes=(), folder=tmp_path / "bare")
    with pytest.raises(DataError, match="multi_label requires training images with tags"):
        tag_classes(c.MultiLabel().names_to_fit(), ExampleSet(tmp_path / "bare"))


def answers_of(examples, task, split):
    """What an evaluation has of a split: the truth and the answers."""
    batch = next(iter(examples.dataset(split).batch(99)))
    images = tf.map_fn(TRANSFORM, batch["image"], fn_output_signature=tf.float32)
    predictions = task.in_frame(task.predictor(network())(images))
    return task.measured(task.truth(batch), {name: value.numpy() for name, value in predictions.items()})


def test_the_exported_model_answers_by_the_thresholds_of_the_validation_split(examples, tmp_path):
    save_network(network(), tmp_path / "model.keras", names=NAMES)
    TRANSFORM.save(tmp_path / "transform.json")
    (tmp_path / "names.json").write_text(json.dumps(NAMES))
    DataSchema(classes=(), modes=("L",), min_side=2, max_side=2).save(tmp_path / "schema.json")
    files = TrainedFiles(
        model=tmp_path / "model.keras",
        examples=tmp_path / "link",
        schema=tmp_path / "schema.json",
        transform=tmp_path / "transform.json",
    )
    (tmp_path / "link").symlink_to(examples._builder.data_path)
    (tmp_path / "saved").mkdir()
    export(files, settings=ExporterSettings(task=c.MultiLabel(), export=c.Export()), folder=tmp_path / "saved")
    record = json.loads((tmp_path / "saved" / "export.json").read_text())
    thresholds = record["decisions"]["thresholds"]
    # Between the scores 2/12 and 3/12 of the validation images, which are 42 and 64 of 255.
    assert 42 / 255 < thresholds["sea"] < 64 / 255
    truth, kept = answers_of(examples, make_task(c.MultiLabel(), NAMES), "validation")
    decided = make_task(c.MultiLabel(), NAMES).decided_on(truth=truth, predictions=kept)
    assert decided.decisions() == record["decisions"]
    assert make_task(c.MultiLabel(), NAMES).with_decisions(record["decisions"]).decisions() == record["decisions"]
    model = tf.saved_model.load(str(tmp_path / "saved" / "Format-Serving"))
    images = tf.constant([png(0.9, 0.3, 0.1), png(0.0, 0.1, 0.0), b"no image"])
    answer = model.signatures["serving_default"](image_bytes=images)
    assert answer["valid"].numpy().tolist() == [True, True, False]
    assert answer["tags"].numpy()[0][:2].tolist() == [b"sand", b"sea"]
    assert set(answer["tags"].numpy()[1:].ravel()) == {b""}
    assert answer["tag_scores"].numpy()[0][:2] == pytest.approx([0.9, 0.3], abs=0.002)
    assert answer["scores"].shape == (3, 3)
    shown = read_answers(tmp_path / "saved" / "Format-Serving")
    assert shown["thresholds"] == pytest.approx(thresholds)
    # A final network keeps the thresholds of the judged one, whose validation images it has learned from.
    (tmp_path / "final").mkdir()
    fixed = {**record, "decisions": {"thresholds": {"sand": 0.7, "sea": 0.8, "sun": 0.9}}}
    (tmp_path / "fitted.json").write_text(json.dumps(fixed))
    settings = ExporterSettings(task=c.MultiLabel(), export=c.Export())
    export(files, settings=settings, folder=tmp_path / "final", fitted=tmp_path / "fitted.json")
    known = json.loads((tmp_path / "final" / "export.json").read_text())["decisions"]["thresholds"]
    assert known == pytest.approx({"sand": 0.7, "sea": 0.8, "sun": 0.9})


def test_an_evaluation_judges_the_tags_that_were_answered_and_not_its_own_choice(examples):
    truth, kept = answers_of(examples, make_task(c.MultiLabel(thresholds="half"), NAMES), "test")
    judged = make_task(c.MultiLabel(), NAMES).with_decisions({"thresholds": dict.fromkeys(NAMES, 0.99)})
    found = judged.judge(ids=[str(n) for n in range(12)], truth=truth, predictions=kept)
    assert found.rows["answered"].map(len).sum() == kept["chosen"].sum() > 0
    with pytest.raises(DataError, match="a model must answer with the tags sand, sea, sun"):
        judged.measured(truth, {"scores": kept["scores"], "tags": np.array([[b"sky"]] * 12, object)})
    with pytest.raises(DataError, match="this one has others"):
        judged.measured(truth, {"scores": kept["scores"][:, :2]})


def test_an_answer_has_at_most_so_many_tags_and_the_best_of_them():
    task = make_task(c.MultiLabel(most_tags=2), NAMES)
    answer = task.in_frame({"scores": tf.constant([[0.6, 0.9, 0.8], [0.2, 0.5, 0.1]])})
    assert answer["tags"].numpy().tolist() == [[b"sea", b"sun"], [b"sea", b""]]


def test_views_of_several_answers_are_averaged_and_decided_again():
    task = make_task(c.MultiLabel(), NAMES).with_decisions({"thresholds": {"sand": 0.5, "sea": 0.3, "sun": 0.9}})
    scores = [np.array([[0.4, 0.2, 0.9]], np.float32), np.array([[0.8, 0.3, 0.8]], np.float32)]
    found = task.averaged([{"scores": one} for one in scores])
    assert found["scores"] == pytest.approx(np.array([[0.6, 0.25, 0.85]]))
    assert found["chosen"].tolist() == [[True, False, False]]
    mean = tf.sigmoid(
        task.over_views(network(), [lambda images: 1.0 - images])(tf.constant([[[[0.25], [0.5]], [[0.9], [0]]]]))
    )
    assert mean.numpy() == pytest.approx(np.full((1, 3), 0.5), abs=1e-5)


def test_the_temperature_and_the_metric_of_an_epoch(examples):
    task = make_task(c.MultiLabel(), NAMES)
    truth = np.arange(10)[:, None] < [6, 6, 6]
    batches = [(tf.fill((10, 2, 2, 1), 0.9), truth)]
    assert task.fit_temperature(network(), batches).value == pytest.approx(5.419, abs=0.01)
    collected = task.objective().collected
    answers = collected.answers(tf.constant([[0.3, 0.0], [0.2, 0.0], [0.1, 0.0]], tf.bfloat16))
    scores = collected.scores({"tags": np.array([[1, 0], [0, 0], [1, 0]], bool)}, {"scores": answers["scores"].numpy()})
    assert scores == pytest.approx({"mean_average_precision": (1 + 2 / 3) / 2})
    assert collected.scores({"tags": np.zeros((3, 2), bool)}, {"scores": answers["scores"].numpy()}) == {}
    broken = {"scores": np.full((1, 2), np.nan)}
    assert collected.scores({"tags": np.ones((1, 2), bool)}, broken) == {"mean_average_precision": 0.0}


def test_simple_models_rank_better_than_chance_and_the_frequencies_do_not():
    random = np.random.default_rng(0)
    truth = random.random((200, 3)) < [0.5, 0.3, 0.1]
    images = (truth[:, :, None, None] * 0.5 + random.random((200, 3, 4, 1)) * 0.5).astype(np.float32)
    task = make_task(c.MultiLabel(), NAMES)
    found = {}
    for name, fit in simple_taggers().items():
        true, kept = task.measured(truth[100:], fit(images[:100], truth[:100])(images[100:]))
        found[name] = task.judge(ids=["a"] * 100, truth=true, predictions=kept).scores["mean_average_precision"]
    assert found["frequency of each tag"] == pytest.approx(truth[100:].mean(axis=0).mean())
    assert min(found["nearest neighbours"], found["logistic regression per tag"]) > 0.8


def test_a_line_lists_the_answered_tags_and_says_if_there_are_none():
    task = make_task(c.MultiLabel(), NAMES)
    shown = presentation_of(task.presentation(), outputs=["tags", "tag_scores", "scores"], where="here")
    answer = {"tags": np.array([b"sea", b"sun", b""], object), "tag_scores": np.array([0.71, 0.98, 0.0], np.float32)}
    # As docs/how-to/tags.md shows them.
    assert f"image {shown.heading}" == "image tags"
    assert f"photos/1.jpg {shown.line(shown.kept(answer))}" == "photos/1.jpg sun 0.98, sea 0.71"
    once = shown.kept(answer, least_score=0.9)
    assert shown.rows(shown.kept(once)) == [{"label": "sun", "score": pytest.approx(0.98)}]
    nothing = shown.kept({"tags": np.array([b""], object), "tag_scores": np.zeros(1)})
    assert f"photos/2.jpg {shown.line(nothing)}" == "photos/2.jpg no tag"
    with pytest.raises(ConfigError, match="COCO's results contain single objects"):
        shown.results(once, image_id=1, category_ids={})


def test_a_caption_says_what_was_missed_and_what_is_false():
    row = pd.Series({"tags": ["sea", "sun"], "missed": ["sun"], "false": []})
    assert make_task(c.MultiLabel(), NAMES).caption(row) == "sea, sun; missed: sun"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": c.Model(name="fcos")}, "multi_label requires a network that returns a number for each tag"),
        ({"source": c.Shapes()}, r"Set source\.tags=True"),
        ({"augment": (c.Mosaic(),)}, "the tags of a whole image do not fit"),
        ({"gate": c.Gate(c.AtLeast("accuracy", 0.5))}, "multi_label has no metric 'accuracy'"),
    ],
)
def test_what_does_not_go_with_tags_is_refused_when_the_file_is_read(changed, message):
    settings = {
        "name": "a",
        "source": c.Shapes(tags=True),
        "transform": c.Transform(image_size=(32, 32)),
        "task": c.MultiLabel(),
        "model": c.Model(name="resnet9"),
        "training": c.Training(epochs=1),
    }
    assert c.Experiment(**settings).task.kind == "multi_label"
    with pytest.raises(ConfigError, match=message):
        c.Experiment(**{**settings, **changed})


def test_a_served_model_needs_nothing_of_the_task(tmp_path):
    task = make_task(c.MultiLabel(), NAMES)
    export_saved_model(network(), task=task, transform=TRANSFORM, folder=tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    answer = loaded.signatures["serve_tensor"](image=tf.constant([[[[255.0], [128.0]], [[0.0], [0.0]]]]))
    assert sorted(answer) == ["scores", "tag_scores", "tags"]
