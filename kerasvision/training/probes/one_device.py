"""The train step of an experiment for a few steps on one device, in Keras' current precision (float32 by default).

What the probes look for does not depend on the devices, and low precision could hide it.
"""

from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Objective, Task, make_task
from kerasvision.training.gradients import Penalty
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.phases import phases
from kerasvision.training.step import TrainStep
from kerasvision.training.transfer import part_to_train, without_auxiliary_heads


@dataclass(frozen=True)
class PreparedStep:
    """An experiment that can be trained step by step.

    Attributes:
        settings: as used here.
        network: the model that is trained.
        objective: of the task.
        step: trains the network; the learning rate of its optimizer can be assigned.
        task: encodes batches.
    """

    settings: TrainerSettings
    network: keras.Model
    objective: Objective
    step: TrainStep
    task: Task


def steady(settings: TrainerSettings) -> TrainerSettings:
    """The settings with a constant learning rate, on one device, without averages of weights or kept feature maps.

    Of a training with fine-tuning, they are those of the first phase.
    """
    settings = phases(settings)[0]
    plain = {
        "schedule": c.Constant(),
        "warmup_epochs": 0.0,
        "average_decay": None,
        "features": "each_step",
        "strategy": "one_device",
        "replicas": None,
        "devices": None,
    }
    return with_value(settings, "training", c.Training(**{**dict(settings.training), **plain}))


def prepare_step(
    settings: TrainerSettings, *, examples: ExampleSet, classes: tuple[str, ...], transform: ImageTransform
) -> PreparedStep:
    """Builds the network and the train step. The same settings give the same weights.

    Args:
        settings: the result of `steady`.
        examples, classes, transform: of the experiment.

    Raises:
        ConfigError: the network has no weights to train, or cannot be built for these images.
    """
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    task = make_task(settings.task, classes).seeing(transform).learning_from(examples.dataset(TRAIN))
    model = settings.model if training.freeze is None else without_auxiliary_heads(settings.model)
    network = task.build(model, image_shape=transform.settings.image_shape)
    part, _, _ = part_to_train(network, settings=settings, examples=examples, transform=transform)
    if not part.trainable_variables:
        raise ConfigError(f"{settings.model.name} has no weights to train", received=training.freeze)
    objective = task.objective()
    step = TrainStep(
        part,
        objective=objective,
        optimizer=make_optimizer(training, steps_per_epoch=1),
        strategy=tf.distribute.get_strategy(),
        micro_batches=training.micro_batches,
        clip_norm=training.clip_norm,
        penalty=Penalty(training.l1, training.l2),
    )
    return PreparedStep(settings, part, objective, step, task)
