"""Judges samples: how they compare with images, and whether a classifier sees in them the class asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.served.signatures import BYTES_SIGNATURE, SAMPLE_PNG
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures, check_added_scores
from kerasvision.tasks.base import Counted, Evidence, Judgement
from kerasvision.tasks.generation.answers import CODE, RESTORED_PNG
from kerasvision.tasks.generation.comparing import Nearest, diversity, frechet_distance
from kerasvision.tasks.generation.reference import Reference
from kerasvision.tasks.metrics import Floats, Measure, quotient, weighted_scores

# What `measured` makes of the PNG files of samples.
SAMPLES = "samples"
AGREEMENT, AGREEMENT_OF_A_CLASS = "agreement", "agreement[class]"
# The answers of a served model about an image, in the units of the metrics: per value of the image or not.
OF_IMAGES = {"reconstruction_loss": True, "kl_divergence": True, "reconstruction_error": False}
BATCH_SIZE = 256
PNG_LEVEL = 1


class Classifier(Protocol):
    """A served classifier, see `ServedModel`.

    Attributes:
        folder: where it is.
    """

    folder: Path

    def __call__(self, signature: str, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """`classes` string (N,), and perhaps more, of `image_bytes` string (N,)."""


@dataclass(frozen=True)
class Judged:
    """Samples of N examples, with all that their metrics need.

    Attributes:
        labels: int64 (N,).
        samples: uint8 (N, H, W, C), one for each example, of its class.
        means: metric -> float64 (N,), whose mean over the examples is the metric.
        agrees: bool (N,), whether the classifier sees the class asked for; None without a classifier.
        classes: the names.
        added: metrics of a user's own.
    """

    labels: npt.NDArray[np.int64]
    samples: npt.NDArray[np.uint8]
    means: Mapping[str, Floats]
    agrees: npt.NDArray[np.bool_] | None
    classes: Sequence[str]
    added: Sequence[c.Metric] = ()

    def scores(
        self, rows: npt.NDArray[np.integer[Any]], weights: Floats, *, within_label: bool = False
    ) -> dict[str, Floats]:
        """Metric -> float64 (R,), NaN if it has no value, of rows int64 (M,) under weights float64 (M, R)."""
        table: dict[str, Measure[_Weighted]] = {name: Measure(partial(_mean, name=name)) for name in self.means}
        if self.agrees is not None:
            table[AGREEMENT_OF_A_CLASS] = Measure(_agreement_of_classes, compares_classes=True)
        table |= added_measures(self.added, _truth_and_answers)
        return weighted_scores(table, _Weighted(self, rows, weights), classes=self.classes, within_label=within_label)

    def evidence(self, rows: npt.NDArray[np.integer[Any]]) -> dict[str, Evidence]:
        """How each metric is measured on rows, int64 (M,): agreement is counted."""
        found: dict[str, Evidence] = added_evidence(self.added, len(rows))
        if self.agrees is None:
            return found
        agrees, labels = self.agrees[rows], self.labels[rows]
        found[AGREEMENT] = Counted(int(agrees.sum()), len(rows))
        for number in np.unique(labels).tolist():
            own = labels == number
            found[f"{AGREEMENT}[{self.classes[number]}]"] = Counted(int(agrees[own].sum()), int(own.sum()))
        return found


def measured(predictions: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The answers for a batch as an evaluation keeps them: the files of samples as uint8 (N, H, W, C), without others.

    Raises:
        DataError: there are no samples among the answers.
    """
    if SAMPLE_PNG not in predictions:
        raise DataError("judging generation requires the samples of a served model")
    kept = {name: rows for name, rows in predictions.items() if name not in (SAMPLE_PNG, RESTORED_PNG, *CODE)}
    return {**kept, SAMPLES: np.stack([tf.io.decode_png(file).numpy() for file in predictions[SAMPLE_PNG]])}


def judged_samples(
    *,
    ids: Sequence[str],
    truth: npt.NDArray[np.int64],
    predictions: Mapping[str, npt.NDArray[Any]],
    classes: Sequence[str],
    settings: c.Generation,
    reference: Reference,
    classifier: Classifier | None = None,
) -> Judgement:
    """All of `Generation.metric_names` that have a value.

    A row has the file of the sample that was made beside the example (`sample_png`), and the id of the training image that
    is nearest to it (`nearest`), with the distance. `loss` of a row is the negative bound of the example, or without one
    -log of how real the discriminator takes it to be.

    Args:
        ids: of the N examples.
        truth: int64 (N,), their class numbers; zeros without classes.
        predictions: what `measured` keeps.
        classes: the names.
        settings: the loss, and the metrics of a user's own.
        reference: the images to compare with.
        classifier: says the classes of samples and images; None without one.

    Raises:
        StageError: an answer is not a number, or a custom metric fails; see `added_metrics`.
        ConfigError: the classifier does not know the classes.
    """
    _check_finite(predictions)
    samples, images = predictions[SAMPLES], reference.pixels_of(ids)
    features, of_images = reference.components(samples), reference.components(images)
    near = reference.nearest(features)
    values = float(np.prod(samples.shape[1:]))
    means = {
        name: predictions[name].astype(np.float64) * (values if is_per_value else 1.0)
        for name, is_per_value in OF_IMAGES.items()
        if name in predictions
    }
    if settings.loss == "elbo":
        means["negative_elbo"] = means["reconstruction_loss"] + means["kl_divergence"]
    said = None
    labels = truth if settings.conditional else np.zeros_like(truth)
    scores = {
        "frechet_distance": frechet_distance(features, of_images),
        "frechet_of_images": frechet_distance(_as_many(reference.features, len(ids)), of_images),
        "novelty": _ratio(near.distances, reference.nearest(of_images).distances),
        "diversity": diversity(features, of_images, labels),
    }
    if classifier is not None:
        said = answered(classifier, samples, classes=classes)
        means[AGREEMENT] = (said == truth).astype(np.float64)
        scores["agreement_of_images"] = float(np.mean(answered(classifier, images, classes=classes) == truth))
    judged = Judged(truth, samples, means, None if said is None else said == truth, classes, settings.metrics)
    every = np.arange(len(ids))
    scores |= {name: float(value[0]) for name, value in judged.scores(every, np.ones((len(ids), 1))).items()}
    check_added_scores(settings.metrics, scores, count=len(ids))
    return Judgement(
        scores={name: value for name, value in scores.items() if not np.isnan(value)},
        rows=_rows(ids, judged, near, said, predictions, reference),
        left_out={name: "there are too few images" for name, value in scores.items() if np.isnan(value)},
        weighted_scores=judged.scores,
        within_label=partial(judged.scores, within_label=True),
        evidence=judged.evidence,
        remarks=_remarks(scores),
    )


