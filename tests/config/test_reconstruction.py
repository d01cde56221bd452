"""What reconstruction refuses, and the way out that it names."""

from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.config.reconstruction import NoClasses
from kerasvision.errors import ConfigError


def experiment(**changes):
    settings = {
        "name": "restored",
        "source": c.Digits(),
        "transform": c.Transform(image_size=(16, 16), color_mode="grayscale"),
        "task": c.Reconstruction(),
        "model": c.Model(name="autoencoder", options={"backbone": "resnet9"}),
    }
    return c.Experiment(**settings | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": c.Model(name="resnet20")}, "set model.name='autoencoder', and model.options.backbone='resnet20'"),
        (
            {"model": c.Model(name="autoencoder", options={"bottleneck": 8})},
            "model.options.bottleneck must equal task.bottleneck, None; received 8",
        ),
        (
            {
                "task": c.Reconstruction(bottleneck=8),
                "model": c.Model(name="autoencoder", options={"code_channels": 8}),
            },
            "code_channels is for a code that is a map",
        ),
        (
            {
                "task": c.Reconstruction(loss="binary_cross_entropy"),
                "transform": c.Transform(image_size=(16, 16), scale="standardize"),
            },
            "requires numbers in [0, 1]; received transform.scale='standardize'. Set transform.scale='zero_to_one'",
        ),
        (
            {
                "model": c.Model(name="autoencoder", weights="imagenet", options={"backbone": "resnet50"}),
                "transform": c.Transform(image_size=(32, 32)),
                "training": c.Training(freeze="backbone", features="once"),
            },
            "does not support training.features='once'",
        ),
        ({"export": c.Export(temperature=True)}, "Remove export.temperature"),
        ({"export": c.Export(test_time=("flip",))}, "Remove export.test_time"),
        ({"evaluation": c.Evaluation(test_time=("flip",))}, "Remove evaluation.test_time"),
        ({"evaluation": c.Evaluation(ensemble=(Path("saved_models/a/1"),))}, "Remove evaluation.ensemble"),
        ({"gate": c.Gate(c.AtLeast("psn", 20))}, "did you mean 'psnr'"),
        ({"gate": c.Gate(c.AtLeast("denoised_psnr", 20))}, "reconstruction has no metric 'denoised_psnr'"),
    ],
)
def test_what_does_not_go_with_restored_images_is_refused_with_the_way_out(changes, message):
    with pytest.raises(ConfigError) as refused:
        experiment(**changes)
    assert message.lower() in " ".join(str(refused.value).split()).lower()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bottleneck": "64,16"}, "bottleneck must be the size of the code"),
        ({"noise_amount": 0.1}, "noise_amount requires noise"),
        ({"noise": "gausian"}, "gaussian"),
        ({"noise": "masking", "noise_amount": 1.5}, "noise_amount"),
        ({"sparsity": -1}, "sparsity"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        c.Reconstruction(**fields)


def test_a_code_as_large_as_the_image_is_warned_of():
    with pytest.warns(UserWarning, match="keeps 256 numbers of an image that has 256"):
        experiment(task=c.Reconstruction(bottleneck="512-256"))
    assert experiment(task=c.Reconstruction(bottleneck=255))


def test_noise_adds_the_metrics_of_what_was_restored_from_it_and_decides_the_headline():
    plain, noisy = c.Reconstruction(), c.Reconstruction(noise="masking")
    assert plain.headline_metric() == "mse"
    assert noisy.headline_metric() == "denoised_mse"
    assert set(noisy.metric_names()) - set(plain.metric_names()) == {
        "denoised_mse",
        "denoised_mae",
        "denoised_psnr",
        "denoised_ssim",
        "noisy_psnr",
    }
    assert [noisy.best_is(name) for name in ("mse", "denoised_mse", "psnr", "denoised_ssim")] == ["min", "min", "max", "max"]


def test_labels_do_not_become_classes_of_the_network():
    assert experiment().task.names_to_fit() == NoClasses()


def test_images_without_labels_and_mixed_images_are_allowed():
    assert experiment(source=c.ImageFolder(path="photos", labels=False))
    assert experiment(augment=(c.RandomFlip(), c.MixUp()))


def test_a_folder_without_labels_has_none_for_a_classifier():
    with pytest.raises(ConfigError, match="(?i)set source.labels to true"):
        experiment(
            source=c.ImageFolder(path="photos", labels=False), task=c.Classification(), model=c.Model(name="resnet20")
        )
