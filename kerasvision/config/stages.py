"""The settings that each stage of the standard graph receives from an experiment, which are part of its cache key.

A stage receives only the settings that affect its output. Only the evaluator receives the gate, so a changed gate does not
rerun the training.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_serializer, model_validator

from kerasvision.config.augmentation import Augmentation, check_order
from kerasvision.config.base import Config
from kerasvision.config.evaluation import Evaluation, SimpleModels
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.experiment import Experiment, Serving
from kerasvision.config.export import Export
from kerasvision.config.gate import Gate
from kerasvision.config.inference import Predict
from kerasvision.config.model import Model
from kerasvision.config.preparing import Ingest, Splits, Transform
from kerasvision.config.search import Search
from kerasvision.config.sources import AnnotationKind, Source
from kerasvision.config.tasks import Names, Task
from kerasvision.config.training import Training


class ExampleGenSettings(Config):
    """The source, the splits and what to do with bad images; with `splits.folds`, also which fold is the test split."""

    source: Source = Field(description="the experiment's source")
    splits: Splits = Field(description="the experiment's splits")
    ingest: Ingest = Field(description="the experiment's ingest")
    fold: int | None = Field(default=None, ge=1, description="cross-validation: the fold that is the test split, from 1")

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "fold" or value is not None}


class SchemaGenSettings(Config):
    """A committed schema, or None to infer one, the annotations that the task requires, and how the source reads tags."""

    locations: ClassVar[frozenset[str]] = frozenset({"schema_file"})

    schema_file: Path | None = Field(description="the experiment's schema_file")
    requires: tuple[AnnotationKind, ...] = Field(
        default=(), description="what the task requires of every image in addition to its pixels"
    )
    parts_tags: bool | None = Field(
        default=None, description="whether the source parts texts into tags; None: it has no setting for that"
    )

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "parts_tags" or value is not None}

    def files(self) -> Iterator[tuple[str, Path]]:
        """The committed schema, so that changes to it are noticed."""
        if self.schema_file is not None:
            yield "schema.json", self.schema_file


class TransformSettings(Config):
    """Size, colour and scale, and the names that the task needs to have fitted."""

    transform: Transform = Field(description="the experiment's transform")
    names: Names | None = Field(
        default=None, description="how the task finds the names that it predicts; None: the classes of the labels"
    )


class TrainerSettings(Config):
    """Network, training, augmentation, and the task, which defines the loss."""

    task: Task = Field(description="the experiment's task, without metrics of the user")
    model: Model = Field(description="the experiment's model")
    training: Training = Field(description="the experiment's training")
    augment: tuple[Augmentation, ...] = Field(description="the experiment's augment")

    @model_validator(mode="after")
    def _augmentation_is_seen(self) -> "TrainerSettings":
        check_order(self.augment)
        self.training.check_augmentation(self.augment)
        return self

    @property
    def reads(self) -> frozenset[ExamplePart]:
        """The parts of an example that the task or an augmentation reads."""
        return self.task.reads.union(*(settings.reads for settings in self.augment))

    @property
    def shared_by(self) -> str | None:
        """Which processes run the stage together: "tf_config", all processes in TF_CONFIG; None, this process alone."""
        return "tf_config" if self.training.strategy == "multi_worker" else None


class TunerSettings(TrainerSettings):
    """The trainer's settings and the search that varies them."""

    search: Search = Field(description="the experiment's search")

    @property
    def shared_by(self) -> str:
        """The chief and the workers that KerasTuner's environment variables name, if these are set."""
        return "keras_tuner"


class ExporterSettings(Config):
    """The task, which defines the answers, and the formats to write."""

    task: Task = Field(description="the experiment's task, without metrics of the user")
    export: Export = Field(description="the experiment's export")


class SimpleModelsSettings(Config):
    """The task, how 16-bit files are read, and how much data the simple models learn from."""

    task: Task = Field(description="the experiment's task, without metrics of the user")
    significant_bits: int = Field(description="the transform's significant_bits")
    simple_models: SimpleModels = Field(description="the experiment's simple_models")


