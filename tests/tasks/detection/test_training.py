"""A tiny detector from training to the answers of its SavedModel. It learns little; the tests check that nothing is lost."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.tasks.base import make_task

SIDE = 32
SCENES = c.Shapes(count=40, image_size=(SIDE, SIDE), classes=("circle", "square"), seed=1)
SETTINGS = TrainerSettings(
    task=c.Detection(boxes=20, candidates=60, least_score=0.01),
    model=c.Model(
        name="fcos",
        options={"backbone": "resnet9", "width": 0.0625, "levels": "p2-p3", "channels": 8, "depth": 1, "norm": "batch"},
    ),
    training=c.Training(epochs=2, batch_size=8, optimizer=c.Adam(learning_rate=0.01), xla="off"),
    augment=(),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """32 scenes to train and 8 to validate, one of them without objects."""
    from kerasvision.data.examples import Example, ExampleSet, write_examples
    from kerasvision.data.sources.shape_scenes import make_scene
    from kerasvision.data.sources.shapes import scene_png

    def rows(split):
        for number in range(32) if split == "train" else range(32, 40):
            shapes = make_scene(SCENES, number).shapes if number % 16 else ()
            objects = [
                {
                    "bbox": tuple(side / SIDE for side in one.box),
                    "label": one.name,
                    "crowd": False,
                    "area": float(one.area),
                }
                for one in shapes
            ]
            yield Example(str(number), scene_png(SCENES, number), objects=objects)

    folder = tmp_path_factory.mktemp("scenes") / "data"
    splits = ("train", "validation")
    write_examples(rows, splits=splits, classes=(), object_classes=SCENES.classes, folder=folder)
    return ExampleSet(folder)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The history of the training, the exported model, the network's file and the transform."""
    from kerasvision.data.transform import ImageTransform
    from kerasvision.export.writing.saved_model import export_saved_model
    from kerasvision.models.saved import save_network
    from kerasvision.training.fit import fit

    transform = ImageTransform.fit(c.Transform(image_size=(SIDE, SIDE)), data.dataset("train").map(lambda one: one["image"]))
    fitted = fit(SETTINGS, examples=data, classes=SCENES.classes, transform=transform)
    folder = tmp_path_factory.mktemp("exported") / "model"
    task = make_task(SETTINGS.task, SCENES.classes)
    export_saved_model(fitted.model, task=task, transform=transform, folder=folder)
    save_network(fitted.model, folder.parent / "model.keras", names=SCENES.classes)
    return fitted.history, tf.saved_model.load(str(folder)), folder.parent / "model.keras", transform


@pytest.fixture(scope="module")
def predicted(data, trained):
    """The validation split with the answers of the exported model."""
    task = make_task(SETTINGS.task, SCENES.classes)
    (batch,) = data.dataset("validation").ragged_batch(8)
    answers = trained[1].signatures["serving_default"](image_bytes=batch["image"])
    ids = [name.decode() for name in batch["id"].numpy()]
    return task, ids, task.truth(batch), {name: value.numpy() for name, value in answers.items()}


def test_loss_falls(trained):
    history: pd.DataFrame = trained[0]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_last_average_precision_of_the_training_is_that_of_the_served_answers(trained, predicted):
    task, ids, truth, answers = predicted
    judgement = task.judge(ids=ids, truth=truth, predictions=answers)
    last = trained[0].iloc[-1]
    for name in ("box_average_precision", "box_average_precision_50"):
        assert last[f"val_{name}"] == pytest.approx(judgement.scores[name], abs=1e-6)


def test_average_precision_of_the_served_answers_is_that_of_pycocotools(predicted):
    judge = _judge()
    task, ids, truth, answers = predicted
    found = task.judge(ids=ids, truth=truth, predictions=answers).scores
    from kerasvision.tasks.detection.truth import all_answers, all_objects

    sizes = {"images": len(ids), "classes": len(SCENES.classes)}
    figures = judge.by_pycocotools(all_objects(truth, answers["image_size"]), all_answers(answers), **sizes)
    for name, figure in zip(judge.FIGURES, figures, strict=True):
        if figure != -1 and name in found:
            assert found[name] == pytest.approx(figure, abs=1e-6), name


