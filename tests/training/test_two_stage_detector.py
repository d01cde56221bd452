"""A tiny Faster R-CNN from its training to the answers of its SavedModel."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import make_task

# A training with all that follows it; the parts are tested one by one in the files next to this one.
pytestmark = pytest.mark.slow

SIDE = 32


@pytest.fixture(scope="module")
def task(small_detector):
    return make_task(small_detector.TASKS["faster_rcnn"], small_detector.SCENES.classes)


@pytest.fixture(scope="module")
def examples(small_detector, once_for_all):
    return ExampleSet(once_for_all("small-scenes", small_detector.write_scenes) / "data")


@pytest.fixture(scope="module")
def fitted(small_detector, once_for_all):
    scenes = once_for_all("small-scenes", small_detector.write_scenes)
    rate = c.Adam(learning_rate=0.005)
    return small_detector.fitted(scenes, network="faster_rcnn", epochs=4, optimizer=rate, xla="off")


@pytest.fixture(scope="module")
def exported(fitted, task, tmp_path_factory):
    """The folder of the SavedModel, and the transform."""
    from kerasvision.export.writing.saved_model import export_saved_model

    transform = ImageTransform(c.Transform(image_size=(SIDE, SIDE)), (0.5,) * 3, (1.0,) * 3)
    folder = tmp_path_factory.mktemp("two-stage") / "model"
    export_saved_model(fitted.model, task=task, transform=transform, folder=folder)
    return folder, transform


@pytest.fixture(scope="module")
def judged(task, examples, exported):
    from kerasvision.evaluation.predictions import predict_split_from_bytes
    from kerasvision.served.model import ServedModel

    found = predict_split_from_bytes(examples, split="validation", task=task, saved_model=ServedModel(exported[0]))
    return found, task.judge(ids=found.ids, truth=found.truth, predictions=found.predictions)


def test_loss_falls_and_validation_has_the_recall_of_the_proposals(fitted):
    history = fitted.history
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["val_proposal_recall_100"].between(0, 1).all()


def test_last_scores_of_the_training_are_those_of_the_served_answers(fitted, judged):
    last, scores = fitted.history.iloc[-1], judged[1].scores
    for name in ("box_average_precision", "box_average_precision_50", "proposal_recall_100"):
        assert last[f"val_{name}"] == pytest.approx(scores[name], abs=1e-6), name


def test_the_recall_of_the_proposals_has_bounds_and_resamples_as_all_metrics(task, judged):
    found, judgement = judged
    every = np.arange(len(found.ids))
    resampled = judgement.weighted_scores(every, np.ones((len(every), 2)))["proposal_recall_100"]
    assert resampled.tolist() == [judgement.scores["proposal_recall_100"]] * 2
    assert "proposal_recall_100" in judgement.evidence(every)
    assert "proposal_recall_100" in task.settings.metric_names()


def test_served_proposals_lie_in_the_image_and_the_boxes_are_those_of_classes(exported, judged):
    loaded = tf.saved_model.load(str(exported[0]))
    assert set(loaded.signatures) == {"serving_default", "serve_tensor", "proposals"}
    assert loaded.signatures["proposals"].structured_outputs["proposals"].shape.as_list() == [None, 16, 4]
    answers = judged[0].predictions
    assert answers["proposals"].min() >= 0
    assert answers["proposals"].max() <= 1
    assert answers["count"].max() > 0
    assert (np.diff(answers["scores"], axis=1) <= 0).all()


def test_a_page_shows_which_objects_the_proposals_cover(fitted, task, examples, exported, tmp_path):
    from kerasvision.evaluation.taught import lessons
    from kerasvision.models.saved import save_network

    save_network(fitted.model, tmp_path / "model.keras", names=task.classes)
    found = lessons(task, network=tmp_path / "model.keras", examples=examples, transform=exported[1])
    table = found.tables["covered_by_proposals"]
    # The last row is for all proposals of the image that has the most, at most 16.
    assert 1 <= table.index[-1] <= 16
    assert table.index.is_monotonic_increasing
    assert table["covered"].is_monotonic_increasing
    assert (table["covered"] <= table["objects"]).all()
    assert len(found.figures) == 1


def test_a_network_of_one_stage_says_that_it_has_no_proposals(small_detector, task, judged):
    found = judged[0]
    without = {name: value for name, value in found.predictions.items() if name != "proposals"}
    judgement = task.judge(ids=found.ids, truth=found.truth, predictions=without)
    assert judgement.left_out["proposal_recall_100"] == "the network has no proposals"


def test_it_converts_to_litert_and_onnx_and_answers_the_same(task, fitted, exported, tmp_path):
    import onnxruntime
    import tf2onnx
    from ai_edge_litert.interpreter import Interpreter

    predict = task.predictor(fitted.model)
    images = np.random.default_rng(0).uniform(-1, 1, size=(2, SIDE, SIDE, 3)).astype("float32")

    def numbers(image):
        return {name: value for name, value in predict(image).items() if name != "classes"}

    def function(count):
        return tf.function(numbers, input_signature=[tf.TensorSpec([count, SIDE, SIDE, 3], name="image")], autograph=False)

    module, one = tf.Module(), function(1)
    concrete = one.get_concrete_function()
    # As the exporter does: without the function and the weights, the converter leaves out the signature.
    module.serve, module.weights = one, list(concrete.variables)
    lite = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    runner = Interpreter(model_content=lite).get_signature_runner("serving_default")
    file, free = tmp_path / "detector.onnx", function(None)
    tf2onnx.convert.from_function(free, input_signature=free.input_signature, opset=17, output_path=str(file))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    of_onnx = dict(zip(names, session.run(names, {"image": images}), strict=True))
    for name, expected in free(tf.constant(images)).items():
        np.testing.assert_allclose(of_onnx[name], expected, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(runner(image=images[:1])[name], expected[:1], atol=1e-4, err_msg=name)
