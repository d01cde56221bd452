"""Optimizers and learning-rate schedules from settings."""

import keras

from kerasvision import lookup
from kerasvision.config.training import Training
from kerasvision.training.one_pass import one_pass


def make_optimizer(training: Training, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The Keras optimizer of these settings, its learning rate a schedule over the steps where one is asked for.

    >>> from kerasvision import config as c
    >>> optimizer = make_optimizer(c.Training(optimizer=c.Sgd(momentum=0.9)), steps_per_epoch=10)
    >>> float(optimizer.learning_rate), optimizer.momentum
    (0.009999999776482582, 0.9)
    """
    settings = training.optimizer
    fields = {name: getattr(settings, name) for name in type(settings).model_fields}
    fields["learning_rate"] = learning_rate(training, steps_per_epoch=steps_per_epoch)
    return one_pass(lookup.load(settings.implementation)(**fields))


def learning_rate(
    training: Training, *, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """A number, or a schedule: from 0 up to the number during the warm-up, then constant or along a cosine to 0.

    Source of the cosine: SGDR (Loshchilov & Hutter, 2016, https://arxiv.org/abs/1608.03983, equation 5, one period).
    """
    peak = training.optimizer.learning_rate
    warmup = round(training.warmup_epochs * steps_per_epoch)
    if training.schedule == "constant" and not warmup:
        return peak
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else peak,
        decay_steps=max(1, training.epochs * steps_per_epoch - warmup),
        # A cosine that ends where it begins is constant.
        alpha=1.0 if training.schedule == "constant" else 0.0,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
