"""Optimizers and learning rates from settings."""

from collections.abc import Iterable

import keras

from kerasvision import lookup
from kerasvision.config.schedules import Constant
from kerasvision.config.training import Muon, Training
from kerasvision.training.optimizing.one_pass import one_pass
from kerasvision.training.optimizing.schedules import Schedule


def make_optimizer(training: Training, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The Keras optimizer of these settings, its learning rate a schedule over the steps where one is asked for.

    Of what the settings say beside, clipping, averages and L2 are the train step's.

    >>> from kerasvision import config as c
    >>> optimizer = make_optimizer(c.Training(optimizer=c.Sgd(momentum=0.9)), steps_per_epoch=10)
    >>> float(optimizer.learning_rate), optimizer.momentum
    (0.009999999776482582, 0.9)
    """
    settings = training.optimizer
    fields = settings.own_values()
    decay = fields.pop("weight_decay")
    fields["learning_rate"] = learning_rate(training, steps_per_epoch=steps_per_epoch)
    optimizer = lookup.load(settings.implementation)(**fields)
    # None, not 0: Keras would go through all weights to take nothing away.
    optimizer.weight_decay = decay or None
    if isinstance(settings, Muon):
        optimizer.adam_weight_decay = decay or None
    return one_pass(_without_decay_of_biases(optimizer))


def learning_rate(training: Training, *, steps_per_epoch: int) -> float | Schedule:
    """A number where it stays the same, so that callbacks may change it; else a function of the step."""
    settings = training.schedule
    warmup = round(training.warmup_epochs * steps_per_epoch)
    if isinstance(settings, Constant) and not warmup:
        return training.optimizer.learning_rate
    return lookup.load(settings.implementation)(
        training.optimizer.learning_rate,
        steps=training.epochs * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        warmup_steps=warmup,
        **settings.own_values(),
    )


def is_decayed(variable: keras.Variable) -> bool:
    """Whether weight decay and L2 shrink a weight: kernels yes; biases, and scales and shifts of normalisations, no.

    Source: He et al., 2018, "Bag of tricks", https://arxiv.org/abs/1812.01187, section 3.1.

    >>> dense = keras.layers.Dense(3)
    >>> dense.build((None, 4))
    >>> [is_decayed(variable) for variable in dense.weights]
    [True, False]
    """
    # The biases of attention heads have two dimensions.
    return len(variable.shape) > 1 and variable.name not in ("bias", "gamma", "beta")


def _without_decay_of_biases(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer, which, once it knows the variables, leaves those out that are not to decay."""
    build = optimizer.build

    def build_with_exclusions(variables: Iterable[keras.Variable]) -> None:
        variables = list(variables)
        if not optimizer.built:
            optimizer.exclude_from_weight_decay(var_list=[each for each in variables if not is_decayed(each)])
        build(variables)

    optimizer.build = build_with_exclusions
    return optimizer
