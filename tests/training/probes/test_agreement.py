"""A difference between several replicas and one device is found, named, and distinguished from rounding."""

from pathlib import Path

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.training.probes.agreement import agreement, relative_differences


@pytest.fixture
def experiment(monkeypatch):
    """Settings that fit `stripes`."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def made(model, **training):
        defaults = {"epochs": 2, "batch_size": 12, "optimizer": c.Sgd(learning_rate=0.05, momentum=0.9), "clip_norm": 1.0}
        return c.Experiment(
            name="stripes",
            source=c.Digits(),
            transform=c.Transform(image_size=(16, 16), color_mode="grayscale"),
            augment=(c.PadCrop(pad=1),),
            task=c.Classification(),
            model=model,
            training=c.Training(**{**defaults, **training}),
            gate=c.Gate(c.AtLeast("accuracy", 0.5)),
        )

    return made


@pytest.fixture
def found(stripes, experiment):
    def compared(model, *, replicas=2, steps=10, **training):
        settings = experiment(model, **training)
        return agreement(settings, stripes.examples, stripes.transform.parent, replicas=replicas, steps=steps)

    return compared


def planted(name):
    return c.Model(name=f"planted_layers:{name}")


@pytest.mark.slow
def test_a_users_normalisation_over_its_own_rows_is_named_and_no_rounding(found):
    seen = found(planted("with_own_normalisation"), precision="bfloat16")
    assert (seen.agrees, seen.because) == (False, "differs")
    assert "own is the first layer whose outputs for the first batch differ between 1 device and 2 replicas" in seen.text
    assert "so the cause is not rounding" in seen.text
    assert list(seen.table.columns) == ["weight", "values", "float32", "float64"]
    assert seen.table["float64"].max() > 1e-3
    assert seen.table.set_index("weight")["values"]["dense/kernel"] == 4 * 3 * 3 * 3


@pytest.mark.slow
def test_statistics_of_each_replica_are_named(found):
    seen = found(planted("with_statistics_of_each_replica"))
    assert not seen.agrees
    assert "norm is the first layer whose outputs for the first batch differ" in seen.text
    assert "These weights have a different value on each replica: norm/moving_mean, norm/moving_variance." in seen.text


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 3])
def test_a_network_agrees_with_dropout_micro_batches_and_synchronised_statistics(found, replicas):
    seen = found(planted("as_it_should_be"), replicas=replicas, micro_batches=2, average_decay=0.9)
    assert (seen.agrees, seen.because) == (True, "equal"), seen.text
    assert seen.text.startswith("They agree. After 10 steps on 1 device")
    assert list(seen.table.columns) == ["weight", "values", "float32"]


@pytest.mark.slow
def test_rounding_that_grows_is_told_apart_from_a_mistake(found):
    seen = found(planted("that_enlarges_rounding"), optimizer=c.Sgd(learning_rate=0.1), clip_norm=5.0, steps=60, epochs=20)
    assert (seen.agrees, seen.because) == (True, "rounding"), seen.text
    assert seen.table["float32"].max() > 1e-5
    assert seen.table["float64"].max() < 1e-4 * seen.table["float32"].max()


def test_a_batch_that_does_not_divide_is_told_before_anything_is_trained(found):
    with pytest.raises(ConfigError, match=r"batch_size must be a multiple of replicas.*received batch_size=12, replicas=5"):
        found(c.Model(name="lenet5"), replicas=5)


def test_more_replicas_than_images_in_a_batch_are_told(found):
    with pytest.raises(ConfigError, match=r"batch_size must be a multiple of replicas.*received batch_size=2, replicas=4"):
        found(c.Model(name="lenet5"), replicas=4, batch_size=2)


@pytest.mark.parametrize(("replicas", "steps"), [(1, 20), (2, 0)])
def test_a_comparison_with_nothing_to_compare_is_refused(found, replicas, steps):
    with pytest.raises(ConfigError, match=r"at least 2 replicas and 1 step; received"):
        found(c.Model(name="lenet5"), replicas=replicas, steps=steps)


def test_differences_are_relative_to_the_largest_value_and_never_to_rounding():
    one = {"kernel": np.array([2.0, -4.0]), "bias": np.array([1e-9]), "none": np.zeros((0, 3))}
    other = {"kernel": np.array([2.0, -4.2]), "bias": np.array([-1e-9]), "none": np.zeros((0, 3))}
    assert relative_differences(one, other) == pytest.approx({"kernel": 0.05, "bias": 2e-6, "none": 0.0})
