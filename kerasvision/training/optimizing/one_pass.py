"""Optimizer updates by TensorFlow's kernels: one pass over each weight where Keras makes one per operation.

Keras writes an update as a chain of operations (multiply, multiply, subtract, assign, add), and each of them reads and
writes memory of the size of the weight. For VGG-16 that is 138 million numbers several times over. The formulas are
Keras' own, and so is the state: only who computes them changes. What is the same for all weights is computed once a step.
"""

from types import MethodType

import tensorflow as tf
from keras import optimizers

# The learning rate, and whatever else of a step is the same for all weights.
Numbers = tuple[tf.Tensor, ...]


def one_pass(optimizer: optimizers.Optimizer) -> optimizers.Optimizer:
    """The same optimizer, which from now on updates a weight in one pass where TensorFlow has a kernel for it.

    That is: SGD (with momentum, Nesterov's, or none), RMSprop with momentum, Adam and AdamW (not their amsgrad variant),
    for dense float32 gradients, on one device and on replicas. Everything else goes the way of Keras.

    >>> optimizer = one_pass(optimizers.SGD(learning_rate=0.5, momentum=0.9))
    >>> import keras
    >>> weight = keras.Variable([1.0])
    >>> for _ in range(2):
    ...     optimizer.apply([tf.constant([1.0])], [weight])
    >>> round(float(weight[0]), 6)  # 1 - 0.5, then - (0.9 * 0.5 + 0.5)
    -0.45
    """
    kind = type(optimizer)
    if kind is optimizers.SGD:
        _update_by(optimizer, _momentum if optimizer.momentum else _plain)
    elif kind is optimizers.RMSprop and optimizer.momentum:
        _update_by(optimizer, _rmsprop)
    elif kind in (optimizers.Adam, optimizers.AdamW) and not optimizer.amsgrad:
        _update_by(optimizer, _adam)
    return optimizer


def _update_by(optimizer: optimizers.Optimizer, update: object) -> None:
    """Puts an update in the place of Keras' own, for the gradients that it can take."""
    kind = type(optimizer)
    powers = _powers_of_betas if update is _adam else lambda optimizer: ()

    def update_step(self: optimizers.Optimizer, gradient: tf.Tensor, variable: tf.Variable, numbers: Numbers) -> None:
        if isinstance(gradient, tf.Tensor) and gradient.dtype == variable.dtype == tf.float32:
            update(self, gradient, variable, *numbers)
        else:
            kind.update_step(self, gradient, variable, numbers[0])

    def update_all(self: optimizers.Optimizer, gradients: list, variables: list, learning_rate: tf.Tensor) -> None:
        kind._backend_update_step(self, gradients, variables, (tf.cast(learning_rate, tf.float32), *powers(self)))

    optimizer.update_step = MethodType(update_step, optimizer)
    optimizer._backend_update_step = MethodType(update_all, optimizer)


def _powers_of_betas(optimizer: optimizers.Adam) -> Numbers:
    steps = tf.cast(optimizer.iterations + 1, tf.float32)
    return tf.pow(optimizer.beta_1, steps), tf.pow(optimizer.beta_2, steps)


def _plain(optimizer: optimizers.SGD, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
    """w <- w - rate g."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)


def _momentum(optimizer: optimizers.SGD, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
    """m <- momentum m - rate g; w <- w + m, or with Nesterov w + momentum m - rate g."""
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=_state(optimizer, optimizer.momentums, variable),
        lr=rate,
        grad=gradient,
        momentum=optimizer.momentum,
        use_nesterov=optimizer.nesterov,
    )


def _rmsprop(optimizer: optimizers.RMSprop, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
    """v <- rho v + (1 - rho) g^2; m <- momentum m + rate g / sqrt(v + epsilon); w <- w - m.

    Centred, the square of the mean of g, likewise running, goes off the v below the root.
    """
    arguments = {
        "var": variable.handle,
        "ms": _state(optimizer, optimizer._velocities, variable),
        "mom": _state(optimizer, optimizer._momentums, variable),
        "lr": rate,
        "rho": optimizer.rho,
        "momentum": optimizer.momentum,
        "epsilon": optimizer.epsilon,
        "grad": gradient,
    }
    if optimizer.centered:
        mean = _state(optimizer, optimizer._average_gradients, variable)
        tf.raw_ops.ResourceApplyCenteredRMSProp(mg=mean, **arguments)
    else:
        tf.raw_ops.ResourceApplyRMSProp(**arguments)


def _adam(
    optimizer: optimizers.Adam, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *powers: tf.Tensor
) -> None:
    """Kingma & Ba, 2014, the form at the end of section 2, with epsilon added to the root of the plain v."""
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=_state(optimizer, optimizer._momentums, variable),
        v=_state(optimizer, optimizer._velocities, variable),
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=gradient,
    )


def _state(optimizer: optimizers.Optimizer, variables: list, variable: tf.Variable) -> tf.Tensor:
    """The handle of what the optimizer keeps of a weight: under a strategy, that of the replica being updated."""
    return variables[optimizer._get_variable_index(variable)].value.handle
