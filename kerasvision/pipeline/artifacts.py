"""What stages hand to each other: typed folders, each with a documented layout. The names are TFX's."""

import json
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

OUTPUT = "an output of the stage"
A = TypeVar("A", bound="Artifact")

# `Out[Model]` in a stage's signature: the stage is given an empty folder of that type, and fills it.
Out = Annotated[A, OUTPUT]


class Artifact:
    """A folder that one stage wrote and others read.

    Attributes:
        uri: the folder.
        properties: small facts that the metadata store keeps beside it (`blessed`, `pushed_version`).
    """

    TYPE_NAME: ClassVar[str] = "Artifact"

    def __init__(self, uri: Path | str, properties: dict[str, int | float | str] | None = None) -> None:
        self.uri = Path(uri)
        self.properties = dict(properties or {})

    def __repr__(self) -> str:
        return f"{self.TYPE_NAME}({str(self.uri)!r})"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.uri

    def external_paths(self) -> list[Path]:
        """What belongs to this artifact but lies elsewhere: checked like the folder itself before a reuse."""
        return []


class Examples(Artifact):
    """Encoded images with labels, by split.

    ```
    data/                 a prepared TFDS data set: `tfds.builder_from_directory(uri / "data")` reads it
    manifest.parquet      a row per image of the source: id, path, split, label, group, sha256, size, width, height,
                          format, mode, notes, fault (why it was left out; empty otherwise), captions, objects
    span.json             what was added, removed and changed since the examples before
    ```
    """

    TYPE_NAME = "Examples"

    @property
    def data(self) -> Path:
        """The prepared TFDS data set."""
        return self.uri / "data"

    @property
    def manifest(self) -> Path:
        """One row per image of the source."""
        return self.uri / "manifest.parquet"

    @property
    def span(self) -> Path:
        """What is new in it."""
        return self.uri / "span.json"


class ExampleStatistics(Artifact):
    """Counts and distributions.

    ```
    statistics.json       counts by split and class, sizes, colour, copies
    images.parquet        a row per usable image: brightness, contrast, size, group of look-alikes
    labels.parquet        split, label, count
    duplicates.parquet    kind (exact or near), group, id, split, label
    vocabulary.parquet    word, count, where there are captions
    statistics.html       the same as a page with pictures
    ```
    """

    TYPE_NAME = "ExampleStatistics"

    @property
    def summary(self) -> Path:
        """Counts per split and class, sizes, colour."""
        return self.uri / "statistics.json"

    @property
    def images(self) -> Path:
        """One row per image: brightness, contrast, size."""
        return self.uri / "images.parquet"

    @property
    def page(self) -> Path:
        """The same to look at."""
        return self.uri / "statistics.html"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.page


class Schema(Artifact):
    """What is normal: `schema.json`, which a person may edit, commit and name in `schema_file`."""

    TYPE_NAME = "Schema"

    @property
    def file(self) -> Path:
        """The schema itself."""
        return self.uri / "schema.json"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.file


class ExampleAnomalies(Artifact):
    """What is wrong with the examples: `anomalies.json`, a severity each, worst first, and a verdict; `quarantine.csv`,
    the single images among them, which `ingest.quarantine_file` leaves out when it names that file or a copy of it.
    """

    TYPE_NAME = "ExampleAnomalies"

    @property
    def file(self) -> Path:
        """The list, worst first."""
        return self.uri / "anomalies.json"

    @property
    def quarantine(self) -> Path:
        """The single images that are suspected, with the reason."""
        return self.uri / "quarantine.csv"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.file


class TransformGraph(Artifact):
    """The one function from bytes to the network's input: `transform.json`, its settings and what was fitted."""

    TYPE_NAME = "TransformGraph"

    @property
    def file(self) -> Path:
        """Settings and fitted numbers."""
        return self.uri / "transform.json"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.file


