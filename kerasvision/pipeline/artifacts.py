"""The artifacts that stages write and read: typed folders, each with a documented layout. The names are TFX's."""

import json
from pathlib import Path

from kerasvision.pipeline.artifact import OUTPUT as OUTPUT
from kerasvision.pipeline.artifact import TYPES as TYPES
from kerasvision.pipeline.artifact import Artifact as Artifact
from kerasvision.pipeline.artifact import Out as Out


class Examples(Artifact):
    """Encoded images with labels, by split.

    ```
    data/                 a prepared TFDS data set: `tfds.builder_from_directory(uri / "data")` reads it
    manifest.parquet      a row per image of the source: id, path, split, source_split (the split in the source, or empty),
                          label, group, sha256, size, width, height, format, mode, notes, fault (why it was left out, or
                          empty), captions, objects, map_classes, values (how many of each), span (in which it was added)
    span.json             what was added, removed and changed since the previous examples
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
        """What changed since the previous examples."""
        return self.uri / "span.json"


class ExampleStatistics(Artifact):
    """Counts and distributions.

    ```
    statistics.json       counts by split and class, sizes, colour, copies
    images.parquet        a row per usable image: brightness, contrast, size, group of look-alikes
    labels.parquet        split, label, count
    duplicates.parquet    kind (exact or near), group, id, split, label
    vocabulary.parquet    word, count, if there are captions
    statistics.html       the same as a page with pictures
    ```
    """

    TYPE_NAME = "ExampleStatistics"
    FRONT = "statistics.html"

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
        """The same as a page with pictures."""
        return self.uri / "statistics.html"


class Schema(Artifact):
    """What valid data look like: `schema.json`, which a person may edit, commit and name in `schema_file`."""

    TYPE_NAME = "Schema"
    FRONT = "schema.json"

    @property
    def file(self) -> Path:
        """The schema itself."""
        return self.uri / "schema.json"


class ExampleAnomalies(Artifact):
    """What is wrong with the examples.

    `anomalies.json` lists the anomalies with their severity, worst first, and a verdict. `quarantine.csv` lists the
    suspicious images; to leave them out, set `ingest.quarantine_file` to that file or a copy of it.
    """

    TYPE_NAME = "ExampleAnomalies"
    FRONT = "anomalies.json"

    @property
    def file(self) -> Path:
        """The list, worst first."""
        return self.uri / "anomalies.json"

    @property
    def quarantine(self) -> Path:
        """The suspicious images, with reasons."""
        return self.uri / "quarantine.csv"


class TransformGraph(Artifact):
    """The function from image bytes to the network's input: `transform.json`, its settings and fitted numbers.

    `transform.npz` has the numbers of whole images, where the scale has some for each pixel.
    If the task fits names, `names.json` next to it lists the names of the network's outputs in the order of their numbers.
    If the transform has a working size, `copies/` has the examples with reduced images, as a prepared TFDS data set.
    """

    TYPE_NAME = "TransformGraph"
    FRONT = "transform.json"

    @property
    def file(self) -> Path:
        """Settings and fitted numbers."""
        return self.uri / "transform.json"


class HyperParameters(Artifact):
    """The result of the tuner: `best_hyperparameters.json` (path -> value), `trials.csv`, `search.html`, `search/`.

    `search/` is a KerasTuner project folder, whose trials contain logs for TensorBoard. The artifact's properties are
    `objective`, `trials` (how many), `score` (the best), and, after a training with several seeds, `seeds_mean` and
    `seeds_deviation`.
    """

    TYPE_NAME = "HyperParameters"
    FRONT = "search.html"

    @property
    def best(self) -> Path:
        """The best trial's values by path of the experiment."""
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
        """The trials as a page."""
        return self.uri / "search.html"


