"""A GAN on two replicas equals one on one device, and a killed training ends as if it was not."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasvision.tasks.base import EPOCH_PICTURES
from kerasvision.training.step import TrainStep


@pytest.fixture(scope="module")
def small_generator():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import small_generator

        yield small_generator
        sys.modules.pop("small_generator")


@pytest.fixture(scope="module")
def dots(small_generator, once_for_all):
    return once_for_all("dots", small_generator.write_dots)


# The players, their noise and their batches have quicker tests: test_players.py and tests/data/feeding/test_task_numbers.py.
@pytest.mark.slow
def test_two_replicas_have_the_weights_of_one_device(on_replicas_in_each_case):
    one, two = (on_replicas_in_each_case[f"{replicas} generator"] for replicas in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        scale = max(np.abs(value).max(), 1.0)
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-4 * scale, err_msg=name)
    # Something was learned, so a difference is possible.
    assert one["history discriminator_loss"][1] != one["history discriminator_loss"][0]


@pytest.mark.slow
def test_a_training_that_was_killed_ends_as_if_it_was_not(small_generator, dots, tmp_path, monkeypatch):
    settings = {"checkpoint_minutes": 1e-6, "steps_per_call": 1, "epochs": 2, "average_decay": 0.9}
    whole = small_generator.fitted(dots, work=tmp_path / "whole", **settings)
    # In the second epoch, after its first step.
    left, run = iter(range(small_generator.STEPS + 1)), TrainStep.run
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainStep, "run", lambda *args: run(*args) if next(left, None) is not None else _die())
        small_generator.fitted(dots, work=tmp_path / "killed", **settings)
    resumed = small_generator.fitted(dots, work=tmp_path / "killed", **settings)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert {"generator_loss", "val_discriminator_loss"} <= set(whole.history)
    for weight, same in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    pictures = [sorted((tmp_path / way / EPOCH_PICTURES).iterdir()) for way in ("whole", "killed")]
    assert [file.name for file in pictures[0]] == ["00001.png", "00002.png"]
    assert [file.read_bytes() for file in pictures[1]] == [file.read_bytes() for file in pictures[0]]


@pytest.mark.slow
def test_in_bfloat16_both_losses_stay_finite_and_the_kept_network_is_float32(small_generator, dots):
    for loss in small_generator.MODELS:
        fitted = small_generator.fitted(dots, loss=loss, precision="bfloat16", micro_batches=2, epochs=1)
        assert np.isfinite(fitted.history.to_numpy(float)).all()
        assert {layer.compute_dtype for layer in fitted.model.layers} == {"float32"}


def _die():
    raise KeyboardInterrupt
