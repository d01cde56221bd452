"""A network of numbers on two replicas equals one on one device, and a killed training ends as if it was not."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasvision.training.step import TrainStep


@pytest.fixture(scope="module")
def small_regression():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import small_regression

        yield small_regression
        sys.modules.pop("small_regression")


@pytest.mark.slow
def test_two_replicas_have_the_weights_and_errors_of_one_device(on_replicas_in_each_case):
    one, two = (on_replicas_in_each_case[f"{replicas} regression"] for replicas in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        scale = max(np.abs(value).max(), 1.0)
        np.testing.assert_allclose(two[name], value, rtol=0, atol=2e-5 * scale, err_msg=name)
    # Something was learned, so a difference is possible.
    assert one["history loss"][1] < one["history loss"][0]


@pytest.mark.slow
def test_a_training_that_was_killed_ends_as_if_it_was_not(small_regression, once_for_all, tmp_path, monkeypatch):
    images = once_for_all("images-with-numbers", small_regression.write_images)
    settings = {"keep": "best", "best_metric": "mae", "checkpoint_minutes": 1e-6, "steps_per_call": 1, "epochs": 2}
    whole = small_regression.fitted(images, work=tmp_path / "whole", **settings)
    # In the second epoch, after its first step.
    left, run = iter(range(small_regression.STEPS + 1)), TrainStep.run
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainStep, "run", lambda *args: run(*args) if next(left, None) is not None else _die())
        small_regression.fitted(images, work=tmp_path / "killed", **settings)
    resumed = small_regression.fitted(images, work=tmp_path / "killed", **settings)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert whole.history["val_mae"].iloc[-1] > 0
    assert resumed.model.get_layer("units").scale == whole.model.get_layer("units").scale
    for weight, same in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def _die():
    raise KeyboardInterrupt