class Model(Artifact):
    """A trained network.

    ```
    Format-Keras/model.keras     loads with `keras.saving.load_model`, without kerasvision; contains its class names
    history.csv                  a row per epoch
    settings.json                the settings of its training, including the tuner's values
    epochs.json                  how many epochs of each phase made its weights: [20], or [20, 5] with a fine-tuning
    epoch_pictures/00001.png     what it made after each epoch, if its task draws that
    final.json                   after the final training: which network was judged, and which one is served
    ```

    Its properties after a final training: `final_images`, on how many images it was trained.
    """

    TYPE_NAME = "Model"

    @property
    def keras_file(self) -> Path:
        """The Keras model."""
        return self.uri / "Format-Keras" / "model.keras"

    @property
    def history(self) -> Path:
        """Losses and metrics by epoch."""
        return self.uri / "history.csv"

    @property
    def settings(self) -> Path:
        """The settings that it was trained with."""
        return self.uri / "settings.json"

    @property
    def epochs(self) -> Path:
        """How many epochs of each phase made its weights."""
        return self.uri / "epochs.json"

    @property
    def final(self) -> Path:
        """Which network was judged, and which one is served; only final_trainer writes it."""
        return self.uri / "final.json"


class FinalPlan(Artifact):
    """Whether to train another network on all images, and for how long: `final_plan.json`.

    `{"trains": true, "epochs": [20], "reason": ""}`, or `trains: false` and the reason.
    """

    TYPE_NAME = "FinalPlan"
    FRONT = "final_plan.json"

    @property
    def file(self) -> Path:
        """The plan itself."""
        return self.uri / "final_plan.json"


class SavedModel(Artifact):
    """A trained network in the formats that servers load.

    ```
    Format-Serving/              a SavedModel from image bytes to answers, loads with TensorFlow alone
    Format-LiteRT/               model.tflite, model_int8.tflite, if requested
    Format-ONNX/                 model.onnx, if requested
    Format-OpenVINO/             model.xml, model_bfloat16.xml, if requested; a user's own formats have similar folders
    export.json                  the signatures, temperature, decisions and views; how close the other formats' answers are
    ```
    """

    TYPE_NAME = "SavedModel"
    FRONT = "export.json"

    @property
    def saved_model(self) -> Path:
        """The SavedModel itself."""
        return self.uri / "Format-Serving"

    @property
    def record(self) -> Path:
        """What was exported, and how."""
        return self.uri / "export.json"


class SimpleScores(Artifact):
    """Scores of simple models on the test split: `simple_scores.csv`, best first, and `simple_scores.json`.

    Columns: model, features (pixels, principal components, or images), metric, score, low, high, train_examples,
    test_examples, seconds, notes. Its properties name the best: `simple_model`, and its score, such as `simple_accuracy`.
    """

    TYPE_NAME = "SimpleScores"
    FRONT = "simple_scores.csv"

    @property
    def table(self) -> Path:
        """A row per model."""
        return self.uri / "simple_scores.csv"

    @property
    def choices(self) -> Path | None:
        """Choices on the validation split: model, features, settings, accuracy; None if no model chose."""
        file = self.uri / "choices.csv"
        return file if file.is_file() else None


class ModelEvaluation(Artifact):
    """Scores of the served model.

    ```
    scores.json           confidence, resamples; splits -> name -> count, scores -> metric -> score, low, high; left_out
                          -> metric -> why; human -> scores, source
    slices.csv            split, slice, value, count, metric, score, low, high, range
    variants.csv          variant, metric, score, low, high, difference, ...: test-time views and ensembles, if requested
    predictions.parquet   a row per test image, with its slices
    confusion.csv, ...    tables of the task; for classification also confused_pairs.csv and calibration.csv
    validation/           predictions.parquet and the task's tables for the validation split
    evaluation.html       everything as a page
    ```
    """

    TYPE_NAME = "ModelEvaluation"
    FRONT = "evaluation.html"

    @property
    def scores(self) -> Path:
        """Scores of every split, with intervals."""
        return self.uri / "scores.json"

    @property
    def slices(self) -> Path:
        """Scores of every slice of every split."""
        return self.uri / "slices.csv"

    @property
    def predictions(self) -> Path:
        """One row per test image."""
        return self.uri / "predictions.parquet"

    @property
    def page(self) -> Path:
        """Everything as a page."""
        return self.uri / "evaluation.html"


