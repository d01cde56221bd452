"""A tiny autoencoder from training to the proof of its SavedModel, and its encoder in a classifier."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import make_task
from kerasvision.tasks.reconstruction.noise import seeds_of_ids
from kerasvision.training.step import TrainStep

# A training with all that follows it; the parts are tested one by one in the files next to this one.
pytestmark = pytest.mark.slow

TASK = c.Reconstruction(bottleneck="24-12", noise="salt_and_pepper", noise_amount=0.2)
CANARIES = c.Serving(canary_examples=12, max_difference=1e-4, latency_queries=5)
STEPS = 3


def fitted(stripes, *, task=TASK, work=None, **training):
    from kerasvision.training.fit import fit

    defaults = {"epochs": 2, "batch_size": 32, "optimizer": c.Adam(learning_rate=0.01), "xla": "off"}
    settings = TrainerSettings(
        task=task,
        model=c.Model(name="autoencoder", options={"backbone": "lenet5"}),
        training=c.Training(**{**defaults, **training}),
        augment=(c.RandomFlip(),),
    )
    transform = ImageTransform.load(stripes.transform)
    return fit(settings, examples=ExampleSet(stripes.examples), classes=(), transform=transform, work=work)


@pytest.fixture(scope="module")
def made(stripes, tmp_path_factory):
    """A training, its task, its exported model, and what is described of that."""
    from kerasvision.export.writing.saved_model import export_saved_model

    found, folder = fitted(stripes, epochs=4), tmp_path_factory.mktemp("exported") / "model"
    transform = ImageTransform.load(stripes.transform)
    task = make_task(TASK, ()).seeing(transform)
    described = export_saved_model(found.model, task=task, transform=transform, folder=folder)
    return SimpleNamespace(
        history=found.history,
        network=found.model,
        task=task,
        transform=transform,
        examples=ExampleSet(stripes.examples),
        saved_model=folder,
        described=described,
    )


@pytest.fixture(scope="module")
def judgement(made):
    """Of the validation split, from the exported model."""
    from kerasvision.evaluation.predictions import predict_split_from_bytes
    from kerasvision.served.model import ServedModel

    split = predict_split_from_bytes(
        made.examples, split="validation", task=made.task, saved_model=ServedModel(made.saved_model)
    )
    return made.task.judge(ids=split.ids, truth=split.truth, predictions=split.predictions)


def test_it_learns_to_restore(made):
    assert made.history["val_denoised_mse"].iloc[-1] < 0.8 * made.history["val_denoised_mse"].iloc[0]


def test_last_error_of_the_training_is_that_of_the_served_answers(made, judgement):
    # Both add the noise that the id of an image decides.
    assert made.history["val_denoised_mse"].iloc[-1] == pytest.approx(judgement.scores["denoised_mse"], rel=1e-4)


def test_scores_are_those_of_the_pictures(made, judgement):
    row = judgement.rows.iloc[3]
    seen, noisy, denoised = (_pixels(row[name]) for name in ("seen", "noisy", "denoised"))
    # A picture has steps of 1 / 255.
    assert np.sqrt(((seen - denoised) ** 2).mean()) == pytest.approx(np.sqrt(row["denoised_mse"]), abs=0.005)
    changed = (seen != noisy).mean()
    assert 0.1 < changed < 0.3
    assert set(np.unique(noisy[seen != noisy])) == {0.0, 1.0}
    example = next(iter(made.examples.dataset("validation").skip(3)))
    original = made.transform.pixels(example["image"]).numpy()[..., 0] / 255
    np.testing.assert_allclose(seen, original, atol=1e-6)


def test_signatures_answer_with_the_outputs_that_are_described(made):
    assert {name: sorted(one["outputs"]) for name, one in made.described.items()} == {
        "serving_default": ["code", "error", "image_png_bytes", "valid"],
        "serve_tensor": ["code", "error", "restored"],
        "errors": ["mae", "seen_png_bytes", "ssim", "valid"],
        "denoised": [
            "denoised_mae",
            "denoised_mse",
            "denoised_png_bytes",
            "denoised_ssim",
            "noisy_mse",
            "noisy_png_bytes",
            "valid",
        ],
    }
    outputs = made.described["serving_default"]["outputs"]
    assert outputs["image_png_bytes"]["binary"] is True
    assert outputs["code"]["shape"] == [None, 12]
    model = tf.saved_model.load(str(made.saved_model))
    (batch,) = made.examples.dataset("test").take(3).batch(3)
    images = tf.concat([batch["image"], [b"not an image"]], axis=0)
    found = {name: value.numpy() for name, value in model.signatures["serving_default"](image_bytes=images).items()}
    assert found["valid"].tolist() == [True] * 3 + [False]
    assert found["image_png_bytes"][-1] == b""
    picture = Image.open(io.BytesIO(found["image_png_bytes"][0]))
    assert (picture.mode, picture.size) == ("L", (16, 16))


def test_served_noise_is_that_of_its_seed_in_every_batch(made):
    model = tf.saved_model.load(str(made.saved_model))
    (batch,) = made.examples.dataset("test").take(3).batch(3)
    seeds = seeds_of_ids(batch["id"])
    ask = model.signatures["denoised"]
    whole = ask(image_bytes=batch["image"], seed=seeds)
    alone = ask(image_bytes=batch["image"][1:2], seed=seeds[1:2])
    assert whole["noisy_png_bytes"][1] == alone["noisy_png_bytes"][0]
    other = ask(image_bytes=batch["image"][1:2], seed=seeds[1:2] + 1)
    assert other["noisy_png_bytes"][0] != alone["noisy_png_bytes"][0]


def test_the_saved_model_is_proven_in_a_process_with_tensorflow_alone(made, forked_process, monkeypatch):
    from kerasvision.export.proof import parity
    from kerasvision.export.proof.canary import canaries, expected_answers

    monkeypatch.setattr(parity, "take", forked_process)
    images = canaries(made.examples, count=12)
    expected = expected_answers(made.task, made.network, images, made.transform)
    pixels = np.stack([made.transform.pixels(image).numpy() for image in images])
    certificate = parity.prove(made.saved_model, images=images, expected=expected, pixels=pixels, settings=CANARIES)
    assert certificate.complaints == ()
    # The proof can fail: with a black picture in one row.
    others = {name: value.copy() for name, value in expected.of_bytes.items()}
    others["image_png_bytes"][3] = encode_png(np.zeros((16, 16), np.uint8))
    (complaint,) = parity.compare_outputs(others, expected.of_bytes, 1e-4, **expected.kinds).complaints
    assert complaint.startswith("image_png_bytes: a value of a picture differs by ")


@pytest.mark.parametrize("form", [c.LiteRt(), c.Onnx()])
def test_other_formats_have_the_restored_image_the_code_and_the_error(form, made, tmp_path):
    from kerasvision.export.writing.formats.writing import write_formats

    predict = made.task.predictor(made.network)
    proof = write_formats(
        [form],
        predict=lambda images: made.task.in_frame(predict(images)),
        sets=made.task.sets(),
        maps=made.task.maps(),
        transform=made.transform,
        examples=made.examples,
        saved_model=made.saved_model,
        folder=tmp_path,
    )[form.kind]
    assert proof["passed"], proof


def test_a_training_that_was_killed_ends_as_if_it_was_not(stripes, tmp_path, monkeypatch):
    settings = {"checkpoint_minutes": 1e-6, "steps_per_call": 1, "keep": "best", "best_metric": "denoised_mse"}
    whole = fitted(stripes, work=tmp_path / "whole", **settings)
    left, run = iter(range(STEPS + 1)), TrainStep.run
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainStep, "run", lambda *args: run(*args) if next(left, None) is not None else _die())
        fitted(stripes, work=tmp_path / "killed", **settings)
    resumed = fitted(stripes, work=tmp_path / "killed", **settings)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    for weight, same in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def test_a_classifier_trains_on_the_frozen_encoder(made, stripes, stripes_settings, tmp_path):
    from kerasvision.config.overrides import with_value
    from kerasvision.models.saved import save_network
    from kerasvision.training.fit import fit

    file = tmp_path / "model.keras"
    save_network(made.network, file, names=())
    settings = with_value(stripes_settings(epochs=1, freeze="backbone"), "model.weights", str(file))
    settings = with_value(settings, "model.options", {})
    found = fit(settings, examples=made.examples, classes=stripes.classes, transform=made.transform)
    theirs = {layer.name: layer.get_weights() for layer in made.network.layers}
    for name in ("conv1", "conv2"):
        for weight, same in zip(found.model.get_layer(name).get_weights(), theirs[name], strict=True):
            np.testing.assert_array_equal(weight, same)


def _pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)), np.float64) / 255


def _die():
    raise KeyboardInterrupt
