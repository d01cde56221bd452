"""Optimizers and learning rates from settings."""

from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import keras

from kerasvision import lookup
from kerasvision.config.schedules import Constant
from kerasvision.config.training import Muon, Training
from kerasvision.errors import ConfigError
from kerasvision.ops.rows import has_rows_only
from kerasvision.training.optimizing.one_pass import ONE_PASS
from kerasvision.training.optimizing.schedules import Schedule


def make_optimizer(training: Training, *, steps_per_epoch: int) -> "TrainingOptimizer":
    """The Keras optimizer of these settings, with the schedule of the settings as its learning rate.

    It leaves out clipping, averages and L2: the train step does these.

    >>> from kerasvision import config as c
    >>> optimizer = make_optimizer(c.Training(optimizer=c.Sgd(momentum=0.9)), steps_per_epoch=10)
    >>> float(optimizer.learning_rate), optimizer.momentum
    (0.009999999776482582, 0.9)
    """
    settings = training.optimizer
    fields = settings.own_values()
    decay = fields.pop("weight_decay")
    fields["learning_rate"] = learning_rate(training, steps_per_epoch=steps_per_epoch)
    optimizer = for_training(lookup.load(settings.implementation))(**fields)
    # None, not 0: with 0 Keras would still pass over all weights and subtract nothing.
    optimizer.weight_decay = decay or None
    if isinstance(settings, Muon):
        optimizer.adam_weight_decay = decay or None
    return optimizer


def learning_rate(training: Training, *, steps_per_epoch: int) -> float | Schedule:
    """A number if it is constant, so that callbacks may change it; otherwise a function of the step."""
    settings = training.schedule
    warmup = round(training.warmup_epochs * steps_per_epoch)
    if isinstance(settings, Constant) and not warmup:
        return training.optimizer.learning_rate
    schedule: Schedule = lookup.load(settings.implementation)(
        training.optimizer.learning_rate,
        steps=training.epochs * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        warmup_steps=warmup,
        **settings.own_values(),
    )
    return schedule


class TrainingOptimizer(keras.optimizers.Optimizer):
    """What the train step needs of an optimizer in addition to Keras: a mixin before Keras' class, see `for_training`.

    It expects gradients that are already summed over all replicas; Keras would sum them here. Weight decay shrinks only the
    weights that `is_decayed` selects; Keras would shrink all of them.
    """

    def build(self, variables: Iterable[keras.Variable]) -> None:
        """Keras' method; it also excludes from weight decay the weights that do not decay."""
        variables = list(variables)
        if not self.built:
            self.exclude_from_weight_decay(var_list=[each for each in variables if not is_decayed(each)])
        super().build(variables)

    def _all_reduce_sum_gradients(self, grads_and_vars: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        return grads_and_vars


@cache
def for_training(kind: type[keras.optimizers.Optimizer]) -> type[TrainingOptimizer]:
    """Turns an optimizer class, Keras' or your own, into one for the train step; fused if there is a kernel for it.

    The new class keeps the name, because Keras names variables and operations after it.

    Raises:
        ConfigError: `kind` is not an optimizer class.

    >>> [one.__name__ for one in for_training(keras.optimizers.SGD).__mro__[:5]]
    ['SGD', 'TrainingOptimizer', 'OnePassSgd', 'OnePass', 'SGD']
    >>> [one.__name__ for one in for_training(keras.optimizers.Lion).__mro__[:3]]
    ['Lion', 'TrainingOptimizer', 'Lion']
    """
    if not (isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)):
        raise ConfigError(
            "the implementation of an optimizer must be a subclass of keras.optimizers.Optimizer", received=kind
        )
    made = type(kind.__name__, (TrainingOptimizer, ONE_PASS.get(kind, kind)), {})
    return cast(type[TrainingOptimizer], made)  # mypy knows the result of `type` only as a class


def is_decayed(variable: keras.Variable) -> bool:
    """Whether weight decay and penalties apply to a weight: to kernels, but not to biases or to scales and shifts of
    normalisation.

    A weight that is updated by rows has none: they would change all its rows in every step.

    Source: He et al., 2018, "Bag of tricks", https://arxiv.org/abs/1812.01187, section 3.1.

    >>> dense = keras.layers.Dense(3)
    >>> dense.build((None, 4))
    >>> [is_decayed(variable) for variable in dense.weights]
    [True, False]
    """
    # The biases of attention heads have two dimensions.
    return len(variable.shape) > 1 and variable.name not in ("bias", "gamma", "beta") and not has_rows_only(variable)