@pytest.mark.slow
def test_page_says_which_level_learns_how_many_of_the_training_objects(data, trained):
    from kerasvision.evaluation.taught import lessons

    found = lessons(make_task(SETTINGS.task, SCENES.classes), network=trained[2], examples=data, transform=trained[3])
    table = found.tables["learned_by_level"]
    assert table.index.tolist() == ["p2", "p3", "(none)"]
    objects = sum(len(one["objects"]["label"]) for one in data.dataset("train").as_numpy_iterator())
    # With points, one level learns an object; the few without any point are those behind others.
    assert table["objects"].sum() == objects
    assert table.loc["p2", "points"] >= table.loc["p2", "objects"] > 0
    assert len(found.figures) == 1


def test_signatures_answer_with_the_outputs_that_are_described(trained, predicted):
    _, ids, _, answers = predicted
    assert answers["count"].max() > 0
    assert answers["image_size"].tolist() == [[SIDE, SIDE]] * len(ids)
    assert ((answers["boxes"] >= 0) & (answers["boxes"] <= 1)).all()
    beyond = np.arange(20) >= answers["count"][:, None]
    assert not answers["scores"][beyond].any()
    assert set(answers["classes"][beyond].tolist()) <= {b""}
    assert set(trained[1].signatures) == {"serving_default", "serve_tensor", "candidates"}
    tensor = trained[1].signatures["serve_tensor"](image=tf.zeros((1, SIDE, SIDE, 3)))
    assert "image_size" not in tensor
    # Two levels of a 32 x 32 image: 8 x 8 and 4 x 4 points.
    assert trained[1].signatures["candidates"].structured_outputs["scores"].shape.as_list() == [None, 80, 2]


@pytest.mark.slow
def test_simple_models_find_the_classes_of_the_objects_and_not_those_of_labels(tmp_path):
    from kerasvision.config.stages import SimpleModelsSettings
    from kerasvision.data.examples import Example, write_examples
    from kerasvision.data.sources.shape_scenes import make_scene
    from kerasvision.data.sources.shapes import scene_png
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.pipeline.stages.simple_models import simple_models

    def rows(split):
        for number in range(8) if split == "train" else range(8, 12):
            (shape, *_) = make_scene(SCENES, number).shapes
            thing = {"bbox": tuple(side / SIDE for side in shape.box), "label": shape.name, "crowd": False, "area": 1.0}
            yield Example(str(number), scene_png(SCENES, number), label="scene", objects=[thing])

    classes = {"classes": ("scene",), "object_classes": SCENES.classes}
    write_examples(rows, splits=("train", "test"), folder=tmp_path / "data", **classes)
    DataSchema(modes=("RGB",), min_side=SIDE, max_side=SIDE, **classes).save(tmp_path / "schema.json")
    scores = SimpleNamespace(uri=tmp_path, properties={})
    settings = SimpleModelsSettings(task=SETTINGS.task, significant_bits=16, simple_models=c.SimpleModels())
    simple_models(
        SimpleNamespace(data=tmp_path / "data"), SimpleNamespace(file=tmp_path / "schema.json"), scores, settings=settings
    )
    table = pd.read_csv(tmp_path / "simple_scores.csv")
    assert set(table["model"]) == {"commonest boxes", "regions by colour"}
    assert set(table["metric"]) == {"box_average_precision"}


def test_served_answers_can_be_shown_as_found_objects(trained, predicted):
    from kerasvision.tasks.presentation import presentation_of

    task, _, _, answers = predicted
    outputs = trained[1].signatures["serving_default"].structured_outputs
    shown = presentation_of(task.presentation(), outputs=outputs, where="the model")
    for image, count in enumerate(answers["count"]):
        kept = shown.kept({name: values[image] for name, values in answers.items()})
        rows = shown.rows(kept)
        assert len(rows) == count
        assert all(0 <= row["left"] <= row["right"] <= SIDE and row["label"] in SCENES.classes for row in rows)


def _judge():
    path = Path(__file__).parent / "test_average_precision.py"
    spec = importlib.util.spec_from_file_location("judge", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
