"""A tiny network of pixels from training to the proof of its SavedModel: it learns little, and nothing may be lost."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.tasks.base import make_task

# A training with all that follows it; the parts are tested one by one in the files next to this one.
pytestmark = pytest.mark.slow

CANARIES = c.Serving(canary_examples=12, max_difference=1e-4, latency_queries=5)


@pytest.fixture(scope="module")
def small_segmenter():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "training")
        import small_segmenter

        yield small_segmenter
        sys.modules.pop("small_segmenter")


@pytest.fixture(scope="module")
def trained(small_segmenter, once_for_all, tmp_path_factory):
    """The history of a training, the network, and its exported model, whose images are padded."""
    from kerasvision.export.writing.saved_model import export_saved_model

    scenes = once_for_all("segmented-scenes", small_segmenter.write_scenes)
    found = small_segmenter.fitted(scenes, precision="float32")
    folder = tmp_path_factory.mktemp("exported") / "model"
    task = make_task(c.Segmentation(), small_segmenter.NAMES)
    described = export_saved_model(found.model, task=task, transform=small_segmenter.transform(), folder=folder)
    return found, ExampleSet(scenes / "data"), folder, described


@pytest.fixture(scope="module")
def predicted(small_segmenter, trained):
    """The validation split with the answers of the exported model, as an evaluation keeps them."""
    from kerasvision.evaluation.predictions import predict_split_from_bytes
    from kerasvision.served.model import ServedModel

    task = make_task(c.Segmentation(), small_segmenter.NAMES)
    return task, predict_split_from_bytes(trained[1], split="validation", task=task, saved_model=ServedModel(trained[2]))


def test_loss_falls(trained):
    history = trained[0].history
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_last_mean_iou_of_the_training_is_that_of_the_served_answers(trained, predicted):
    task, split = predicted
    judgement = task.judge(ids=split.ids, truth=split.truth, predictions=split.predictions)
    assert trained[0].history["val_mean_iou"].iloc[-1] == pytest.approx(judgement.scores["mean_iou"], abs=1e-9)


def test_signatures_answer_with_the_outputs_that_are_described(small_segmenter, trained):
    _, examples, folder, described = trained
    model = tf.saved_model.load(str(folder))
    side, count = small_segmenter.SIDE, len(small_segmenter.NAMES)
    assert {name: sorted(one["outputs"]) for name, one in described.items()} == {
        "serving_default": ["classes", "image_size", "mask_png_bytes", "shares", "valid"],
        "serve_tensor": ["class_numbers", "classes", "shares"],
        "probabilities": ["image_box", "image_size", "probabilities", "valid"],
    }
    assert described["serving_default"]["outputs"]["mask_png_bytes"]["binary"] is True
    assert described["serving_default"]["outputs"]["mask_png_bytes"]["map"] == ["shares"]
    assert described["serve_tensor"]["outputs"]["class_numbers"]["shape"] == [None, side, side]
    assert described["probabilities"]["outputs"]["probabilities"]["shape"] == [None, side, side, count]
    (batch,) = examples.dataset("test").ragged_batch(6)
    images = tf.concat([batch["image"], [b"not an image"]], axis=0)
    answers = {name: value.numpy() for name, value in model.signatures["serving_default"](image_bytes=images).items()}
    assert answers["valid"].tolist() == [True] * 6 + [False]
    assert answers["mask_png_bytes"][-1] == b""
    assert answers["classes"][-1].tolist() == [b""] * count
    for png, shares in zip(answers["mask_png_bytes"][:6], answers["shares"], strict=False):
        picture = Image.open(io.BytesIO(png))
        assert (picture.mode, picture.size) == ("L", (side, side))
        numbers = np.bincount(np.asarray(picture).ravel(), minlength=count)
        np.testing.assert_allclose(numbers / side**2, shares, atol=1e-6)


def test_the_saved_model_is_proven_in_a_process_with_tensorflow_alone(small_segmenter, trained, forked_process, monkeypatch):
    from kerasvision.export.proof import parity
    from kerasvision.export.proof.canary import canaries, expected_answers

    found, examples, folder, _ = trained
    monkeypatch.setattr(parity, "take", forked_process)
    task, transform = make_task(c.Segmentation(), small_segmenter.NAMES), small_segmenter.transform()
    images = canaries(examples, count=12)
    expected = expected_answers(task, found.model, images, transform)
    pixels = np.stack([transform.pixels(image).numpy() for image in images])
    certificate = parity.prove(folder, images=images, expected=expected, pixels=pixels, settings=CANARIES)
    assert certificate.complaints == ()
    assert certificate.found["rest"] == {"instances": pytest.approx(0, abs=1e-5), "inputs": pytest.approx(0, abs=1e-5)}


def test_a_server_sends_the_map_as_base64(trained):
    from kerasvision.serving.protocol import write_reply

    png = np.array([b"\x89PNG\r\n"], object)
    reply = json.loads(write_reply({"mask_png_bytes": png, "shares": np.ones((1, 1), np.float32)}, by_rows=True))
    assert reply == {"predictions": [{"mask_png_bytes": {"b64": "iVBORw0K"}, "shares": [1.0]}]}


@pytest.mark.parametrize("form", [c.LiteRt(), c.Onnx()])
def test_other_formats_have_class_numbers_and_shares(form, small_segmenter, trained, tmp_path):
    from kerasvision.export.writing.formats.writing import write_formats

    found, examples, folder, _ = trained
    task = make_task(c.Segmentation(), small_segmenter.NAMES)
    predict = task.predictor(found.model)
    proof = write_formats(
        [form],
        predict=lambda images: task.in_frame(predict(images)),
        sets=task.sets(),
        maps=task.maps(),
        transform=small_segmenter.transform(),
        examples=examples,
        saved_model=folder,
        folder=tmp_path,
    )[form.kind]
    assert proof["passed"], proof
    assert proof["max_difference"] <= 1e-4


def test_simple_models_are_scored_by_the_mean_iou(small_segmenter, trained):
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.evaluation.simple_models import score_simple_models

    table = score_simple_models(
        trained[1],
        task=make_task(c.Segmentation(), small_segmenter.NAMES),
        schema=DataSchema(classes=(), modes=("RGB",), min_side=32, max_side=32),
        settings=c.SimpleModels(),
    )
    assert set(table["model"]) == {"commonest class", "class by place", "softmax of colour and place"}
    assert set(table["metric"]) == {"mean_iou"}
    assert table["score"].between(0, 1).all()


def test_names_of_the_network_are_the_background_and_the_classes_of_the_objects(small_segmenter, trained):
    from kerasvision.config.segmentation import PixelClasses
    from kerasvision.errors import DataError
    from kerasvision.tasks.segmentation.names import pixel_classes

    assert pixel_classes(PixelClasses(background="background"), trained[1]) == small_segmenter.NAMES
    with pytest.raises(DataError, match="must have different names; received 'circle' for both"):
        pixel_classes(PixelClasses(background="circle"), trained[1])


@pytest.mark.parametrize(
    ("names", "way_out"),
    [
        ((), "Name the classes in the source"),
        (("sky",), "Name the others in the source, and check that its maps show them"),
        (tuple(map(str, range(256))), "Give several classes one name"),
    ],
    ids=["none", "one", "256"],
)
def test_too_few_and_too_many_classes_are_refused_each_with_its_way_out(names, way_out):
    from kerasvision.config.segmentation import PixelClasses
    from kerasvision.errors import DataError
    from kerasvision.tasks.segmentation.names import pixel_classes

    examples = SimpleNamespace(map_classes=names, has_label_maps=True)
    with pytest.raises(DataError, match=f"requires 2 to 255 classes.* received {len(names)}. {way_out}"):
        pixel_classes(PixelClasses(background="background"), examples)