class CrossValidation(Artifact):
    """Scores of the networks of several folds, each on its own fold.

    ```
    folds.csv                a row per fold and metric: fold, examples, metric, score
    cross_validation.csv     a row per metric: metric, mean, deviation, folds
    cross_validation.json    the same, and `served`: what is pushed
    cross_validation.html    everything as a page
    ```

    Its properties: `folds`, how many it has; `headline`, the main metric, with `mean` and `deviation`.
    """

    TYPE_NAME = "CrossValidation"
    FRONT = "cross_validation.html"

    @property
    def folds(self) -> Path:
        """A row per fold and metric."""
        return self.uri / "folds.csv"

    @property
    def record(self) -> Path:
        """Mean and deviation of each metric, and what is pushed."""
        return self.uri / "cross_validation.json"


class ModelBlessing(Artifact):
    """Whether the model is good enough: an empty file `BLESSED`, `NOT_BLESSED` or `UNDECIDED`, and `verdict.json`.

    Its property `blessed` is 1 or 0.
    """

    TYPE_NAME = "ModelBlessing"
    FRONT = "verdict.json"

    @property
    def verdict(self) -> Path:
        """The value and the bound of every rule."""
        return self.uri / "verdict.json"


class InfraBlessing(Artifact):
    """Whether the served model's answers equal the trained model's: an empty file `INFRA_BLESSED` or `INFRA_NOT_BLESSED`,
    and `certificate.json`.

    Its property `blessed` is 1 or 0.
    """

    TYPE_NAME = "InfraBlessing"
    FRONT = "certificate.json"

    @property
    def certificate(self) -> Path:
        """The requests, how the answers compare, and how long they took."""
        return self.uri / "certificate.json"


class PushedModel(Artifact):
    """Where the model was copied to: `pushed.json`.

    `{"pushed": true, "version": 3, "destination": "../..(relative to this folder)"}`, or `pushed: false` and `why`. Its
    properties are TFX's: `pushed`, `pushed_version`, `pushed_destination` (relative to the root).
    """

    TYPE_NAME = "PushedModel"

    @property
    def record(self) -> Path:
        """Whether the model was pushed, and the destination or the reason."""
        return self.uri / "pushed.json"

    @property
    def front(self) -> Path:
        """The version folder, or the record if nothing was pushed."""
        return next((path.resolve() for path in self.external_paths()), self.record)

    def external_paths(self) -> list[Path]:
        """The version folder in saved_models, so that the model is pushed again if that folder was deleted or altered."""
        record = json.loads(self.record.read_text(encoding="utf-8"))
        return [self.uri / record["destination"]] if record["pushed"] else []


class InferenceResult(Artifact):
    """Predictions of a blessed model for images outside the data set.

    ```
    predictions.parquet   a row per image: path, label and score, label_2 and score_2, ..., every other output, fault
    pictures/             with `predict.pictures`, each answer drawn over its image: 000001_cat.jpg
    maps/                 with `predict.maps`, the class number of each pixel: 000001_cat.png
    inference.json        inferred, images, faults, and the names of the first faulty images; or inferred: false, and why
    ```

    Its properties: `inferred`, 1 or 0; `images`; `faults`.
    """

    TYPE_NAME = "InferenceResult"

    @property
    def predictions(self) -> Path:
        """One row per image; missing if the model was not blessed."""
        return self.uri / "predictions.parquet"

    @property
    def pictures(self) -> Path:
        """The folder of the answers drawn over their images; missing without `predict.pictures`."""
        return self.uri / "pictures"

    @property
    def maps(self) -> Path:
        """The folder of the class numbers of pixels; missing without `predict.maps`."""
        return self.uri / "maps"

    @property
    def record(self) -> Path:
        """How many images were predicted, and which ones could not be used."""
        return self.uri / "inference.json"

    @property
    def front(self) -> Path:
        """The file that a person opens first."""
        return self.predictions if self.predictions.exists() else self.record
