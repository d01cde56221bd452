"""Compares gradients with finite differences, layer by layer, in float64 (https://cs231n.github.io/neural-networks-3/).

For each layer it compares the slope in a random direction of all the layer's weights, and the slopes of some single weights.
The network runs as in training: batch normalisation uses the batch's statistics, and dropout drops the same units. At the
edge of a ReLU unit or of a maximum a function has no gradient. Steps of several lengths distinguish such a kink from a
mistake; kinks are counted.

In float64, batch normalisation uses Keras' formula: the fused kernel of `kerasvision.ops.normalization` has no float64.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import models
from kerasvision.errors import ConfigError
from kerasvision.progress import bar
from kerasvision.training.probes.layer_gradients import wrong_layers
from kerasvision.training.probes.lines import Function, SlopeComparison, compare_with_slope

BATCH_SIZE = 4
# Number of single weights that are checked in each layer, in addition to the direction of all its weights.
WEIGHTS_PER_LAYER = 3
# The deviation of the noise that is added to the initial weights. A bias of 0 would put whole maps on the edge of a ReLU,
# and a factor of 0 would hide the layers before it.
MOVED = 0.02


@dataclass(frozen=True)
class GradientCheck:
    """The outcome of the comparisons.

    Attributes:
        table: a row per layer with weights: `layer`; `weights`, how many; `checked`, number of comparisons; `kinks` and
            `rounding`, number of comparisons that could not be decided for that reason; `error`, the largest relative error
            of the others; `verdict`: agrees, differs, undecided (more than half could not be decided, or none agrees), or
            flat (the outputs do not depend on the layer's weights).
        wrong: layer -> relative error, for layers whose own gradient is wrong. Such a layer also makes the layers before it
            differ.
    """

    table: pd.DataFrame
    wrong: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether no layer differs or is undecided."""
        return bool(len(self.table)) and self.table["verdict"].isin(["agrees", "flat"]).all().item()

    @property
    def text(self) -> str:
        """The outcome in a few lines."""
        return "\n".join(_lines(self))


def gradient_check(network: keras.Model, *, inputs: Any = None, seed: int = 0) -> GradientCheck:
    """Compares the gradients of a network at its current weights with finite differences.

    Args:
        network: completely float64; see `in_float64`. Its weights are the same afterwards.
        inputs: the network's inputs, float64 (N, ...) tensors; by default four rows of normal noise.
        seed: for noise, directions and the choice of weights.

    Raises:
        ConfigError: the network is not float64, has no weights to train, or its outputs are not finite.

    >>> with in_float64():
    ...     network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="tanh", name="tanh")])
    >>> check = gradient_check(network)
    >>> check.passed, check.table[["layer", "weights", "checked", "verdict"]].values.tolist()
    (True, [['tanh', 8, 4, 'agrees']])
    """
    _refuse(network)
    random = np.random.default_rng(seed)
    inputs = _noise(network, random) if inputs is None else inputs
    before = [variable.numpy() for variable in network.non_trainable_variables]
    function = Function(
        lambda: network(inputs, training=True),
        variables=[weight.value for weight in network.trainable_variables],
        state=[variable.value for variable in network.non_trainable_variables],
        seed=seed,
    )
    if not np.isfinite(function.value()):
        raise ConfigError(f"the outputs of {network.name} must be finite", received=function.value())
    table = _layer_table(network, function, random)
    differ = (table["verdict"] == "differs").any()
    wrong = wrong_layers(network, inputs, random=random) if differ else {}
    for variable, value in zip(network.non_trainable_variables, before, strict=True):
        variable.assign(value)
    return GradientCheck(table, wrong)


def check_builder(
    name: str, *, image_shape: tuple[int, int, int], num_classes: int | None, seed: int = 0, **options: Any
) -> GradientCheck:
    """Builds a network in float64, adds a little noise to its weights, and checks its gradients.

    Args:
        name, image_shape, num_classes, options: see `kerasvision.models.build`; `name` may be "module:function".
        seed: for weights, images, directions and the choice of weights.

    Raises:
        ConfigError: there is no such network, or it cannot be built with these options.
    """
    with in_float64():
        keras.utils.set_random_seed(seed)
        network = models.build(name, image_shape=image_shape, num_classes=num_classes, **options)
        random = np.random.default_rng(seed)
        for weight in network.trainable_variables:
            weight.assign_add(random.normal(0.0, MOVED, weight.shape))
        return gradient_check(network, seed=seed)


@contextmanager
def in_float64() -> Iterator[None]:
    """Within it, new networks are float64.

    >>> with in_float64():
    ...     keras.layers.Dense(2).compute_dtype
    'float64'
    >>> keras.config.floatx()
    'float32'
    """
    floats, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)


def _refuse(network: keras.Model) -> None:
    if not network.trainable_variables:
        raise ConfigError(f"{network.name} has no weights to train, and so no gradients to check")
    others = {layer.name: layer.compute_dtype for layer in network._flatten_layers() if layer.compute_dtype != "float64"}
    others |= {weight.path: weight.dtype for weight in network.trainable_variables if weight.dtype != "float64"}
    if others:
        name, dtype = next(iter(others.items()))
        raise ConfigError(
            f"finite differences require a network in float64; {name} is {dtype}",
            hint="build it within in_float64(), and do not set the dtype of a layer",
        )


