"""How a network is trained: epochs, batches, optimizer, schedule, what is frozen, devices, seed."""

import re
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision.config.base import Component, Config
from kerasvision.errors import ConfigError


class Optimizer(Component):
    """Base of all optimizers. `implementation` is a class that takes the settings' fields as keyword arguments."""

    learning_rate: float = Field(gt=0)


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum where asked for."""

    implementation: ClassVar[str] = "keras.optimizers:SGD"

    learning_rate: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    nesterov: bool = False


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2014, https://arxiv.org/abs/1412.6980, algorithm 1)."""

    implementation: ClassVar[str] = "keras.optimizers:Adam"

    learning_rate: float = Field(default=1e-3, gt=0)
    beta_1: float = Field(default=0.9, ge=0, lt=1)
    beta_2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2017, https://arxiv.org/abs/1711.05101, algorithm 2)."""

    implementation: ClassVar[str] = "keras.optimizers:AdamW"

    weight_decay: float = Field(default=4e-3, ge=0)


class Training(Config):
    """One training run. The batch size is the global one, shared out over the replicas.

    >>> Training(epochs=1, warmup_epochs=2)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Training: warmup_epochs must lie in [0, epochs]; received warmup_epochs=2.0, epochs=1.
    """

    epochs: int = Field(default=10, ge=1)
    plain_epochs: int = Field(default=0, ge=0, description="so many epochs at the end see the images without augmentation")
    batch_size: int = Field(default=32, ge=1, description="images per step over all replicas together")
    optimizer: Optimizer = Sgd()
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="how the learning rate goes on after the warm-up; cosine ends at 0"
    )
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs over which the learning rate rises from 0")
    strategy: Literal["auto", "one_device", "mirrored"] = Field(
        default="auto", description="auto: MirroredStrategy over all GPUs where there are several, else one device"
    )
    replicas: int | None = Field(
        default=None, ge=1, description="mirrored: how many devices; logical CPU devices where there is no GPU"
    )
    freeze: str | None = Field(
        default=None,
        description="leave the network as it is up to the map of this level, 'c3' say; 'backbone': up to its last one",
    )
    features: Literal["each_step", "once"] = Field(
        default="each_step",
        description="once: the frozen part runs a single time for each image, and its maps are kept in memory",
    )
    seed: int = Field(default=0, ge=0, lt=2**31)
    memory_budget_gb: float = Field(
        default=4.0, gt=0, description="decoded images up to this size stay in memory between epochs; else encoded ones do"
    )

    @field_validator("freeze")
    @classmethod
    def _level(cls, freeze: str | None) -> str | None:
        # Which levels a network has is known when it is built.
        if freeze is not None and not re.fullmatch(r"backbone|c\d+", freeze):
            raise ValueError(f"freeze takes 'backbone' or a level such as 'c3'; received {freeze!r}")
        return freeze

    @model_validator(mode="after")
    def _fits_together(self) -> "Training":
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                "warmup_epochs must lie in [0, epochs]; "
                f"received warmup_epochs={self.warmup_epochs}, epochs={self.epochs}"
            )
        if self.plain_epochs > self.epochs:
            raise ValueError(
                "plain_epochs must lie in [0, epochs]; "
                f"received plain_epochs={self.plain_epochs}, epochs={self.epochs}"
            )
        if self.replicas is not None and self.strategy != "mirrored":
            raise ValueError(f"replicas needs strategy='mirrored'; received strategy={self.strategy!r}")
        if self.replicas is not None and self.batch_size % self.replicas:
            raise ValueError(
                "batch_size must be a multiple of replicas, so that every replica gets as many images; "
                f"received batch_size={self.batch_size}, replicas={self.replicas}"
            )
        if self.features == "once" and self.freeze is None:
            raise ValueError("features='once' keeps the maps of a frozen part, so it needs freeze; received freeze=None")
        return self

    def check_augmentation(self, augment: tuple[object, ...]) -> None:
        """Raises ConfigError where the network would see every image once, and random changes could change nothing."""
        if self.features == "once" and augment:
            raise ConfigError(
                "augment must be empty where training.features='once', which looks at every image a single time",
                received=augment,
                hint="set training.features='each_step', or augment=()",
            )
