"""Optimizers that update with TensorFlow's fused kernels: one pass over each weight instead of one per operation.

Keras writes an update as a chain of operations (multiply, multiply, subtract, assign, add), and each of them reads and
writes memory of the size of the weight. For VGG-16 that is 138 million numbers several times over. The formulas and the
state are those of Keras; only the implementation differs. Numbers that all weights share are computed once per step.

The gradient of a weight that is updated by rows (`kerasvision.ops.rows`) has the rows that a step used. Only these rows and
their state change: momentum and running means of the others neither act nor decay until they are used again. Adam's bias
correction still counts every step. This is the rule of TensorFlow's sparse kernels, and of LazyAdam in TensorFlow Addons.
"""

from abc import abstractmethod

import keras
import tensorflow as tf
from keras import optimizers

from kerasvision.errors import ConfigError

# Float32 scalars of a step that all weights share, apart from the learning rate.
Numbers = tuple[tf.Tensor, ...]


class OnePass(optimizers.Optimizer):
    """Base of the optimizers here: a mixin before Keras' class.

    The kernel updates with dense float32 gradients, on one device and on replicas. Keras' code does all other updates.
    """

    @abstractmethod
    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """Updates a weight and its state by one operation of TensorFlow.

        Args:
            gradient: float32, of the weight's shape.
            variable: float32; under a strategy, the copy on the replica that is being updated.
            rate: float32 scalar, the learning rate.
            numbers: float32 scalars, the result of `numbers_of_step`.
        """

    def update_rows(self, rows: tf.IndexedSlices, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """Updates some rows of a weight and of its state.

        Args:
            rows: float32, each row once.
            variable, rate, numbers: as for `update_by_kernel`.

        Raises:
            ConfigError: the optimizer has no such update.
        """
        raise ConfigError(
            "weights that are updated by rows require the optimizer Sgd, Adam or AdamW (without amsgrad)",
            received=type(self).__name__,
        )

    def has_kernel(self) -> bool:
        """Whether TensorFlow has a kernel for this optimizer's options."""
        return True

    def numbers_of_step(self) -> Numbers:
        """The float32 scalars, besides the learning rate, that `update_by_kernel` uses for all weights."""
        return ()

    def _backend_update_step(
        self, gradients: list[tf.Tensor], variables: list[keras.Variable], learning_rate: tf.Tensor
    ) -> None:
        if self.has_kernel():
            # Keras passes the learning rate to `update_step` unchanged, so a tuple can carry the other numbers too.
            learning_rate = (tf.cast(learning_rate, tf.float32), *self.numbers_of_step())
        super()._backend_update_step(gradients, variables, learning_rate)

    def update_step(
        self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable, learning_rate: tf.Tensor | Numbers
    ) -> None:
        """Keras' method; see `OnePass`.

        Args:
            gradient: of the variable's shape and dtype, float32 for the kernel; or some of its rows, each once.
            variable: the weight to update.
            learning_rate: float32 scalar, or a tuple of it and the float32 scalars of `numbers_of_step`.
        """
        rate, *numbers = learning_rate if isinstance(learning_rate, tuple) else (learning_rate,)
        if isinstance(gradient, tf.IndexedSlices):
            self.update_rows(gradient, variable, rate, *numbers)
            return
        is_dense = isinstance(gradient, tf.Tensor) and gradient.dtype == variable.dtype == tf.float32
        if self.has_kernel() and is_dense:
            self.update_by_kernel(gradient, variable, rate, *numbers)
        else:
            super().update_step(gradient, variable, rate)

    def _state(self, variables: list[keras.Variable], variable: tf.Variable) -> tf.Tensor:
        """The handle of the optimizer's state of a weight; under a strategy, on the replica that is being updated."""
        return variables[self._get_variable_index(variable)].value.handle


class OnePassSgd(OnePass, optimizers.SGD):
    """SGD: plain, with momentum, or with Nesterov's momentum.

    >>> optimizer = OnePassSgd(learning_rate=0.5, momentum=0.9)
    >>> weight = keras.Variable([1.0])
    >>> for _ in range(2):
    ...     optimizer.apply([tf.constant([1.0])], [weight])
    >>> round(float(weight[0]), 6)  # 1 - 0.5, then - (0.9 * 0.5 + 0.5)
    -0.45
    """

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """m <- momentum m - rate g; w <- w + m, or with Nesterov w + momentum m - rate g; plain w <- w - rate g.

        Shapes and dtypes are those of `OnePass.update_by_kernel`: float32, `rate` a scalar.
        """
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

    def update_rows(self, rows: tf.IndexedSlices, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """The same formulas, for some rows; see the base class."""
        if not self.momentum:
            tf.raw_ops.ResourceScatterSub(resource=variable.handle, indices=rows.indices, updates=rate * rows.values)
            return
        tf.raw_ops.ResourceSparseApplyKerasMomentum(
            var=variable.handle,
            accum=self._state(self.momentums, variable),
            lr=rate,
            grad=rows.values,
            indices=rows.indices,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


class OnePassRmsProp(OnePass, optimizers.RMSprop):
    """RMSprop with momentum. TensorFlow has no kernel for RMSprop without it."""

    def has_kernel(self) -> bool:
        """Whether the optimizer has momentum."""
        return bool(self.momentum)

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """v <- rho v + (1 - rho) g^2; m <- momentum m + rate g / sqrt(v + epsilon); w <- w - m.

        If centered, the square of the running mean of g is subtracted from v below the root. Shapes and dtypes are those of
        `OnePass.update_by_kernel`: float32, `rate` a scalar.
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
    """Adam. TensorFlow has no kernel for its amsgrad variant.

    Source: Kingma & Ba, 2014, in the form at the end of section 2: epsilon is added to the root of v without its bias
    correction.
    """

    def has_kernel(self) -> bool:
        """Whether the variant is not amsgrad."""
        return not self.amsgrad

    def numbers_of_step(self) -> Numbers:
        """beta_1 and beta_2, each to the power of the step's number from 1: float32 scalars."""
        steps = tf.cast(self.iterations + 1, tf.float32)
        return tf.pow(self.beta_1, steps), tf.pow(self.beta_2, steps)

    def update_by_kernel(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """m, v <- running means of g and g^2; w <- w - rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).

        Shapes and dtypes are those of `OnePass.update_by_kernel`: float32, `rate` and `numbers` scalars.
        """
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

    def update_rows(self, rows: tf.IndexedSlices, variable: tf.Variable, rate: tf.Tensor, *numbers: tf.Tensor) -> None:
        """The same formulas, for some rows; see the base class."""
        if self.amsgrad:
            super().update_rows(rows, variable, rate, *numbers)
        mean = self._moved(self._momentums, variable, rows, share=self.beta_1, towards=rows.values)
        square = self._moved(self._velocities, variable, rows, share=self.beta_2, towards=tf.square(rows.values))
        rate *= tf.sqrt(1.0 - numbers[1]) / (1.0 - numbers[0])
        updates = rate * mean / (tf.sqrt(square) + self.epsilon)
        tf.raw_ops.ResourceScatterSub(resource=variable.handle, indices=rows.indices, updates=updates)

    def _moved(
        self, state: list[keras.Variable], variable: tf.Variable, rows: tf.IndexedSlices, *, share: float, towards: tf.Tensor
    ) -> tf.Tensor:
        """Moves rows of a running mean, and returns them."""
        handle = self._state(state, variable)
        before = tf.raw_ops.ResourceGather(resource=handle, indices=rows.indices, dtype=tf.float32)
        after = share * before + (1.0 - share) * towards
        tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=rows.indices, updates=after)
        return after


class OnePassAdamW(OnePassAdam, optimizers.AdamW):
    """Adam with weight decay."""


# Keras' class -> its replacement here.
ONE_PASS: dict[type[optimizers.Optimizer], type[optimizers.Optimizer]] = {
    optimizers.SGD: OnePassSgd,
    optimizers.RMSprop: OnePassRmsProp,
    optimizers.Adam: OnePassAdam,
    optimizers.AdamW: OnePassAdamW,
}