class EvaluatorSettings(Config):
    """The task, which defines the scores, what is measured, and the gate that judges the scores."""

    task: Task = Field(description="the experiment's task")
    evaluation: Evaluation = Field(description="the experiment's evaluation")
    gate: Gate = Field(description="the experiment's gate")


class InfraValidatorSettings(Config):
    """How many canary images, and how close the answers must be."""

    serving: Serving = Field(description="the experiment's serving")


class CrossValidationSettings(Config):
    """Which fold is added, and what is pushed."""

    fold: int = Field(ge=1, description="the fold that is added, from 1")
    folds: int = Field(ge=2, description="the experiment's splits.folds")
    final: bool = Field(description="whether the experiment pushes a network that is trained on all images")


class PusherSettings(Config):
    """The folder name under saved_models."""

    name: str = Field(description="the experiment's name: the folder under saved_models")


class ForcedPusherSettings(PusherSettings):
    """The reason why a person pushes a model that was not blessed."""

    reason: str = Field(description="why the model is pushed although it was not blessed")

    @field_validator("reason", mode="after")
    @classmethod
    def _says_something(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError(f"a push that overrules the gate requires a reason; received {reason!r}")
        return reason.strip()


class BulkInferrerSettings(Config):
    """The images that a blessed model predicts."""

    predict: Predict = Field(description="the experiment's predict")


def stage_settings(experiment: Experiment) -> dict[str, Config | None]:
    """The settings of every stage of the standard graph, by stage name; None for a stage without settings."""
    e, task, training = experiment, experiment.task.without_added_metrics(), experiment.training.without_final()
    trainer = TrainerSettings(task=task, model=e.model, training=training, augment=e.augment)
    settings: dict[str, Config | None] = {
        "example_gen": ExampleGenSettings(
            source=e.source, splits=e.splits, ingest=e.ingest, fold=None if e.splits.folds is None else 1
        ),
        "statistics_gen": None,
        "schema_gen": SchemaGenSettings(
            schema_file=e.schema_file, requires=e.task.requires, parts_tags=e.source.parts_tags()
        ),
        "example_validator": None,
        "transform": TransformSettings(transform=e.transform, names=e.task.names_to_fit()),
        "trainer": trainer,
        "exporter": ExporterSettings(task=task, export=e.export),
        "evaluator": EvaluatorSettings(task=e.task, evaluation=e.evaluation, gate=e.gate),
        "infra_validator": InfraValidatorSettings(serving=e.serving),
        "pusher": PusherSettings(name=e.name),
    }
    if e.simple_models is not None and e.task.has_simple_models:
        settings["simple_models"] = SimpleModelsSettings(
            task=task, significant_bits=e.transform.significant_bits, simple_models=e.simple_models
        )
    if e.predict is not None:
        settings["bulk_inferrer"] = BulkInferrerSettings(predict=e.predict)
    if e.search is not None:
        settings["tuner"] = TunerSettings(task=task, model=e.model, training=training, augment=e.augment, search=e.search)
    if e.training.final is not None:
        settings |= {
            "final_plan": None,
            "final_trainer": trainer,
            "final_exporter": settings["exporter"],
            "final_infra_validator": settings["infra_validator"],
        }
    return settings


def fold_settings(experiment: Experiment, fold: int) -> dict[str, Config | None]:
    """The settings of the stages that run again for a fold from 2 on, and of `cross_validation`, which adds any fold.

    Its evaluator gets no rules: the gate judges the network of the first fold, which is the one that may be pushed.
    """
    settings = stage_settings(experiment)
    folds = experiment.splits.folds or fold
    again = {name: settings[name] for name in ("transform", "trainer", "exporter")}
    return {
        **again,
        "example_gen": ExampleGenSettings(
            source=experiment.source, splits=experiment.splits, ingest=experiment.ingest, fold=fold
        ),
        "fold_evaluator": EvaluatorSettings(task=experiment.task, evaluation=experiment.evaluation, gate=Gate()),
        "cross_validation": CrossValidationSettings(fold=fold, folds=folds, final=experiment.training.final is not None),
    }
