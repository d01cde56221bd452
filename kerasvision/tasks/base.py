"""What training, evaluation and export may know of a task. Nothing above this floor knows more."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.errors import ConfigError

Batch = Mapping[str, tf.Tensor]
Predictions = dict[str, Any]
# (rows int (M,), weights float64 (M, R)) -> metric -> float64 (R,): the scores of some rows under R weightings.
WeightedScores = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]
# signature -> what a served model answers about some images, as arrays; None where it has no such signature.
Ask = Callable[[str], dict[str, np.ndarray] | None]


def _unscaled(share: float) -> float:
    return share


@dataclass(frozen=True)
class Counted:
    """A metric that counts examples, whose interval is exact.

    Attributes:
        right: how many examples count for it.
        of: how many there are.
        scale: a rising function from the share, in [0, 1], to the metric; the share itself by default.
    """

    right: int
    of: int
    scale: Callable[[float], float] = _unscaled


@dataclass(frozen=True)
class Bounded:
    """A metric that counts nothing, but lies between two values; its interval is a bootstrap that knows them.

    Attributes:
        least, most: the two values. Where a metric has no end there, the worst that was seen.
        count: of how many examples it is; of a mean over classes, as if all had the examples of the rarest.
        by_chance: mean and deviation of what chance alone adds to it.
    """

    least: float
    most: float
    count: int
    by_chance: tuple[float, float] = (0.0, 0.0)


# How a metric is measured: what its interval is made of.
Evidence = Counted | Bounded


@dataclass(frozen=True)
class Judgement:
    """How good a whole data set's predictions are.

    Attributes:
        scores: metric -> value, never NaN. A metric of a single class bears its name in brackets: `recall[daisy]`.
        rows: one row per example, in order: id, the truth, the prediction, `loss` (larger is worse), and `correct` where an
            answer is right or wrong.
        tables: further tables by name, a confusion matrix say. One whose columns have a name is a matrix of counts.
        left_out: metric -> why it has no value here.
        weighted_scores: the scores of some rows under many weightings at once; NaN where a metric has no value. Both the
            bootstrap and the slices use it.
        within_label: the same for rows of one label, without metrics of single classes, which say nothing there.
        evidence: rows int (M,) -> metric -> how it is measured on these rows. A metric without evidence has the plain
            bootstrap's interval, or none where all resamples agree.
        remarks: sentences about the model as a whole that a person should read first.
    """

    scores: dict[str, float]
    rows: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    weighted_scores: WeightedScores = field(default=lambda rows, weights: {}, repr=False, compare=False)
    within_label: WeightedScores | None = field(default=None, repr=False, compare=False)
    evidence: Callable[[np.ndarray], Mapping[str, Evidence]] = field(default=lambda rows: {}, repr=False, compare=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objective:
    """The loss that training minimizes, and the metrics that it shows.

    Attributes:
        losses: (targets, outputs, training=whether it is for training) -> float32 (N,), the loss of each example.
        metrics: Keras metrics of (targets, answers).
        answers: what of the network's outputs the metrics see.
    """

    losses: Callable[..., tf.Tensor]
    metrics: list[keras.metrics.Metric]
    answers: Callable[[Any], tf.Tensor] = lambda outputs: outputs


@dataclass(frozen=True)
class Temperature:
    """What a network's outputs are divided by, so that its scores say how often it is right.

    Attributes:
        value: above 1 for a network that is too sure of itself.
        before: metric -> value on the examples that it was fitted on, without it.
        after: likewise, with it.
    """

    value: float
    before: dict[str, float]
    after: dict[str, float]


@dataclass(frozen=True)
class ExtraSignature:
    """A signature of a served model besides that of its predictions.

    Attributes:
        inputs: what it takes besides the images: name -> specification, the first axis that of the images, and free.
        answer: (scaled images float32 (N, H, W, C), **inputs) -> named outputs of N rows, in stock TensorFlow operations.
        descriptions: what each of its inputs and outputs is, in a line.
    """

    inputs: Mapping[str, tf.TensorSpec]
    answer: Callable[..., Predictions]
    descriptions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of an answer, and where in the image the network looked for it.

    Attributes:
        text: the part.
        weights: float (h, w), at least 0, laid over the image as the network sees it.
    """

    text: str
    weights: np.ndarray


@dataclass(frozen=True)
class Illustration:
    """An example as a page shows it.

    Attributes:
        id: of the example.
        answer: what the model said.
        truth: all that would be right.
        parts: of the answer, in order; none where the network does not tell where it looks.
    """

    id: str
    answer: str
    truth: tuple[str, ...]
    parts: tuple[Part, ...] = ()


