"""Optimizer updates by TensorFlow's kernels: one pass over each weight where Keras makes one per operation.

Keras writes an update as a chain of operations (multiply, multiply, subtract, assign, add), and each of them reads and
writes memory of the size of the weight. For VGG-16 that is 138 million numbers several times over. The formulas are
Keras' own, and so is the state: only who computes them changes.
"""

from types import MethodType

import tensorflow as tf
from keras import optimizers


def one_pass(optimizer: optimizers.Optimizer) -> optimizers.Optimizer:
    """The same optimizer, which from now on updates a weight in one pass where TensorFlow has a kernel for it.

    That is: SGD with momentum (plain or Nesterov's), Adam and AdamW (not their amsgrad variant), for dense float32
    gradients on one device. Everything else goes the way of Keras.

    >>> optimizer = one_pass(optimizers.SGD(learning_rate=0.5, momentum=0.9))
    >>> import keras
    >>> weight = keras.Variable([1.0])
    >>> for _ in range(2):
    ...     optimizer.apply([tf.constant([1.0])], [weight])
    >>> round(float(weight[0]), 6)  # 1 - 0.5, then - (0.9 * 0.5 + 0.5)
    -0.45
    """
    if type(optimizer) is optimizers.SGD and optimizer.momentum:
        optimizer.update_step = MethodType(_momentum_step, optimizer)
    elif type(optimizer) in (optimizers.Adam, optimizers.AdamW) and not optimizer.amsgrad:
        optimizer.update_step = MethodType(_adam_step, optimizer)
    return optimizer


def _momentum_step(optimizer: optimizers.SGD, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
    """m <- momentum m - rate g; w <- w + m, or with Nesterov w + momentum m - rate g."""
    if not _has_kernel(gradient, variable):
        return optimizers.SGD.update_step(optimizer, gradient, variable, learning_rate)
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=optimizer.momentums[optimizer._get_variable_index(variable)].value.handle,
        lr=tf.cast(learning_rate, tf.float32),
        grad=gradient,
        momentum=tf.cast(optimizer.momentum, tf.float32),
        use_nesterov=optimizer.nesterov,
    )
    return None


def _adam_step(optimizer: optimizers.Adam, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
    """Kingma & Ba, 2014, the form at the end of section 2, with epsilon added to the root of the plain v."""
    if not _has_kernel(gradient, variable):
        return type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
    position = optimizer._get_variable_index(variable)
    steps = tf.cast(optimizer.iterations + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[position].value.handle,
        v=optimizer._velocities[position].value.handle,
        beta1_power=tf.pow(tf.cast(optimizer.beta_1, tf.float32), steps),
        beta2_power=tf.pow(tf.cast(optimizer.beta_2, tf.float32), steps),
        lr=tf.cast(learning_rate, tf.float32),
        beta1=tf.cast(optimizer.beta_1, tf.float32),
        beta2=tf.cast(optimizer.beta_2, tf.float32),
        epsilon=tf.cast(optimizer.epsilon, tf.float32),
        grad=gradient,
    )
    return None


def _has_kernel(gradient: tf.Tensor, variable: tf.Variable) -> bool:
    # Under a strategy a weight has a copy on each replica, and which one is meant is for the strategy to say.
    alone = not tf.distribute.has_strategy()
    return alone and isinstance(gradient, tf.Tensor) and gradient.dtype == variable.dtype == tf.float32
