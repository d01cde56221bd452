"""Mistakes in a gate are reported when the pipeline file is loaded, if they can be found then."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError


def test_a_gate_knows_what_it_needs():
    gates = [c.Gate(c.AtLeast("accuracy", 1)), c.Gate(c.AtMost("size_mb", 1)), c.Gate(c.Better("accuracy"))]
    assert [gate.needs_facts for gate in gates] == [False, True, False]
    assert [gate.needs_baseline for gate in gates] == [False, False, True]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (c.AtMost("size_m", 1), "no metric and no fact is named 'size_m'; did you mean 'size_mb'?"),
        (c.AtMost("acuracy", 1), "did you mean 'accuracy'?"),
        (c.AtMost("size_mb", 1, slice="label"), "without slices, an interval or an earlier value to compare with"),
        (c.AtMost("size_mb", 1, end="low"), "received AtMost with end='low'"),
        (c.NoWorse("size_mb"), "received NoWorse with a comparison"),
        (c.AtLeast("accuracy", 1, slice="lable=cat"), "no slice is named 'lable'; did you mean 'label'?"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_refused_before_anything_is_trained(rule, message):
    with pytest.raises(ConfigError) as error:
        c.Gate(rule).check(c.Classification(), slices=["label", "brightness"])
    assert message in str(error.value)


def test_an_experiment_checks_its_gate():
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        c.Experiment(
            name="x",
            source=c.Digits(),
            transform=c.Transform(image_size=(8, 8)),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
            gate=c.Gate(c.AtLeast("acuracy", 1)),
        )


def test_mcnemar_is_for_accuracy():
    with pytest.raises(ConfigError, match="so it requires metric='accuracy'; .*; received metric='log_loss'"):
        c.NoWorse("log_loss", test="mcnemar")