def answered(classifier: Classifier, pixels: npt.NDArray[np.uint8], *, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The class numbers that a served classifier gives images, uint8 (N, H, W, C): int64 (N,), -1 for another class.

    Raises:
        ConfigError: it does not answer with `classes`, or never with one of these.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    found: list[int] = []
    for start in range(0, len(pixels), BATCH_SIZE):
        files = [_png(one) for one in pixels[start : start + BATCH_SIZE]]
        answers = classifier(BYTES_SIGNATURE, image_bytes=tf.constant(files))
        if "classes" not in answers or answers["classes"].dtype != tf.string or answers["classes"].shape.rank != 1:
            raise ConfigError(
                "task.classifier must answer with one class for each image", received=f"{classifier.folder}: {list(answers)}"
            )
        found += [numbers.get(name.decode(), -1) for name in answers["classes"].numpy()]
    if found and max(found) < 0:
        raise ConfigError(
            f"task.classifier must know the classes of the images: {', '.join(classes[:5])}", received=classifier.folder
        )
    return np.array(found, np.int64)


@dataclass(frozen=True)
class _Weighted:
    judged: Judged
    rows: npt.NDArray[np.integer[Any]]
    weights: Floats


def _mean(weighted: _Weighted, *, name: str) -> Floats:
    values = weighted.judged.means[name][weighted.rows]
    return quotient(values @ weighted.weights, weighted.weights.sum(axis=0))


def _agreement_of_classes(weighted: _Weighted) -> Floats:
    labels = weighted.judged.labels[weighted.rows]
    of_class = (labels[:, None] == np.arange(len(weighted.judged.classes))).astype(np.float64)
    agrees = weighted.judged.means[AGREEMENT][weighted.rows]
    return quotient((of_class * agrees[:, None]).T @ weighted.weights, of_class.T @ weighted.weights)


def _truth_and_answers(weighted: _Weighted) -> TruthAndAnswers:
    return weighted.judged.labels[weighted.rows], weighted.judged.samples[weighted.rows]


def _as_many(features: Floats, count: int) -> Floats:
    """At most `count` rows of (M, F), evenly spaced."""
    rows: Floats = features[np.linspace(0, len(features) - 1, min(count, len(features))).round().astype(int)]
    return rows


def _ratio(distances: Floats, of_images: Floats) -> float:
    usual = float(np.median(of_images))
    return float(np.median(distances)) / usual if usual else float("nan")


def _check_finite(predictions: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, rows in predictions.items():
        if rows.dtype.kind == "f" and not np.isfinite(rows).all():
            lost = int((~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1)).sum())
            raise StageError(f"{lost} of {len(rows)} answers of the network are not numbers ({name})", hint="train it again")


def _rows(
    ids: Sequence[str],
    judged: Judged,
    near: Nearest,
    said: npt.NDArray[np.int64] | None,
    predictions: Mapping[str, npt.NDArray[Any]],
    reference: Reference,
) -> pd.DataFrame:
    if "negative_elbo" in judged.means:
        losses = judged.means["negative_elbo"]
    else:
        real = predictions["realness"].astype(np.float64)
        own = real[np.arange(len(real)), np.minimum(judged.labels, real.shape[1] - 1)]
        losses = -np.log(np.maximum(own, np.finfo(np.float32).tiny))
    names = [judged.classes[number] if judged.classes else "" for number in judged.labels]
    rows = {
        "id": list(ids),
        "label": names,
        "nearest": [reference.train.ids[place] for place in near.rows],
        "nearest_distance": near.distances,
        "sample_png": [_png(one) for one in judged.samples],
        **{name: values for name, values in judged.means.items() if name != AGREEMENT},
        "loss": losses,
    }
    if said is not None and judged.agrees is not None:
        rows["classified_as"] = [judged.classes[number] if number >= 0 else "" for number in said]
        rows["correct"] = judged.agrees
    return pd.DataFrame(rows)


def _remarks(scores: Mapping[str, float]) -> tuple[str, ...]:
    """Sentences for a person about a model that copies, or always makes one image."""
    found = []
    if scores.get("novelty", 1.0) < 0.5:
        found.append(
            f"The samples are nearer to training images than unseen images are: the median distance is "
            f"{scores['novelty']:.2f} of theirs. The model may copy."
        )
    if scores.get("diversity", 1.0) < 0.5:
        found.append(f"The samples of a class differ only {scores['diversity']:.2f} times as much as images do.")
    return tuple(found)


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    return encode_png(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, compress_level=PNG_LEVEL)
