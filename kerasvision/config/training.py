"""How a network is trained: epochs, batches, optimizer, schedule, precision, what is frozen, devices, seed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from kerasvision import lookup
from kerasvision.config.base import Config, Needs
from kerasvision.config.optimizers import Adagrad, Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from kerasvision.config.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    Polynomial,
    Schedule,
    Step,
)
from kerasvision.config.tasks import Task
from kerasvision.errors import ConfigError

__all__ = [
    "Adagrad", "Adam", "AdamW", "Constant", "Cosine", "EarlyStopping", "Exponential", "FineTuning", "InverseTime", "Lion",
    "Muon", "OneCycle", "Optimizer", "Polynomial", "RmsProp", "Schedule", "Sgd", "Step", "Training",
]  # fmt: skip


class EarlyStopping(Config):
    """Stops a training whose metric on the validation split has not improved for `patience` epochs."""

    metric: str = Field(default="loss", description="one that is measured after every epoch, without val_")
    patience: int = Field(default=5, ge=1, description="epochs")
    minimum_change: float = Field(default=0.0, ge=0, description="a smaller change does not count as better")


class FineTuning(Config):
    """A second phase of the same training, in which more levels learn, usually at a lower rate.

    The optimizer starts from nothing. Batch size, clipping, averages and all other settings are those of the first phase.

    >>> FineTuning(epochs=1, warmup_epochs=2)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: FineTuning: warmup_epochs must lie in [0, epochs]; received warmup_epochs=2.0, epochs=1.
    """

    epochs: int = Field(default=5, ge=1, description="passes over the training images, after those of training.epochs")
    freeze: str | None = Field(
        default=None, description="as training.freeze, but an earlier level; None: the whole network learns"
    )
    optimizer: Optimizer = Field(
        default=Sgd(learning_rate=0.001, momentum=0.9), description="how a step changes the weights in the second phase"
    )
    schedule: Schedule = Field(default=Constant(), description="of the second phase's learning rate after its warm-up")
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs over which the second phase's rate rises from 0")

    @field_validator("freeze")
    @classmethod
    def _level(cls, freeze: str | None) -> str | None:
        return _checked_level(freeze)

    @model_validator(mode="after")
    def _times_fit(self) -> "FineTuning":
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in [0, epochs]; received warmup_epochs={self.warmup_epochs}, epochs={self.epochs}"
            )
        self.schedule.check_length(epochs=self.epochs, warmup_epochs=self.warmup_epochs)
        return self


class Training(Config):
    """One training run. The batch size is global: the replicas share each batch.

    >>> Training(epochs=1, warmup_epochs=2)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Training: warmup_epochs must lie in [0, epochs]; received warmup_epochs=2.0, epochs=1.
    """

    used_with: ClassVar[Mapping[str, Needs]] = {
        **dict.fromkeys(("devices", "replicas"), Needs("strategy", ("mirrored",))),
        "worker_timeout_seconds": Needs("strategy", ("multi_worker",)),
        "best_metric": Needs("keep", ("best",)),
    }

    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    sampling: Literal["all", "balanced"] = Field(
        default="all",
        description="all: an epoch uses each training image once; balanced: each class equally often, with as many images "
        "per epoch, so that images of rare classes repeat",
    )
    plain_epochs: int = Field(default=0, ge=0, description="this many epochs at the end use the images without augmentation")
    batch_size: int = Field(default=32, ge=1, description="images per step over all replicas together")
    micro_batches: int = Field(
        default=1, ge=1, description="parts of a batch that run one after the other to save memory; the step is the same"
    )
    optimizer: Optimizer = Field(default=Sgd(), description="how a step changes the weights")
    schedule: Schedule = Field(default=Constant(), description="how the learning rate changes after the warm-up")
    warmup_epochs: float = Field(default=0.0, ge=0, description="epochs over which the learning rate rises from 0")
    clip_norm: float | None = Field(
        default=None, gt=0, description="gradients are clipped to this norm, taken over all weights and replicas together"
    )
    l1: float = Field(
        default=0.0,
        ge=0,
        description="adds l1 times the sum of the absolute values of the kernels to the minimised loss, but not to the "
        "reported loss; with l2: the elastic penalty. Small weights come near 0, but rarely become exactly 0",
    )
    l2: float = Field(
        default=0.0,
        ge=0,
        description="adds l2 / 2 times the sum of the squares of the kernels to the minimised loss, but not to the reported "
        "loss. Kernels are all weights but biases and those of normalisations",
    )
    average_decay: float | None = Field(
        default=None, gt=0, lt=1, description="use a running mean of the weights as the model; a step keeps this share of it"
    )
    precision: Literal["float32", "bfloat16", "float16", "auto"] = Field(
        default="float32", description="of the layers' arithmetic; weights are float32. auto: what the hardware runs fast"
    )
    xla: Literal["auto", "on", "off"] = Field(default="auto", description="auto: on where it was measured to be faster")
    steps_per_call: int | Literal["auto"] = Field(
        default="auto", description="steps that run without returning to Python; auto: depends on the length of an epoch"
    )
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker"] = Field(
        default="auto",
        description="auto: MirroredStrategy over all GPUs if there are several, else one device; multi_worker: over the "
        "machines that TF_CONFIG names",
    )
    devices: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="mirrored: the devices to use, such as ('GPU:0', 'GPU:2'); by default all"
    )
    replicas: int | None = Field(
        default=None, ge=1, description="mirrored: how many devices; logical CPU devices if there is no GPU"
    )
    worker_timeout_seconds: float = Field(
        default=60.0, gt=0, description="multi_worker: how long a worker waits for the others at the start"
    )
    early_stopping: EarlyStopping | None = Field(default=None, description="when to stop before the last epoch; None: never")
    keep: Literal["last", "best"] = Field(default="last", description="the epoch whose weights the model gets")
    best_metric: str | None = Field(
        default=None, description="keep='best': the metric of the validation split; by default early_stopping's, or the loss"
    )
    checkpoint_minutes: float = Field(
        default=5.0, gt=0, description="how often to save the state of the training, in addition to each end of an epoch"
    )
    freeze: str | None = Field(
        default=None,
        description="freeze the network up to the feature map of this level, such as 'c3'; 'backbone': up to its last one",
    )
    features: Literal["each_step", "once"] = Field(
        default="each_step",
        description="once: the frozen part runs only once for each image, and its feature maps are kept in memory",
    )
    fine_tune: FineTuning | None = Field(
        default=None, description="a second phase, in which layers learn that freeze keeps as they are; None: one phase only"
    )
    final: Literal["all"] | None = Field(
        default=None,
        description="all: once the network is blessed, train another one on the images of all splits, and push that one",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="of the first weights, the order of the images and the augmentation"
    )
    memory_budget_gb: float = Field(
        default=4.0, gt=0, description="keep decoded images in memory between epochs up to this size; else encoded images"
    )

    @field_validator("freeze")
    @classmethod
    def _level(cls, freeze: str | None) -> str | None:
        return _checked_level(freeze)

    @field_validator("steps_per_call", mode="before")
    @classmethod
    def _steps(cls, steps: object) -> object:
        # Without this, pydantic would report two errors, one for each type of the field.
        if steps != "auto" and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
            raise ValueError(f"steps_per_call must be 'auto' or an integer of at least 1; received {steps!r}")
        return steps

    @field_validator("devices")
    @classmethod
    def _devices(cls, devices: tuple[str, ...] | None) -> tuple[str, ...] | None:
        names = devices or ()
        for device in names:
            if not re.fullmatch(r"(GPU|CPU):\d+", device) or names.count(device) > 1:
                raise ValueError(f"devices must be different names such as 'GPU:0'; received {devices}")
        return devices

    @model_validator(mode="after")
    def _times_fit(self) -> "Training":
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs must lie in [0, epochs]; received warmup_epochs={self.warmup_epochs}, epochs={self.epochs}"
            )
        name, last = ("epochs", self.epochs) if self.fine_tune is None else ("fine_tune.epochs", self.fine_tune.epochs)
        if self.plain_epochs > last:
            raise ValueError(
                f"plain_epochs must lie in [0, {name}]; received plain_epochs={self.plain_epochs}, {name}={last}"
            )
        self.schedule.check_length(epochs=self.epochs, warmup_epochs=self.warmup_epochs)
        return self

    @model_validator(mode="after")
    def _batch_divides(self) -> "Training":
        if self.replicas is not None and self.devices is not None and self.replicas != len(self.devices):
            raise ValueError(
                f"replicas must equal the number of devices; received replicas={self.replicas}, devices={self.devices}"
            )
        if fault := self._uneven(self.replicas or len(self.devices or "1")):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Training":
        if self.features == "once" and self.freeze is None:
            raise ValueError("features='once' keeps the maps of a frozen part, so it requires freeze; received freeze=None")
        if self.fine_tune is not None and not _freezes_less(self.fine_tune.freeze, than=self.freeze):
            raise ValueError(
                "fine_tune.freeze must be an earlier level than freeze, so that more layers learn in the second phase; "
                f"received freeze={self.freeze!r}, fine_tune.freeze={self.fine_tune.freeze!r}"
            )
        if self.final is not None and self.strategy == "multi_worker":
            # The workers end after the judged training: they cannot know the verdict.
            raise ValueError(
                "final='all' trains on one machine, and strategy='multi_worker' on several; choose another strategy, or "
                f"leave final out; received final={self.final!r}"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """Without `final`, which changes nothing about the network that is judged."""
        return {name: value for name, value in super().identity().items() if name != "final"}

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "final" or value is not None}

    def without_final(self) -> "Training":
        """The settings of one training: of the network that is judged, or of the final one.

        >>> Training(epochs=3, final="all").without_final() == Training(epochs=3)
        True
        """
        return self.model_copy(update={"final": None})

    def check_batch(self, *, replicas: int) -> None:
        """Raises ConfigError if a batch cannot be divided equally among the micro-batches of all replicas.

        Settings that give the number of replicas are checked when they are made. If the machines decide it,
        `make_strategy` calls this before it makes the replicas. No other code checks the batch size.

        Args:
            replicas: of all workers together.

        >>> Training(batch_size=30, micro_batches=5).check_batch(replicas=4)
        Traceback (most recent call last):
        ...
        kerasvision.errors.ConfigError: training.batch_size must be a multiple of replicas, so that every replica gets ...
        """
        if fault := self._uneven(replicas):
            raise ConfigError(f"training.{fault}")

    def _uneven(self, replicas: int) -> str:
        """What is wrong with the size of a batch for that number of replicas; "" if nothing is wrong."""
        if self.batch_size % replicas:
            return (
                "batch_size must be a multiple of replicas, so that every replica gets equally many images; "
                f"received batch_size={self.batch_size}, replicas={replicas}"
            )
        if self.batch_size % (replicas * self.micro_batches):
            return (
                "batch_size must be a multiple of replicas times micro_batches, so that all parts have equal size; "
                f"received batch_size={self.batch_size}, replicas={replicas}, micro_batches={self.micro_batches}"
            )
        return ""

    @property
    def phases(self) -> tuple["Training", ...]:
        """The trainings that follow each other on the same weights: this one, or the first phase and the fine-tuning.

        >>> training = Training(epochs=10, freeze="backbone", features="once", fine_tune=FineTuning(epochs=3, freeze="c4"))
        >>> [(phase.epochs, phase.freeze, phase.features) for phase in training.phases]
        [(10, 'backbone', 'once'), (3, 'c4', 'each_step')]
        """
        if self.fine_tune is None:
            return (self,)
        # Images without augmentation belong to the end of the whole training.
        first = {**dict(self), "fine_tune": None, "plain_epochs": 0}
        second = {**dict(self), "features": "each_step", **dict(self.fine_tune), "fine_tune": None}
        return Training(**first), Training(**second)

    @property
    def best_by(self) -> str:
        """The metric of the validation split that decides which epoch is the best."""
        return self.best_metric or (self.early_stopping.metric if self.early_stopping else "loss")

    @property
    def chosen_by(self) -> dict[str, str]:
        """The settings that use a metric of the validation split, and which one each of them uses.

        >>> Training(keep="best", best_metric="accuracy", early_stopping=EarlyStopping(patience=2)).chosen_by
        {'early_stopping': 'loss', "keep='best'": 'accuracy'}
        """
        used = {"early_stopping": self.early_stopping.metric} if self.early_stopping else {}
        return used | ({"keep='best'": self.best_by} if self.keep == "best" else {})

    def check_augmentation(self, augment: Sequence[object]) -> None:
        """Raises ConfigError if there is augmentation, but the frozen part runs only once for each image.

        A second phase uses the augmentation, so it is allowed with `fine_tune`.
        """
        if self.features == "once" and augment and self.fine_tune is None:
            raise ConfigError(
                "augment must be empty with training.features='once', which processes every image only once",
                received=augment,
                hint="set training.features='each_step', augment=(), or training.fine_tune, whose phase uses it",
            )

    def check_metrics(self, task: Task, *, validation: bool) -> None:
        """Raises ConfigError if early stopping or `keep` use a metric that is not measured.

        Args:
            task: defines the metrics.
            validation: whether there is a validation split.
        """
        for setting, metric in self.chosen_by.items():
            if not validation:
                raise ConfigError(
                    f"training.{setting} requires a validation split, which the data do not have",
                    hint="set splits.validation above 0",
                )
            measured = task.training_metric_names()
            if measured and metric not in measured:
                hint = lookup.did_you_mean(metric, measured)
                raise ConfigError(f"training.{setting}: no metric {metric!r} is measured after each epoch; {hint}")


def _checked_level(freeze: str | None) -> str | None:
    # Which levels a network has is known when it is built.
    if freeze is not None and not re.fullmatch(r"backbone|c\d+", freeze):
        raise ValueError(f"freeze must be 'backbone' or a level such as 'c3'; received {freeze!r}")
    return freeze


def _freezes_less(level: str | None, *, than: str | None) -> bool:
    """Whether more layers learn if the network is frozen up to `level`; as far as that is known without the network."""
    if level is None or than is None:
        return than is not None
    if level == "backbone":
        return False
    return than == "backbone" or int(level[1:]) < int(than[1:])