class HyperParameters(Artifact):
    """What the tuner found: `best_hyperparameters.json` (path -> value), `trials.csv`, `search.html`, `search/`.

    `search/` is a project folder of KerasTuner's, whose trials hold logs for TensorBoard. Its properties are `objective`,
    `trials` (how many), `score` (the best), and `seeds_mean`, `seeds_deviation` where it was trained with several seeds.
    """

    TYPE_NAME = "HyperParameters"

    @property
    def best(self) -> Path:
        """The best trial's values by path into the experiment."""
        return self.uri / "best_hyperparameters.json"

    @property
    def trials(self) -> Path:
        """One row per trial, best first."""
        return self.uri / "trials.csv"

    @property
    def search(self) -> Path:
        """KerasTuner's project folder."""
        return self.uri / "search"

    @property
    def page(self) -> Path:
        """The same to look at."""
        return self.uri / "search.html"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.page


class Model(Artifact):
    """A trained network, as Keras and as a server load it.

    ```
    Format-Keras/model.keras     loads with `keras.saving.load_model`, without kerasvision
    Format-Serving/              a SavedModel from image bytes to answers, loads with TensorFlow alone
    history.csv                  a row per epoch
    settings.json                what it was trained with, the tuner's values included
    ```
    """

    TYPE_NAME = "Model"

    @property
    def keras_file(self) -> Path:
        """The Keras model."""
        return self.uri / "Format-Keras" / "model.keras"

    @property
    def saved_model(self) -> Path:
        """The SavedModel."""
        return self.uri / "Format-Serving"

    @property
    def history(self) -> Path:
        """Losses and metrics by epoch."""
        return self.uri / "history.csv"

    @property
    def settings(self) -> Path:
        """The settings that it was trained with."""
        return self.uri / "settings.json"


class ModelEvaluation(Artifact):
    """Scores on the test split.

    `scores.json`, `predictions.parquet` (a row per image), `evaluation.html`, and what the task adds (a confusion matrix).
    """

    TYPE_NAME = "ModelEvaluation"

    @property
    def scores(self) -> Path:
        """Metric name -> value."""
        return self.uri / "scores.json"

    @property
    def predictions(self) -> Path:
        """One row per test image."""
        return self.uri / "predictions.parquet"

    @property
    def page(self) -> Path:
        """The same to look at."""
        return self.uri / "evaluation.html"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.page


class ModelBlessing(Artifact):
    """Whether the model is good enough: an empty file `BLESSED`, `NOT_BLESSED` or `UNDECIDED`, and `verdict.json`.

    Its property `blessed` is 1 or 0.
    """

    TYPE_NAME = "ModelBlessing"

    @property
    def verdict(self) -> Path:
        """Every rule, value and bound."""
        return self.uri / "verdict.json"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.verdict


class InfraBlessing(Artifact):
    """Whether the served model answers as the trained one: `INFRA_BLESSED` or `INFRA_NOT_BLESSED`, `certificate.json`.

    Its property `blessed` is 1 or 0.
    """

    TYPE_NAME = "InfraBlessing"

    @property
    def certificate(self) -> Path:
        """What was asked, answered, and how long it took."""
        return self.uri / "certificate.json"

    @property
    def front(self) -> Path:
        """What a person opens first."""
        return self.certificate


class PushedModel(Artifact):
    """Where the model was copied to: `pushed.json`.

    `{"pushed": true, "version": 3, "destination": "../..(relative to this folder)"}`, or `pushed: false` and `why`. Its
    properties are TFX's: `pushed`, `pushed_version`, `pushed_destination` (relative to the root).
    """

    TYPE_NAME = "PushedModel"

    @property
    def record(self) -> Path:
        """`pushed`, and where to, or why not."""
        return self.uri / "pushed.json"

    @property
    def front(self) -> Path:
        """The version folder, or the record of why there is none."""
        return next((path.resolve() for path in self.external_paths()), self.record)

    def external_paths(self) -> list[Path]:
        """The version folder under saved_models, so that a deleted or altered one is pushed again."""
        record = json.loads(self.record.read_text(encoding="utf-8"))
        return [self.uri / record["destination"]] if record["pushed"] else []


TYPES: dict[str, type[Artifact]] = {
    cls.TYPE_NAME: cls
    for cls in (
        Examples, ExampleStatistics, Schema, ExampleAnomalies, TransformGraph, HyperParameters, Model, ModelEvaluation,
        ModelBlessing, InfraBlessing, PushedModel,
    )
}  # fmt: skip
