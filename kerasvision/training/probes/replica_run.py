"""Runs a few steps of an experiment on a number of logical CPU devices, in a separate process, and returns the weights."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.names import class_names
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import StageError
from kerasvision.tasks.base import Objective, Player, make_task
from kerasvision.training.checkpointing.variable_values import assign_values, read_values
from kerasvision.training.devices.dropout import seed_generators
from kerasvision.training.devices.strategy import make_logical_devices, make_strategy
from kerasvision.training.gradients import Penalty
from kerasvision.training.interruption import end_with_parent
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.parts import model_for_training
from kerasvision.training.phases import phases
from kerasvision.training.step import LostError, TrainStep
from kerasvision.training.task_inputs import task_inputs
from kerasvision.training.transfer import part_to_train

# Attributes of Keras' random layers; at 0 the layer changes nothing.
STRENGTHS = ("rate", "stddev")
Dtype = Literal["float32", "float64"]


@dataclass(frozen=True)
class ReplicaRun:
    """The outcome of a run.

    Attributes:
        losses: float32 (steps,).
        weights: name -> value, all weights of the network after the last step, float32 or float64 of the weight's shape.
        kept_apart: names of the weights that are not the same on all replicas.
        outputs: layer -> float64 (rows,), for each row of the first batch a number that depends on all the layer's outputs.
        random: layers that draw random numbers and cannot be made deterministic.
    """

    losses: np.ndarray
    weights: dict[str, np.ndarray]
    kept_apart: tuple[str, ...]
    outputs: dict[str, np.ndarray]
    random: tuple[str, ...]


def prepare_process(replicas: int) -> None:
    """Gives this process one CPU device per replica and no GPU. Call it before TensorFlow runs anything."""
    end_with_parent()
    tf.config.set_visible_devices([], "GPU")
    make_logical_devices(replicas)


def plain_settings(settings: TrainerSettings, *, replicas: int) -> TrainerSettings:
    """The settings for a comparison: in float32, with one CPU device per replica, without XLA or kept feature maps.

    Of a training with fine-tuning, they are those of the first phase.

    Raises:
        ConfigError: the batch cannot be divided among the replicas.
    """
    settings = phases(settings)[0]
    devices = tuple(f"CPU:{number}" for number in range(replicas))
    place = {"strategy": "one_device", "devices": None} if replicas == 1 else {"strategy": "mirrored", "devices": devices}
    plain = {**place, "replicas": None, "precision": "float32", "xla": "off", "features": "each_step"}
    return with_value(settings, "training", c.Training(**{**dict(settings.training), **plain}))


def replica_run(settings: str, examples: Path, transform: Path, *, steps: int, dtype: Dtype) -> ReplicaRun:
    """Trains a few steps and returns what to compare.

    Args:
        settings: the result of `plain_settings`, as JSON.
        examples: the folder of a prepared data set.
        transform: the file `transform.json`.
        steps: number of training steps.
        dtype: of all computations and weights.

    Raises:
        StageError: the loss became infinite or not a number.
    """
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    parsed = TrainerSettings.parse(json.loads(settings))
    strategy = make_strategy(parsed.training)
    known = ExampleSet(examples)
    step, random, batches = _prepared(
        parsed,
        known,
        ImageTransform.load(transform),
        classes=class_names(transform, labels=known.classes),
        strategy=strategy,
        dtype=dtype,
        steps=steps,
    )
    iterator = step.share_out(batches)
    before = read_values(step.variables())
    outputs = _outputs(step.network, next(iter(iterator)), strategy)
    assign_values(step.variables(), before)
    try:
        losses = step.run(iter(iterator), steps)
    except LostError as lost:
        raise StageError(f"the loss or its gradient became infinite or not a number at step {lost.position + 1}") from lost
    named = {f"{number:04d} {weight.path}": weight for number, weight in enumerate(step.network.variables)}
    values = read_values({name: weight for name, weight in named.items() if "seed_generator" not in name})
    weights = {name: value for name, value in values.items() if " of replica " not in name}
    apart = dict.fromkeys(name.split(" of replica ")[0] for name in values if name not in weights)
    return ReplicaRun(losses, weights, tuple(apart), outputs, random)


def _prepared(
    settings: TrainerSettings,
    examples: ExampleSet,
    transform: ImageTransform,
    *,
    classes: tuple[str, ...],
    strategy: tf.distribute.Strategy,
    dtype: Dtype,
    steps: int,
) -> tuple[TrainStep, tuple[str, ...], tf.data.Dataset]:
    training = settings.training
    task = make_task(settings.task, classes).seeing(transform).learning_from(examples.dataset(TRAIN))
    keras.utils.set_random_seed(training.seed)
    per_epoch = max(1, examples.count(TRAIN) // training.batch_size)
    with strategy.scope():
        model = model_for_training(settings, replicas=strategy.num_replicas_in_sync)
        whole = task.build(model, image_shape=transform.settings.image_shape)
        network, source, prepare = part_to_train(whole, settings=settings, examples=examples, transform=transform)
        objective, optimizer = task.objective(), make_optimizer(training, steps_per_epoch=per_epoch)
    random = tuple(_without_random_numbers(network))
    step = _train_step(network, objective, optimizer, training=training, strategy=strategy, dtype=dtype)
    batches, _ = training_batches(
        source,
        transform=prepare,
        encode=task.encode,
        augment=settings.augment,
        batch_size=training.batch_size,
        epochs=-(-steps // per_epoch),
        seed=training.seed,
        memory_budget_gb=training.memory_budget_gb,
        sampling=training.sampling,
        **task_inputs(task, settings),
    )
    return step, random, batches


def _train_step(
    network: keras.Model,
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    *,
    training: c.Training,
    strategy: tf.distribute.Strategy,
    dtype: Dtype,
) -> TrainStep:
    decay = training.average_decay
    step = TrainStep(
        network,
        objective=_in_64_bits(objective) if dtype == "float64" else objective,
        optimizer=optimizer,
        strategy=strategy,
        micro_batches=training.micro_batches,
        clip_norm=training.clip_norm,
        averages=None if decay is None else WeightAverages(network, decay=decay, strategy=strategy),
        penalty=Penalty(training.l1, training.l2),
    )
    if dtype == "float64":
        # A loss divided by n would pass the gradient 1 / n through its float32, which rounds; replicas divide float64 sums.
        step._divided = False
    return step


def _in_64_bits(objective: Objective) -> Objective:
    def cast(losses: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
        return lambda targets, outputs, training: tf.cast(losses(targets, outputs, training=training), tf.float64)

    def players(network: keras.Model) -> list[Player]:
        return [replace(one, losses=cast(one.losses)) for one in objective.players(network)]

    return replace(objective, losses=cast(objective.losses), players=players)


def _without_random_numbers(network: keras.Model) -> Iterator[str]:
    """Turns off dropout and noise, which differ between replicas by design; yields random layers that it cannot turn off."""
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if not layer._seed_generators:
            continue
        known = [name for name in STRENGTHS if isinstance(getattr(layer, name, None), int | float)]
        for name in known:
            setattr(layer, name, 0.0)
        if not known and any(True for _ in seed_generators(layer)):
            yield layer.name


def _outputs(network: keras.Model, batch: Any, strategy: tf.distribute.Strategy) -> dict[str, np.ndarray]:
    """See `ReplicaRun.outputs`. Empty for a network that is not a graph of layers."""
    graph = getattr(network, "_functional", network)  # of a Sequential
    layers = [
        layer
        for layer in (graph.layers if hasattr(graph, "operations") else ())
        if not isinstance(layer, keras.layers.InputLayer) and isinstance(layer.output, keras.KerasTensor)
    ]
    if not layers:
        return {}
    inner = keras.Model(graph.inputs, [layer.output for layer in layers])

    def fingerprints(batch: Any) -> list[tf.Tensor]:
        inputs, *_ = keras.utils.unpack_x_y_sample_weight(batch)
        return [_fingerprint(output) for output in inner(inputs, training=True)]

    found = strategy.run(tf.function(fingerprints, autograph=False), args=(batch,))
    values = [np.concatenate([np.array(part) for part in strategy.experimental_local_results(each)]) for each in found]
    return {layer.name: value for layer, value in zip(layers, values, strict=True)}


def _fingerprint(output: tf.Tensor) -> tf.Tensor:
    """float64 (rows,): the sum of each row's values times random factors, which are the same for all rows."""
    rows = tf.reshape(tf.cast(output, tf.float64), [tf.shape(output)[0], -1])
    factors = tf.random.stateless_normal([tf.shape(rows)[1]], [0, 0], dtype=tf.float64)
    return tf.linalg.matvec(rows, factors)
