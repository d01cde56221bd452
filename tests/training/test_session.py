"""A training from folder to folder writes the right files."""

import zipfile
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.models.saved import load_network
from kerasvision.training import session
from kerasvision.training.session import TrainingFiles, train


@pytest.fixture(scope="module")
def trained(stripes, stripes_settings, tmp_path_factory):
    """The file of a network trained with Adam, which keeps two numbers per weight; and the network as it was saved."""
    folder, fitted = tmp_path_factory.mktemp("session"), []
    files = TrainingFiles(
        stripes.examples, stripes.schema, stripes.transform, model=folder / "model.keras", history=folder / "history.csv"
    )
    fit = session.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "fit", lambda *args, **options: fitted.append(fit(*args, **options)) or fitted[0])
        train(stripes_settings(epochs=1, optimizer=c.Adam()), files)
    return SimpleNamespace(file=files.model, network=fitted[0].model)


def test_a_saved_network_holds_its_weights_and_nothing_of_the_optimizer(trained):
    # LeNet-5 for 3 classes and 16 x 16 pixels, by hand: 6 x (25 + 1), 16 x (150 + 1), 120 x (64 + 1), 84 x (120 + 1) and
    # 3 x (84 + 1) numbers of four bytes.
    bytes_of_weights = 4 * (156 + 2_416 + 7_800 + 10_164 + 255)
    assert bytes_of_weights < trained.file.stat().st_size < bytes_of_weights + 40_000
    with zipfile.ZipFile(trained.file) as archive, archive.open("model.weights.h5") as stream, h5py.File(stream) as weights:
        assert "layers" in weights and "optimizer" not in weights


@pytest.mark.parametrize("load", [load_network, keras.saving.load_model], ids=["kerasvision", "keras alone"])
def test_a_loaded_network_answers_as_the_trained_one(trained, load):
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype("float32")
    np.testing.assert_array_equal(load(trained.file)(images), trained.network(images))
