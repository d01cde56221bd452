"""What a task adds to the predictions of a served model: a temperature, and signatures of its own.

`kerasvision.tasks.base` has these names too: the packages above the tasks use them from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from kerasvision.tasks.objective import Arrays

Predictions = dict[str, Any]


@dataclass(frozen=True)
class Temperature:
    """The number that a network's outputs are divided by, so that its scores say how often it is right.

    Attributes:
        value: above 1 for an overconfident network.
        before: metric -> value without the temperature, on the examples that it was fitted on.
        after: the same, with the temperature.
    """

    value: float
    before: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True)
class ExtraSignature:
    """A signature of a served model in addition to the predictions.

    Attributes:
        inputs: its inputs in addition to the images: name -> specification; the first axis is free, and is that of the
            images.
        answer: (scaled images float32 (N, H, W, C), **inputs) -> named outputs of N rows, in stock TensorFlow operations.
            It may add an output `valid`, bool (N,): false for a row that has no answer because of its other inputs.
        descriptions: one line about each of its inputs and outputs.
        takes_images: false for a signature that does not receive images: `answer` receives the inputs alone, and must return
            `valid`.
        tried: for such a signature, an array of N rows for each input, with which the proof asks it.
    """

    inputs: Mapping[str, tf.TensorSpec]
    answer: Callable[..., Predictions]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    takes_images: bool = True
    tried: Arrays = field(default_factory=dict)
