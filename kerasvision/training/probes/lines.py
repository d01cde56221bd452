"""A network as a function of its weights along a line, and what gradients say of its slope there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from kerasvision.training.probes.slopes import slope_at_zero

# A gradient is right where it is so close to the slope, relative to the larger of them.
TOLERANCE = 1e-5
# A difference is a mistake where it is so many times as large as what the slope may be off.
CERTAIN = 10.0
# A slope of less than this share of the usual one of its layer is as good as none.
SMALL = 1e-3

Verdict = Literal["agrees", "differs", "kink", "rounding", "flat"]


@dataclass(frozen=True)
class SlopeComparison:
    """The gradient along a line, and the slope by differences."""

    by_gradient: float
    by_differences: float
    error: float
    verdict: Verdict


class Function:
    """The sum of all outputs, each times a fixed random number, as a function of some variables.

    Such a sum has a gradient wherever the outputs have one, and a mistake in any of them shows in it. Layers draw the same
    random numbers each time, and what they keep beside their weights is put back.

    Args:
        call: gives the outputs, in any nesting of float64 tensors.
        variables: which are changed along lines.
        state: further variables that the call changes.
        seed: of the random numbers.
    """

    def __init__(
        self, call: Callable[[], Any], *, variables: Sequence[tf.Variable], state: Sequence[tf.Variable] = (), seed: int = 0
    ) -> None:
        self.variables, self._state, self._call, self._seed = list(variables), list(state), call, seed
        self._before = [tf.identity(each) for each in self._state]
        self._value = tf.function(self._sum, autograph=False)

    def value(self) -> float:
        """What it is now."""
        return float(self._value()[0])

    def size(self) -> float:
        """Of what is summed up: the sum of all absolute values."""
        return float(self._value()[1])

    def gradients(self) -> list[np.ndarray]:
        """By each variable, by automatic differentiation; zeros for those that do not matter."""

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
    """Walks along a line through where the variables are, and leaves them there.

    Args:
        function: of the variables.
        gradients: of it, by variable.
        directions: how far each variable goes while the line goes from 0 to 1; None: nowhere.
        usual: the size that slopes along such lines have.
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
