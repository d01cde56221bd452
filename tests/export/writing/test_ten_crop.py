"""Ten crops (AlexNet, section 4.1): which pixels each has, and the mean over them in the saved model and its proof."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.evaluation.predictions import predict_split_from_bytes
from kerasvision.evaluation.variants import judge_variants
from kerasvision.export.proof.canary import expected_answers
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models import build
from kerasvision.ops.resize import resize_image
from kerasvision.ops.views import ten_crop
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import make_task

RANDOM = np.random.default_rng(0)
IMAGES = [RANDOM.integers(0, 256, shape, np.uint8) for shape in ((10, 10, 3), (14, 10, 3), (30, 47, 3))]
FILES = [encode_png(image) for image in IMAGES]


@pytest.fixture(scope="module", params=["standardize", pytest.param("mean_image", marks=pytest.mark.slow)])
def transform(request):
    # 8 of 10 pixels.
    settings = c.Transform(image_size=(8, 8), fit="crop", crop_fraction=0.8, scale=request.param)
    return ImageTransform.fit(settings, tf.data.Dataset.from_tensor_slices(FILES))


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return build("mlp", image_shape=(8, 8, 3), num_classes=3, hidden=16)


TASK = make_task(c.Classification(), ("ant", "bee", "cow"))


def in_numpy(picture):
    """The ten crops of a picture (10, 10, 3), by hand."""
    corners = [picture[y : y + 8, x : x + 8] for y, x in ((1, 1), (0, 0), (0, 2), (2, 0), (2, 2))]
    return np.stack([*corners, *(corner[:, ::-1] for corner in corners)])


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def test_the_crops_are_centre_and_corners_and_their_mirror_images():
    pictures = tf.constant(RANDOM.normal(size=(2, 10, 10, 3)).astype("float32"))
    crops = ten_crop((10, 10), (8, 8))
    assert len(crops) == 10
    for number in range(2):
        found = np.stack([crop(pictures)[number] for crop in crops])
        expected = in_numpy(pictures[number].numpy())
        np.testing.assert_array_equal(found[::2], expected[:5])
        np.testing.assert_array_equal(found[1::2], expected[5:])


def test_a_crop_says_where_it_puts_the_pixels_of_the_picture():
    row = np.zeros((1, 10, 10, 1), np.float32)
    row[0, 5, 6] = 1
    for crop in ten_crop((10, 10), (8, 8)):
        placement = crop.placement((10, 10))
        y, x = np.array([5.5, 6.5]) * placement.scale + placement.translation
        assert crop(tf.constant(row))[0, int(y), int(x), 0] == 1


@pytest.mark.slow
def test_the_saved_model_and_its_proof_answer_with_the_mean_over_ten_crops(transform, network, tmp_path):
    pictures = np.stack([resize_image(image, image_size=(10, 10), fit="crop") for image in IMAGES])
    crops = [transform.scaled(tf.constant(in_numpy(picture))) for picture in pictures]
    expected = np.stack([softmax(network(one).numpy()).mean(axis=0) for one in crops])
    described = export_saved_model(network, task=TASK, transform=transform, folder=tmp_path / "m", test_time=["ten_crop"])
    served = tf.saved_model.load(str(tmp_path / "m")).signatures
    np.testing.assert_allclose(served["serving_default"](image_bytes=tf.constant(FILES))["scores"], expected, atol=1e-5)
    np.testing.assert_allclose(served["serve_tensor"](image=tf.constant(pictures))["scores"], expected, atol=1e-5)
    proof = expected_answers(TASK, network, FILES, transform, test_time=["ten_crop"])
    np.testing.assert_allclose(proof.of_bytes["scores"], expected, atol=1e-5)
    np.testing.assert_allclose(proof.of_pixels["scores"], expected, atol=1e-5)
    image = described["serve_tensor"]["inputs"]["image"]
    assert image["shape"] == [None, 10, 10, 3]
    assert image["meaning"].endswith("the mean over ten crops of it: its centre, its corners and their mirror images")


def test_without_mirror_images_the_centre_is_the_usual_answer(transform):
    centre = ten_crop((10, 10), (8, 8))[0]
    larger = transform.enlarged()
    for data in FILES:
        np.testing.assert_allclose(centre(larger(data)[None])[0], transform.pixels(data), atol=1e-3)


@pytest.mark.slow
def test_an_evaluation_averages_the_same_crops(transform, network, stripes, tmp_path, monkeypatch):
    examples = ExampleSet(stripes.examples)
    files = {example["id"].numpy().decode(): example["image"].numpy() for example in examples.dataset("test")}
    export_saved_model(network, task=TASK, transform=transform, folder=tmp_path / "m")
    served, averaged = ServedModel(tmp_path / "m"), []
    own = TASK.averaged
    monkeypatch.setattr(TASK, "averaged", lambda answers: averaged.append(own(answers)) or averaged[-1])
    predicted = predict_split_from_bytes(examples, split="test", task=TASK, saved_model=served)
    settings = c.Evaluation(test_time=("ten_crop",))
    judge_variants(served, predicted, split="test", task=TASK, examples=examples, transform=transform, settings=settings)
    asked = [files[name] for name in predicted.ids]
    expected = expected_answers(TASK, network, asked, transform, test_time=["ten_crop"]).of_bytes["scores"]
    np.testing.assert_allclose(averaged[0]["scores"], expected, atol=1e-4)


def experiment(**parts):
    return c.Experiment(
        **{
            "name": "any", "source": c.Digits(), "task": c.Classification(), "model": c.Model(name="mlp"),
            "transform": c.Transform(image_size=(28, 28), fit="crop", crop_fraction=0.875), **parts,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "place", [{"export": c.Export(test_time=("ten_crop",))}, {"evaluation": {"test_time": ["ten_crop"]}}]
)
def test_ten_crops_require_a_border(place):
    assert experiment(**place)
    with pytest.raises(ConfigError, match=r"ten_crop.*that is the whole picture; received .*crop_fraction=1.*0.875"):
        experiment(**place, transform=c.Transform(image_size=(28, 28)))


def test_ten_crops_are_alone():
    with pytest.raises(ConfigError, match="ten_crop has mirror images and moved views already, so it must be alone"):
        c.Export(test_time=("ten_crop", "flip"))
