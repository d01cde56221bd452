"""Optimizers that update by TensorFlow's kernels: one pass over each weight where Keras makes one per operation.

Keras writes an update as a chain of operations (multiply, multiply, subtract, assign, add), and each of them reads and
writes memory of the size of the weight. For VGG-16 that is 138 million numbers several times over. The formulas are
Keras' own, and so is the state: only who computes them changes. What is the same for all weights is computed once a step.
"""

from abc import abstractmethod

import keras
import tensorflow as tf
from keras import optimizers

# What of a step is the same for all weights, the learning rate aside.
Numbers = tuple[tf.Tensor, ...]


class OnePass(optimizers.Optimizer):
    """Base of the optimizers here: a mixin before Keras' class.

    The kernel updates dense float32 gradients, on one device and on replicas. Everything else goes the way of Keras.
    """

    @abstractmethod
    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """Updates a weight and its state by one operation of TensorFlow.

        Args:
            gradient: float32, of the shape of the weight.
            variable: float32; under a strategy, the copy of the replica being updated.
            rate: float32 scalar.
            numbers: what `numbers_of_step` gave.
        """

    def has_kernel(self) -> bool:
        """Whether there is a kernel for the options of this optimizer."""
        return True

    def numbers_of_step(self) -> Numbers:
        """What `update_by_kernel` needs that is the same for all weights, besides the learning rate."""
        return ()

    def _backend_update_step(
        self, gradients: list[tf.Tensor], variables: list[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        if self.has_kernel():
            # Keras hands the learning rate on to `update_step` as it is, and the other numbers travel with it.
            learning_rate = (tf.cast(learning_rate, tf.float32), *self.numbers_of_step())
        super()._backend_update_step(gradients, variables, learning_rate)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor | Numbers) -> None:
        """Keras' method; see `OnePass`."""
        rate, *numbers = learning_rate if isinstance(learning_rate, tuple) else (learning_rate,)
        is_dense = isinstance(gradient, tf.Tensor) and gradient.dtype == variable.dtype == tf.float32
        if self.has_kernel() and is_dense:
            self.update_by_kernel(gradient, variable, rate, *numbers)
        else:
            super().update_step(gradient, variable, rate)

    def _state(self, variables: list[keras.Variable], variable: tf.Variable) -> tf.Tensor:
        """The handle of what the optimizer keeps of a weight: under a strategy, that of the replica being updated."""
        return variables[self._get_variable_index(variable)].value.handle


class OnePassSgd(OnePass, optimizers.SGD):
    """SGD, with momentum, Nesterov's, or none.

    >>> optimizer = OnePassSgd(learning_rate=0.5, momentum=0.9)
    >>> weight = keras.Variable([1.0])
    >>> for _ in range(2):
    ...     optimizer.apply([tf.constant([1.0])], [weight])
    >>> round(float(weight[0]), 6)  # 1 - 0.5, then - (0.9 * 0.5 + 0.5)
    -0.45
    """

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """m <- momentum m - rate g; w <- w + m, or with Nesterov w + momentum m - rate g; plain w <- w - rate g."""
        if not self.momentum:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self._state(self.momentums, variable),
            lr=rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


class OnePassRmsProp(OnePass, optimizers.RMSprop):
    """RMSprop with momentum; without it there is no kernel."""

    def has_kernel(self) -> bool:
        """Where there is momentum."""
        return bool(self.momentum)

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """v <- rho v + (1 - rho) g^2; m <- momentum m + rate g / sqrt(v + epsilon); w <- w - m.

        Centred, the square of the mean of g, likewise running, goes off the v below the root.
        """
        arguments = {
            "var": variable.handle,
            "ms": self._state(self._velocities, variable),
            "mom": self._state(self._momentums, variable),
            "lr": rate,
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "grad": gradient,
        }
        if self.centered:
            mean = self._state(self._average_gradients, variable)
            tf.raw_ops.ResourceApplyCenteredRMSProp(mg=mean, **arguments)
        else:
            tf.raw_ops.ResourceApplyRMSProp(**arguments)


class OnePassAdam(OnePass, optimizers.Adam):
    """Adam; for its amsgrad variant there is no kernel.

    Source: Kingma & Ba, 2014, the form at the end of section 2, with epsilon added to the root of the plain v.
    """

    def has_kernel(self) -> bool:
        """Where it is not amsgrad."""
        return not self.amsgrad

    def numbers_of_step(self) -> Numbers:
        """beta_1 and beta_2, each to the power of the step's number from 1."""
        steps = tf.cast(self.iterations + 1, tf.float32)
        return tf.pow(self.beta_1, steps), tf.pow(self.beta_2, steps)

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """m, v <- running means of g and g^2; w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)."""
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._state(self._momentums, variable),
            v=self._state(self._velocities, variable),
            beta1_power=numbers[0],
            beta2_power=numbers[1],
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class OnePassAdamW(OnePassAdam, optimizers.AdamW):
    """Adam with weight decay."""


# Keras' class -> the one here that does the same.
ONE_PASS: dict[type[optimizers.Optimizer], type[optimizers.Optimizer]] = {
    optimizers.SGD: OnePassSgd,
    optimizers.RMSprop: OnePassRmsProp,
    optimizers.Adam: OnePassAdam,
    optimizers.AdamW: OnePassAdamW,
}
