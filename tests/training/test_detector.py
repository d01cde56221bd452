"""A detector on two replicas equals one on one device, and a killed one ends as if it was not."""

import numpy as np
import pandas as pd
import pytest

from kerasvision.training.step import TrainStep


# Quicker forms of both claims, with a network of maps, are in test_collecting.py.
@pytest.mark.slow
@pytest.mark.parametrize("case", ["detector", "two-stage detector"])
def test_two_replicas_have_the_weights_and_losses_of_one_device(on_replicas_in_each_case, case):
    one, two = (on_replicas_in_each_case[f"{replicas} {case}"] for replicas in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        # The shift of a normalisation begins at 0 and is still small. It is added to values of about 1: its scale.
        scale = max(np.abs(value).max(), 1.0) if value.ndim == 1 else np.abs(value).max()
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-5 * scale, err_msg=name)
    # Something was learned, so a difference is possible.
    assert one["history loss"][1] < one["history loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["fcos", "faster_rcnn"])
def test_a_training_that_was_killed_ends_as_if_it_was_not(network, small_detector, once_for_all, tmp_path, monkeypatch):
    scenes = once_for_all("small-scenes", small_detector.write_scenes)
    settings = {"keep": "best", "best_metric": "box_average_precision", "checkpoint_minutes": 1e-6, "steps_per_call": 1}
    settings["network"] = network
    whole = small_detector.fitted(scenes, work=tmp_path / "whole", **settings)
    # In the second epoch, after its first step.
    left, run = iter(range(small_detector.STEPS + 1)), TrainStep.run
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainStep, "run", lambda *args: run(*args) if next(left, None) is not None else _die())
        small_detector.fitted(scenes, work=tmp_path / "killed", **settings)
    resumed = small_detector.fitted(scenes, work=tmp_path / "killed", **settings)
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert whole.history["val_box_average_precision"].max() > 0
    for weight, same in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def _die():
    raise KeyboardInterrupt