class Task(ABC):
    """What a network learns: one label per image, or a sentence.

    Args:
        settings: the task's part of the pipeline file.
        classes: class names in the order of their numbers.
    """

    def __init__(self, settings: c.Task, classes: Sequence[str]) -> None:
        self.settings = settings
        self.classes = tuple(classes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that an image can have, each of which a gate by label asks for; none where images have no label."""
        return ()

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Any, Any]:
        """(inputs, targets) of a batch: what the network receives and what the loss compares with. Runs in tf.data."""

    def with_one_answer(self, batch: Batch) -> Batch:
        """A batch to be learned by heart: where several answers are right for an example, only the first is left.

        The loss of several cannot become nothing.
        """
        return batch

    @abstractmethod
    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The network to be trained, with all that training needs."""

    def trained(self, model: keras.Model) -> keras.Model:
        """What `build` made, without that which only training needs: the network to be saved. Weights are shared."""
        return model

    @abstractmethod
    def objective(self) -> Objective:
        """The loss, and the metrics shown while training. Made in the scope of the strategy that trains."""

    @abstractmethod
    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """What serving runs: scaled images float32 (N, H, W, C) to named outputs, in stock TensorFlow operations.

        Args:
            model: the trained network.
            temperature: what `fit_temperature` found; 1 changes nothing.
        """

    def output_descriptions(self) -> dict[str, str]:
        """What each of the predictor's outputs is, in a line; for users of the served model."""
        return {}

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """Name -> what a served model answers besides the predictions; none by default.

        Args:
            model: the trained network.
            temperature: as for `predictor`.
        """
        return {}

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """Extra signatures that an evaluation calls for a batch of a data set -> their inputs besides the images.

        What they answer is joined to the predictions: a row per example, whose later axes may have another length in every
        batch; the shorter ones are filled with zeros.
        """
        return {}

    def fit_temperature(self, model: keras.Model, batches: Iterable[tuple[tf.Tensor, np.ndarray]]) -> Temperature:
        """How much less sure of itself the network should be, or more.

        Args:
            model: the trained network.
            batches: scaled images, float32 (N, H, W, C), with what `truth` says of them.

        Raises:
            ConfigError: answers of this kind have no temperature.
        """
        raise ConfigError(f"the answers of {type(self).__name__} have no temperature", hint="leave export.temperature out")

    @abstractmethod
    def truth(self, batch: Batch) -> np.ndarray:
        """What is right for each example of a batch of a data set: an array of N rows."""

    @abstractmethod
    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """Scores over a whole data set.

        Args:
            ids: of the examples.
            truth: what `truth` gave for them.
            predictions: what `predictor` gave for them, as arrays.
        """

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """One answer out of several to the same examples: of views of an image, or of several models.

        Raises:
            ConfigError: answers of this kind have no average.
        """
        raise ConfigError(
            f"the answers of {type(self).__name__} have no average",
            hint="leave evaluation.test_time and evaluation.ensemble out",
        )

    def simple_models(self) -> dict[str, Any]:
        """name -> untrained scikit-learn estimator from rows of features, float32 (N, D), to the truth; none by default."""
        return {}

    @abstractmethod
    def caption(self, row: pd.Series) -> str:
        """What stands below the image of a row of a judgement: the truth and the answer."""

    def illustrations(self, rows: pd.DataFrame, *, ask: Ask) -> Sequence[Illustration]:
        """Examples with their truth and the whole answer, where a line is too short for them; none by default.

        Args:
            rows: some of a judgement's.
            ask: what the served model says of the images of these rows.
        """
        return ()

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """Further plots of a judgement, title -> figure, whose text is not out of the data: fonts lack many scripts."""
        return {}


def make_task(settings: c.Task, classes: Sequence[str]) -> Task:
    """The task of these settings.

    Raises:
        ConfigError: there is no such class, it does not subclass `Task`, or it lacks a method that every task defines.
    """
    implementation = lookup.load(settings.implementation)
    if not (isinstance(implementation, type) and issubclass(implementation, Task)):
        raise ConfigError(
            f"{type(settings).__name__}.implementation must name a subclass of kerasvision.tasks.base.Task",
            received=settings.implementation,
        )
    if missing := sorted(implementation.__abstractmethods__):
        raise ConfigError(
            f"{settings.implementation} must define {', '.join(missing)}",
            hint=f"the docstrings of {implementation.__bases__[0].__name__} say what each receives and returns",
        )
    task: Task = implementation(settings, classes)
    return task
