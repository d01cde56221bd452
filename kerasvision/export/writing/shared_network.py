"""A network as one function of a SavedModel's graph, which all signatures call, and which another engine can take over.

A signature has three parts: what makes scaled images of its input, the network, and what makes answers of the network's
outputs. A SavedModel keeps the first and the third as functions of their own, so that an engine other than TensorFlow can
compute the network between them (`kerasvision.served.engine`).
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from kerasvision.export.writing.parts import AfterNetwork
from kerasvision.ops.folding import called_as
from kerasvision.served.engine import output_name
from kerasvision.served.signatures import TENSOR_INPUT
from kerasvision.tasks.base import Predictions, Task

# What a network returns: a tensor, or a list or dict of tensors, each of N rows.
Outputs = Any
Compute = Callable[[tf.Tensor], Outputs]


class SharedNetwork:
    """Takes the place of a network in a task's `predictor`: calls with one batch of images go to one function.

    Everything else, such as other inputs, a training mode or an attribute, is the network's own.

    Args:
        network: the trained network.
        shape: (H, W, C) of its images.
        computed: a network -> the function that computes it, such as a `fast_network`; the network itself, or one that it
            calls, such as the one that a mean over views is of.

    Attributes:
        function: scaled images float32 (N, H, W, C) -> what the network returns in inference mode.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        shape: tuple[int, int, int],
        computed: Mapping[keras.Model, Compute] = MappingProxyType({}),
    ) -> None:
        self._network = network
        self._spec = tf.TensorSpec([None, *shape], tf.float32, name=TENSOR_INPUT)
        calls = {one: partial(_computed, by=function) for one, function in computed.items()}

        def answer(image: tf.Tensor) -> Outputs:
            with called_as(calls):
                return network(image, training=False)

        self.function = tf.function(answer, input_signature=[self._spec], autograph=False)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """That of the network, for code that asks whether this is a Keras model."""
        return type(self._network)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, inputs: Any, training: bool = False, **others: Any) -> Outputs:
        if training or others or not tf.is_tensor(inputs) or not self._spec.is_compatible_with(inputs):
            return self._network(inputs, training=training, **others)
        return self.function(inputs)

    def numbered(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The network's outputs in the order of `tf.nest.flatten`, by the names of `output_name`."""
        return {output_name(number): one for number, one in enumerate(tf.nest.flatten(self.function(image)))}

    def outputs(self) -> dict[str, tf.TensorSpec]:
        """The specifications of these outputs, by the same names."""
        flat = tf.nest.flatten(self.function.get_concrete_function().structured_outputs)
        return {output_name(number): tf.TensorSpec(one.shape, one.dtype) for number, one in enumerate(flat)}

    def answers_of(self, task: Task, *, temperature: float) -> AfterNetwork | None:
        """What a task's predictor makes of the network's outputs, without the network.

        Returns:
            (scaled images, the result of `numbered`) -> named outputs; None if the predictor does not call the network
            exactly once, with the images that it receives and nothing else.
        """
        # A model that is not a graph of layers, such as a mean over views, has no list of its inputs.
        if len(getattr(self._network, "inputs", [])) > 1:
            return None
        structure = self.function.get_concrete_function().structured_outputs

        def answer(images: tf.Tensor, outputs: Mapping[str, tf.Tensor]) -> Predictions:
            flat = [outputs[output_name(number)] for number in range(len(outputs))]
            given = _Given(self._network, images, tf.nest.pack_sequence_as(structure, flat))
            found = task.predictor(given, temperature=temperature)(images)
            if given.calls != 1:
                raise _AnotherUse
            return found

        try:
            tf.function(answer, autograph=False).get_concrete_function(self._spec, self.outputs())
        except _AnotherUse:
            return None
        return answer


def _computed(network: keras.Model, inputs: tf.Tensor, training: bool = False, mask: Any = None, *, by: Compute) -> Outputs:
    return by(inputs)


class _AnotherUse(Exception):
    """A predictor uses the network in another way than by one call with its images."""


class _Given:
    """Takes the place of a network whose outputs for these images are known."""

    def __init__(self, network: keras.Model, images: tf.Tensor, outputs: Outputs) -> None:
        self._network, self._images, self._outputs = network, images, outputs
        self.calls = 0

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._network)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def __call__(self, inputs: Any, training: bool = False, **others: Any) -> Outputs:
        if inputs is not self._images or training or others:
            raise _AnotherUse
        self.calls += 1
        return self._outputs
