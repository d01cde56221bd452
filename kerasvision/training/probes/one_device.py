"""The train step of an experiment for a few steps: on one device, in the precision that Keras has now, float32 by default.

What is looked for does not depend on the devices, and should not be hidden by rounding.
"""

from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Objective, Task, make_task
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep
from kerasvision.training.transfer import part_to_train, without_auxiliary_heads


@dataclass(frozen=True)
class PreparedStep:
    """An experiment that can be trained by hand.

    Attributes:
        settings: as they are used here.
        network: what is trained.
        objective: of the task.
        step: trains it; its optimizer has a learning rate that can be assigned.
        task: encodes batches.
    """

    settings: TrainerSettings
    network: keras.Model
    objective: Objective
    step: TrainStep
    task: Task


def steady(settings: TrainerSettings) -> TrainerSettings:
    """The settings with a learning rate that stays, on one device, without averages, and without kept feature maps."""
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
    """Builds the network and the train step; same settings, same weights.

    Args:
        settings: `steady` ones.
        examples, classes, transform: of the experiment.

    Raises:
        ConfigError: a network without weights to train, or that cannot be built for these images.
    """
    training = settings.training
    keras.utils.set_random_seed(training.seed)
    task = make_task(settings.task, classes)
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
        l2=training.l2,
    )
    return PreparedStep(settings, part, objective, step, task)
