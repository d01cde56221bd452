"""An experiment: all settings of a pipeline file in one frozen object."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, RandomCrop, check_order, check_task
from kerasvision.config.base import Config
from kerasvision.config.cluster import Cluster
from kerasvision.config.evaluation import TEN_CROP, Evaluation, SimpleModels
from kerasvision.config.export import Export
from kerasvision.config.gate import Gate
from kerasvision.config.hooks import Hooks
from kerasvision.config.inference import Predict
from kerasvision.config.listeners import Listener
from kerasvision.config.model import Model
from kerasvision.config.object_stores import checked_address
from kerasvision.config.overrides import with_values
from kerasvision.config.preparing import Ingest, Splits, Transform
from kerasvision.config.runners import Local, Runner
from kerasvision.config.search import Search
from kerasvision.config.sources import Source
from kerasvision.config.suggestions import paths_like
from kerasvision.config.tasks import Task
from kerasvision.config.training import Training
from kerasvision.config.warm_start import LATEST, check_latest
from kerasvision.config.whitening import PcaWhitening
from kerasvision.errors import ConfigError

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
# The settings that the trainer receives, which a search may vary.
SEARCHED = ("model", "training", "augment")
# Networks that flatten their image at once, so that pixels need no neighbours.
FLATTENING = ("linear", "mlp")


class Serving(Config):
    """How the saved model is checked: a fresh process sends canary images through it as encoded bytes."""

    canary_examples: int = Field(default=512, ge=1, description="images whose answers must equal the trained model's")
    max_difference: float = Field(default=1e-5, gt=0, description="largest allowed difference of a score")
    latency_queries: int = Field(default=50, ge=5, description="how many queries with one image are timed")
    container: str = Field(
        default="tensorflow/serving",
        description="container image that is also tested, if docker or podman already has it; it is not downloaded",
    )


class Experiment(Config):
    """All settings of a pipeline file."""

    locations: ClassVar[frozenset[str]] = frozenset({"schema_file"})

    name: str = Field(pattern=NAME_PATTERN, description="lower-case letters, digits, - and _; also names folders")
    source: Source = Field(description="where the images come from")
    splits: Splits = Field(default=Splits(), description="which share of the images goes to each split")
    ingest: Ingest = Field(default=Ingest(), description="what happens to images that cannot be used")
    schema_file: Path | None = Field(default=None, description="a committed schema.json; None: infer one")
    transform: Transform = Field(description="size, colour and scale of every image, in training and in serving")
    augment: tuple[Augmentation, ...] = Field(default=(), description="random changes to the training images, in this order")
    task: Task = Field(description="what the network learns")
    model: Model = Field(description="the network and its options")
    training: Training = Field(default=Training(), description="how the network is trained")
    search: Search | None = Field(default=None, description="settings to try before the training, and how; None: no search")
    evaluation: Evaluation = Field(
        default=Evaluation(), description="what is measured of the trained model, and on which images"
    )
    simple_models: SimpleModels | None = Field(
        default=SimpleModels(),
        description="simple models that are scored on the same images for comparison; None: no comparison",
    )
    gate: Gate = Field(default=Gate(), description="rules that the model must pass before it is pushed")
    export: Export = Field(default=Export(), description="in which formats the trained model is written")
    serving: Serving = Field(default=Serving(), description="how the saved model is checked and timed")
    predict: Predict | None = Field(default=None, description="images to predict once the model is blessed")
    hooks: Hooks = Field(default=Hooks(), description="programs that are called after a push or a failure")
    listeners: tuple[Listener, ...] = Field(
        default=(), description="programs that each run tells about itself; one that fails does not change the run"
    )
    cluster: Cluster = Field(
        default=Cluster(), description="what the stages request on a cluster, and secrets that they see"
    )
    object_store: str | None = Field(
        default=None,
        description="address such as s3://bucket/folder to which the artifacts of each stage are copied, and from which "
        "artifacts come back whose folders are gone; None: no copies",
    )
    runner: Runner = Field(
        default=Local(), description="where images are inspected, measured and predicted; the results are the same bytes"
    )

    @field_validator("name", mode="before")
    @classmethod
    def _plain_name(cls, name: object) -> object:
        if isinstance(name, str) and ("/" in name or "\\" in name or ".." in name or "\0" in name):
            raise ValueError(f"a name contains lower-case letters, digits, - and _, and is not a path; received {name!r}")
        return name

    @field_validator("object_store", mode="after")
    @classmethod
    def _address_of_a_folder(cls, address: str | None) -> str | None:
        return None if address is None else checked_address(address)

    @model_validator(mode="after")
    def _metrics_exist(self) -> "Experiment":
        self.gate.check(self.task, slices=self.evaluation.slices)
        for metric in self.evaluation.human:
            self.task.check_metric(metric)
        if self.search is not None:
            self._check_objective(self.search.metric(self.task))
        return self

    def _check_objective(self, objective: str) -> None:
        measured = self.task.training_metric_names()
        if measured and objective not in measured:
            raise ConfigError(
                f"search.objective {objective!r} is not measured in training; {lookup.did_you_mean(objective, measured)}"
            )
        # The loss is always measured.
        if not measured and objective != "loss":
            self.task.check_metric(objective)

    @model_validator(mode="after")
    def _task_goes_with_the_rest(self) -> "Experiment":
        self.task.check_experiment(self)
        if self.predict is not None:
            self.predict.check_answers(self.task.answer_parts)
        check_task(self.augment, requires=self.task.requires)
        for what in self.task.requires:
            if way := self.source.way_to(what):
                task, source = type(self.task).__name__, type(self.source).__name__
                needed = what.replace("_", " ")
                raise ConfigError(f"{task} requires {needed}, but this {source} source gives none", hint=way)
        return self

    @model_validator(mode="after")
    def _simple_models_can_be_compared(self) -> "Experiment":
        if self.simple_models not in (None, SimpleModels()) and not self.task.has_simple_models:
            raise ConfigError(
                f"simple_models has no effect, as there are none for {type(self.task).__name__}",
                received=self.simple_models,
                hint="leave simple_models out",
            )
        return self

    @model_validator(mode="after")
    def _folds_are_trained_with_the_same_settings(self) -> "Experiment":
        if self.splits.folds is not None and self.search is not None:
            raise ConfigError(
                "a search with splits.folds would choose settings on the images of the other folds, which judge them",
                received=self.splits.folds,
                hint="search without splits.folds, write what it finds into the file, and cross-validate that",
            )
        return self

    @model_validator(mode="after")
    def _samples_what_has_labels(self) -> "Experiment":
        if self.training.sampling == "balanced" and "labels" not in self.task.requires:
            raise ConfigError(
                f"training.sampling='balanced' requires one label per image, and {type(self.task).__name__} has none",
                hint="set training.sampling='all'",
            )
        return self

    @model_validator(mode="after")
    def _frozen_layers_know_something(self) -> "Experiment":
        check_order(self.augment)
        for crop in self.augment:
            if isinstance(crop, RandomCrop):
                crop.check_size(self.transform.image_size)
        self.training.check_augmentation(self.augment)
        self.training.check_metrics(self.task, validation=self.splits.validation > 0)
        if self.training.freeze is not None and self.model.weights is None:
            raise ConfigError(
                "training.freeze requires model.weights, or the frozen layers would stay random",
                received=self.training.freeze,
                hint="set model.weights to those of a trained network, or leave training.freeze out",
            )
        for phase in (self.training, self.training.fine_tune):
            if phase is not None and phase.freeze is not None:
                self.model.check_level(phase.freeze)
        return self

    @model_validator(mode="after")
    def _images_are_what_the_weights_want(self) -> "Experiment":
        check_latest(self)
        # A user's own .keras file does not say which images it was trained on.
        if self.model.weights in (None, LATEST) or self.model.weights.endswith(".keras"):
            return self
        if (self.transform.scale, self.transform.color_mode) != ("zero_to_one", "rgb"):
            raise ConfigError(
                "weights of other libraries require transform.scale='zero_to_one' and transform.color_mode='rgb', "
                "because the network itself scales its images as these weights require",
                received=(self.transform.scale, self.transform.color_mode),
                hint="keep the defaults of both",
            )
        return self

    @model_validator(mode="after")
    def _pixels_have_neighbours(self) -> "Experiment":
        if (
            isinstance(self.transform.scale, PcaWhitening)
            and self.model.name not in FLATTENING
            and ":" not in self.model.name
        ):
            raise ConfigError(
                f"pca_whitening leaves no neighbouring pixels, which {self.model.name} requires",
                hint=f"choose zca_whitening, or the network {' or '.join(FLATTENING)}",
            )
        return self

    @model_validator(mode="after")
    def _temperature_is_fitted_on_something(self) -> "Experiment":
        if self.export.temperature and self.splits.validation == 0:
            raise ValueError("export.temperature is fitted on the validation split; received splits.validation=0")
        return self

    @model_validator(mode="after")
    def _views_are_used_once(self) -> "Experiment":
        if self.export.test_time and self.evaluation.test_time:
            raise ConfigError(
                "evaluation.test_time measures what views would add to the saved model; with export.test_time it uses "
                "views already",
                received={"evaluation": self.evaluation.test_time, "export": self.export.test_time},
                hint="leave evaluation.test_time out: all scores are those of the saved model",
            )
        return self

    @model_validator(mode="after")
    def _crops_have_a_border(self) -> "Experiment":
        asked = {"evaluation": self.evaluation.test_time, "export": self.export.test_time}
        place = next((name for name, views in asked.items() if TEN_CROP in views), None)
        if place and self.transform.crop_fraction == 1:
            raise ConfigError(
                f"{place}.test_time='ten_crop' cuts its views out of the picture of which transform.crop_fraction keeps the "
                "centre, and that is the whole picture",
                received=f"fit={self.transform.fit!r}, crop_fraction={self.transform.crop_fraction:g}",
                hint="set transform.fit='crop' and transform.crop_fraction=0.875, which cuts 224 of 256 pixels",
            )
        return self

    def _check_search_path(self, path: str) -> None:
        if path == "training.final":
            raise ConfigError(
                'search.space["training.final"]: a search cannot vary what is trained after the verdict',
                hint="set training.final itself: the final training takes the values that the search finds",
            )
        if path.partition(".")[0] not in SEARCHED:
            like = [".".join(one) for one in paths_like(self, path.split(".")) if one[0] in SEARCHED]
            raise ConfigError(
                f'search.space["{path}"]: a search can only vary paths that begin with {", ".join(SEARCHED)}',
                hint=f"did you mean {' or '.join(like)}?" if like else "",
            )
        if path == "model.weights":
            raise ConfigError(
                'search.space["model.weights"]: a search cannot vary the initial weights, because it would not notice '
                "changes of their files",
                hint="run the pipeline once for each of them",
            )

    @model_validator(mode="after")
    def _search_space_fits(self) -> "Experiment":
        if self.search is None:
            return self
        if self.splits.validation == 0:
            raise ValueError("a search requires a validation split; received splits.validation=0")
        for path in self.search.space:
            self._check_search_path(path)
        # A trial is a complete experiment, with the epochs of a trial.
        trial = self.model_copy(update={"search": None})
        for path, values in self.search.trials_to_check():
            try:
                with_values(trial, {"training.epochs": self.search.epochs, **values})
            except ConfigError as error:
                raise ConfigError(f'search.space["{path}"] cannot be {values[path]!r}: {error}') from None
        return self
