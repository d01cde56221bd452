"""A network as a function of its weights along a line: compares its gradient with its slope there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from kerasvision.training.probes.slopes import slope_at_zero

# A gradient agrees if it differs from the slope by at most this share of the larger of both.
TOLERANCE = 1e-5
# A difference is a mistake if it exceeds the doubt about the slope by this factor.
CERTAIN = 10.0
# A slope below this share of the layer's usual slope counts as flat.
SMALL = 1e-3

Verdict = Literal["agrees", "differs", "kink", "rounding", "flat"]


@dataclass(frozen=True)
class SlopeComparison:
    """The slope along a line by the gradient and by finite differences, their relative error, and the verdict."""

    by_gradient: float
    by_differences: float
    error: float
    verdict: Verdict


class Function:
    """The sum of all outputs, each times a fixed random number, as a function of some variables.

    This sum has a gradient wherever the outputs have one, and a mistake in any output shows in it. Layers draw the same
    random numbers at each call, and their other state is reset before each call.

    Args:
        call: returns the outputs, in any nesting of float64 tensors.
        variables: those that change along lines; float64, of any shape.
        state: other variables that the call changes.
        seed: of the random numbers.
    """

    def __init__(
        self, call: Callable[[], Any], *, variables: Sequence[tf.Variable], state: Sequence[tf.Variable] = (), seed: int = 0
    ) -> None:
        self.variables, self._state, self._call, self._seed = list(variables), list(state), call, seed
        self._before = [tf.identity(each) for each in self._state]
        self._value = tf.function(self._sum, autograph=False)

    def value(self) -> float:
        """The sum at the current values of the variables."""
        return float(self._value()[0])

    def size(self) -> float:
        """The sum of the absolute values of all terms."""
        return float(self._value()[1])

    def gradients(self) -> list[np.ndarray]:
        """The gradient by each variable, from automatic differentiation.

        Returns:
            An array per variable, of its shape and dtype (float64); zeros if the sum does not depend on the variable.
        """

        def found() -> list[tf.Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self.variables)
                value, _ = self._sum()
            gradients = tape.gradient(value, self.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [tf.convert_to_tensor(gradient) for gradient in gradients]

        return [gradient.numpy() for gradient in tf.function(found, autograph=False)()]

    def _sum(self) -> tuple[tf.Tensor, tf.Tensor]:
        for variable, value in zip(self._state, self._before, strict=True):
            variable.assign(value)
        value = size = tf.constant(0.0, tf.float64)
        for number, output in enumerate(keras.tree.flatten(self._call())):
            if output.dtype.is_floating:
                factors = tf.random.stateless_normal(output.shape, [self._seed, number], dtype=tf.float64)
                terms = tf.cast(output, tf.float64) * factors
                value, size = value + tf.reduce_sum(terms), size + tf.reduce_sum(tf.abs(terms))
        return value, size


def compare_with_slope(
    function: Function, gradients: Sequence[np.ndarray], directions: Sequence[np.ndarray | None], *, usual: float
) -> SlopeComparison:
    """Compares gradient and slope along a line through the current values of the variables, which it restores.

    Args:
        function: of the variables.
        gradients: of the function, an array per variable, float64 of the variable's shape.
        directions: per variable, its change when the line goes from 0 to 1, float64 of the variable's shape; None: 0.
        usual: the typical size of slopes along such lines.
    """
    moved = [
        (variable, variable.numpy(), gradient, direction)
        for variable, gradient, direction in zip(function.variables, gradients, directions, strict=True)
        if direction is not None
    ]

    def line(t: float) -> float:
        for variable, start, _, direction in moved:
            variable.assign(start + t * direction)
        return function.value()

    slope = slope_at_zero(line, size=function.size())
    for variable, start, _, _ in moved:
        variable.assign(start)
    by_gradient = float(sum(np.vdot(gradient, direction) for _, _, gradient, direction in moved))
    return _judged(by_gradient, slope.value, doubt=slope.doubt, because=slope.because, usual=usual)


def _judged(by_gradient: float, by_differences: float, *, doubt: float, because: Verdict, usual: float) -> SlopeComparison:
    difference, larger = abs(by_gradient - by_differences), max(abs(by_gradient), abs(by_differences))
    scale = max(larger, SMALL * usual)
    error = difference / scale if scale else 0.0
    if not np.isfinite(difference):
        verdict: Verdict = "differs"
    elif scale == 0 or (larger <= CERTAIN * doubt and because == "rounding"):
        verdict = "flat"
    elif error <= TOLERANCE:
        verdict = "agrees"
    else:
        verdict = "differs" if difference > CERTAIN * doubt else because
    return SlopeComparison(by_gradient, by_differences, error, verdict)
