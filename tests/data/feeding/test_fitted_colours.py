"""Lighting with the axes of colour of the training images."""

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.data.feeding import fitted_colours
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.feeding.fitted_colours import with_fitted_colours
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

RANDOM = np.random.default_rng(0)
# Red and green go together, blue varies less.
BASE = RANDOM.integers(0, 150, (12, 6, 5, 1))
PIXELS = np.concatenate([BASE, BASE // 2, BASE // 8], axis=-1) + RANDOM.integers(0, 40, (12, 6, 5, 3))
PIXELS = PIXELS.astype(np.uint8)
SETTINGS = c.Transform(image_size=(6, 5))


@pytest.fixture(scope="module")
def examples(make_examples, tmp_path_factory):
    rows = [(str(number), image, "ab"[number % 2]) for number, image in enumerate(PIXELS)]
    return make_examples(tmp_path_factory.mktemp("examples") / "data", train=rows, test=rows[:1])


def test_eigenvalues_and_eigenvectors_are_numpys(examples):
    (fitted,) = with_fitted_colours((c.Lighting(fit="training", deviation=0.3),), examples=examples, settings=SETTINGS)
    covariance = np.cov((PIXELS / 255).reshape(-1, 3).T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(fitted.eigenvalues, values[::-1], rtol=1e-6)
    products = np.abs(np.sum(np.array(fitted.eigenvectors) * vectors.T[::-1], axis=1))
    np.testing.assert_allclose(products, 1, rtol=1e-9)
    assert fitted.deviation == 0.3


def test_other_augmentations_and_given_axes_stay(examples):
    augment = (c.RandomFlip(), c.Lighting(deviation=0.2))
    assert with_fitted_colours(augment, examples=examples, settings=SETTINGS) == augment


def test_the_images_are_read_once(examples, monkeypatch):
    augment = (c.Lighting(fit="training"),)
    first = with_fitted_colours(augment, examples=examples, settings=SETTINGS)
    monkeypatch.setattr(fitted_colours, "mean_and_covariance", None)
    assert with_fitted_colours(augment, examples=examples, settings=SETTINGS) == first


@pytest.mark.slow
def test_batches_of_a_training_are_those_of_the_axes_written_out(examples):
    transform = ImageTransform(SETTINGS, (0.0,) * 3, (1.0,) * 3)

    def first(lighting):
        batches, _ = training_batches(
            examples,
            transform=transform,
            encode=lambda batch: (batch["image"], ()),
            augment=(lighting,),
            batch_size=4,
            epochs=1,
            seed=0,
            memory_budget_gb=1.0,
        )
        return next(iter(batches))[0].numpy()

    asked = c.Lighting(fit="training", deviation=1.0)
    (written,) = with_fitted_colours((asked,), examples=examples, settings=SETTINGS)
    np.testing.assert_array_equal(first(asked), first(written))
    assert np.abs(first(asked) - first(c.Lighting(deviation=1.0))).max() > 1e-3


def test_axes_are_either_fitted_or_given():
    with pytest.raises(ConfigError, match="takes the axes from the training images; received eigenvalues too"):
        c.Lighting(fit="training", eigenvalues=(0.1, 0.1, 0.1))
