"""Several settings changed at once: what counts is whether they fit together in the end."""

import pytest

from kerasvision import config as c
from kerasvision.config.overrides import with_overrides, with_values
from kerasvision.errors import ConfigError


@pytest.mark.parametrize("order", [1, -1])
def test_settings_that_only_fit_together_can_be_set_in_any_order(order):
    values = {"warmup_epochs": 8, "epochs": 9, "batch_size": 30, "micro_batches": 5}
    changed = with_values(c.Training(epochs=5), dict(list(values.items())[::order]))
    assert {name: getattr(changed, name) for name in values} == values


@pytest.mark.parametrize("order", [1, -1])
def test_what_lies_below_a_path_that_is_also_set_goes_into_the_new_value(order):
    values = {"optimizer": "rmsprop", "optimizer.rho": 0.7}
    assert with_values(c.Training(), dict(list(values.items())[::order])).optimizer == c.RmsProp(rho=0.7)


def test_last_of_two_assignments_to_one_path_counts():
    assert with_overrides(c.Training(), ["epochs=3", "batch_size=8", "epochs=4"]).epochs == 4


def test_values_that_do_not_fit_together_are_refused():
    with pytest.raises(ConfigError, match="warmup_epochs must lie in"):
        with_values(c.Training(epochs=5), {"epochs": 2, "warmup_epochs": 3})