def _noise(network: keras.Model, random: np.random.Generator) -> Any:
    """Rows of normal noise, and of random tokens if the network also reads tokens: two per row if the length is free."""
    made = [_noise_like(spec, network, random) for spec in getattr(network, "inputs", None) or ()]
    if not made or any(part is None for part in made):
        raise ConfigError(
            f"the inputs of {network.name} must be float64 numbers of a fixed shape", hint="pass inputs for the check"
        )
    return made[0] if len(made) == 1 else made


def _noise_like(spec: keras.KerasTensor, network: keras.Model, random: np.random.Generator) -> tf.Tensor | None:
    known = [layer.input_dim for layer in network.layers if isinstance(layer, keras.layers.Embedding)]
    if spec.dtype == "int32" and known:
        return tf.constant(random.integers(min(known), size=(BATCH_SIZE, *(size or 2 for size in spec.shape[1:]))), tf.int32)
    if None in spec.shape[1:] or spec.dtype != "float64":
        return None
    return tf.constant(random.normal(size=(BATCH_SIZE, *spec.shape[1:])))


def _layer_table(network: keras.Model, function: Function, random: np.random.Generator) -> pd.DataFrame:
    gradients = function.gradients()
    layers: dict[str, list[int]] = {}
    for number, weight in enumerate(network.trainable_variables):
        path = weight.path.removeprefix(f"{network.name}/")
        layers.setdefault(path.rpartition("/")[0] or path, []).append(number)
    rows = []
    with bar("comparing", total=len(layers)) as advance:
        for layer, numbers in layers.items():
            found = _compared(function, gradients, numbers, random)
            weights = sum(gradients[number].size for number in numbers)
            rows.append({"layer": layer, "weights": weights, **_summed_up(found)})
            advance(1)
    return pd.DataFrame(rows)


def _compared(
    function: Function, gradients: Sequence[np.ndarray], numbers: Sequence[int], random: np.random.Generator
) -> list[SlopeComparison]:
    """Compares in a direction of all weights of a layer, and in single weights, from each of its variables in turn."""
    nowhere: list[np.ndarray | None] = [None] * len(gradients)
    # The length of a line is the root mean square of the weights.
    spread = {number: max(1e-2, float(np.sqrt(np.mean(function.variables[number].numpy() ** 2)))) for number in numbers}
    slopes = np.concatenate([np.ravel(gradients[number]) * spread[number] for number in numbers])
    usual = float(np.sqrt(np.mean(slopes**2)))
    together = list(nowhere)
    for number in numbers:
        together[number] = spread[number] * random.normal(size=gradients[number].shape)
    comparisons = [compare_with_slope(function, gradients, together, usual=usual * np.sqrt(len(slopes)))]
    for turn in range(min(WEIGHTS_PER_LAYER, len(slopes))):
        number = numbers[turn % len(numbers)]
        alone, single = list(nowhere), np.zeros(gradients[number].shape)
        single.flat[random.integers(gradients[number].size)] = spread[number]
        alone[number] = single
        comparisons.append(compare_with_slope(function, gradients, alone, usual=usual))
    return comparisons


def _summed_up(comparisons: Sequence[SlopeComparison]) -> dict[str, Any]:
    verdicts = [each.verdict for each in comparisons]
    undecided = {reason: verdicts.count(reason) for reason in ("kink", "rounding")}
    decided = [each.error for each in comparisons if each.verdict not in undecided]
    if "differs" in verdicts:
        verdict = "differs"
    elif sum(undecided.values()) > (len(verdicts) / 2 if "agrees" in verdicts else 0):
        verdict = "undecided"
    else:
        verdict = "agrees" if "agrees" in verdicts else "flat"
    counts = {"kinks": undecided["kink"], "rounding": undecided["rounding"]}
    return {"checked": len(verdicts), **counts, "error": max(decided, default=np.nan), "verdict": verdict}


def _lines(check: GradientCheck) -> Iterator[str]:
    table = check.table
    agree = table[table["verdict"] == "agrees"]
    compared = int(table["checked"].sum())
    error = f", relative error at most {agree['error'].max():.1e}" if len(agree) else ""
    yield f"{len(agree)} of {len(table)} layers agree with finite differences ({compared} comparisons{error})"
    for reason, cause in ("kinks", "the edge of a ReLU unit or a maximum"), ("rounding", "too few digits"):
        if table[reason].sum():
            yield f"{int(table[reason].sum())} comparisons could not be decided: {cause}"
    for verdict, what in (
        ("differs", "gradients differ"),
        ("undecided", "too few comparisons could be decided (try another seed)"),
        ("flat", "the outputs do not depend on these"),
    ):
        names = table.loc[table["verdict"] == verdict, "layer"].tolist()
        if names:
            yield f"{what}: {', '.join(names)}"
    for layer, off_by in check.wrong.items():
        yield f"the layer {layer} computes a wrong gradient: off by {off_by:.1%}"
    if (table["verdict"] == "differs").any() and not check.wrong:
        yield "each single layer has the right gradient: the mistake is in the operations between the layers"
