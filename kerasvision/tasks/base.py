"""What training, evaluation and export know about a task: the packages above this one use nothing else of it."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.ops.places import Places
from kerasvision.ops.views import View
from kerasvision.tasks.extra import ExtraSignature as ExtraSignature
from kerasvision.tasks.extra import Predictions as Predictions
from kerasvision.tasks.extra import Temperature as Temperature
from kerasvision.tasks.illustration import Illustration as Illustration
from kerasvision.tasks.illustration import Part as Part
from kerasvision.tasks.judged import Ask as Ask
from kerasvision.tasks.judged import Baseline as Baseline
from kerasvision.tasks.judged import Batch as Batch
from kerasvision.tasks.judged import Judged as Judged
from kerasvision.tasks.judgement import Bounded as Bounded
from kerasvision.tasks.judgement import Counted as Counted
from kerasvision.tasks.judgement import Evidence as Evidence
from kerasvision.tasks.judgement import Judgement as Judgement
from kerasvision.tasks.judgement import WeightedScores as WeightedScores
from kerasvision.tasks.lessons import Lessons as Lessons
from kerasvision.tasks.lessons import Teaching as Teaching
from kerasvision.tasks.objective import Arrays as Arrays
from kerasvision.tasks.objective import Collected as Collected
from kerasvision.tasks.objective import Objective as Objective
from kerasvision.tasks.objective import Player as Player
from kerasvision.tasks.split_pixels import SplitPixels as SplitPixels

# The folder of the pictures of `Task.epoch_picture`, in the folder of a training and beside its history.
EPOCH_PICTURES = "epoch_pictures"


class Task(Judged):
    """What a network learns: one label per image, for example, or a sentence.

    A batch of a data set is name -> tensor of N rows: `image` string (N,), encoded; `id` string (N,); `label` int64 (N,);
    `tags` float32 (N, C), 1 for each tag of an image; `captions` string (N, K), ragged in K; `values` float32 (N, V), NaN
    where one is missing. In `encode` and `with_one_answer`, `image` is float32 (N, H, W, C), scaled, and mixed images have
    `label_shares` float32 (N, C). While training, `encode` also gets `place` int64 (N,), consecutive numbers of the images
    in the order of the whole training: a seed for what is drawn for an image. Predictions are name -> (N, ...), as each
    task's `predictor` says; truth is int64 (N,) class numbers, or object (N,) tuples of captions.

    Args:
        settings: the task's part of the pipeline file.
        classes: class names in the order of their numbers.

    Which stage calls which method:

    - trainer: `learning_from`, `build` and `objective` once, `encode` for every batch, and `trained` for the network that it
      saves
    - exporter: `predictor`, whose outputs the SavedModel answers with after `placed_back`; infra_validator compares both;
      with `export.test_time`, both call `over_views` before; with `serves_decisions`, `decided_on` comes first
    - evaluator: `truth` for every batch, then `judge`, and `caption`, `reasons` and `figures` for its page

    `kerasvision.tasks.measured.MeasuredTask` defines all of them but four, from the metrics of the settings; examples/task
    subclasses it.

    Attributes:
        serves_decisions: whether a served model contains what `decided_on` decides, such as thresholds. Then the exporter
            asks the network about the validation split, keeps `decisions` in `export.json`, and exports the task that
            `with_decisions` returns; an evaluation and the proof read them from there.
    """

    serves_decisions: ClassVar[bool] = False

    def __init__(self, settings: c.Task, classes: Sequence[str]) -> None:
        self.settings = settings
        self.classes = tuple(classes)

    @property
    def draws(self) -> int:
        """How many random numbers `encode` receives for each example; 0 by default.

        They are `numbers` of the batch: float32 (N, draws), uniform in [0, 1). In training they depend on the seed, the
        epoch and the place of the example alone, so they are the same on any number of replicas, and after a resume. In an
        evaluation they depend on the place alone.
        """
        return 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that an image can have, which a gate's rule for `label` judges one by one; empty if there are none."""
        return ()

    def seeing(self, transform: ImageTransform) -> Self:
        """The task for a network whose images go through this transform. By default it does not depend on it.

        Every stage that builds, trains, exports, proves or evaluates a network calls it once, before all other methods.
        """
        return self

    @abstractmethod
    def encode(self, batch: Batch) -> tuple[Any, Any]:
        """(inputs, targets) of a batch: what the network receives, and what the loss compares with. Runs in tf.data."""

    def reduced(self, example: dict[str, Any]) -> dict[str, Any]:
        """What training keeps of one example: a smaller form of what it reads, such as one map instead of many masks.

        Runs in tf.data, in training and in the validation, after the image is decoded and cut, and before augmentation and
        padding. It must depend on the example, the settings and the classes alone. By default the example stays as it is.

        Args:
            example: "image" float32 (H, W, C), "id", and the parts that the task reads: `label` int64 scalar; `captions`
                string (K,); `objects` with M rows in each part. If examples are kept in memory, captions may be padded with
                "", and objects with rows of label -1. If objects have masks and images are padded, `covered` bool (H, W)
                says where the image lies; it is not kept.

        Returns:
            A dict with "image" and "id". A new part has a fixed shape. An augmentation that moves the pixels moves only the
            parts that it knows.
        """
        return example

    def with_one_answer(self, batch: Batch) -> Batch:
        """A batch to memorize: if several answers are right for an example, only the first remains.

        A loss against several answers cannot become zero.
        """
        return batch

    def learning_from(self, examples: tf.data.Dataset) -> Self:
        """The task for a training on these examples. By default it does not depend on them, and they are not read.

        A trainer calls it once, before `objective`.

        Args:
            examples: the train split, one by one: a dict of tensors without a batch axis; images are encoded.
        """
        return self

    @abstractmethod
    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The network to train, with all parts that training needs."""

    def trained(self, model: keras.Model) -> keras.Model:
        """The network to save: what `build` made, without the parts that only training needs. Weights are shared."""
        return model

    @abstractmethod
    def objective(self) -> Objective:
        """The loss, and the metrics shown during training. Created in the scope of the strategy that trains."""

    @abstractmethod
    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """What serving runs: scaled images float32 (N, H, W, C) -> named outputs of N rows, in stock TensorFlow operations.

        Args:
            model: the trained network.
            temperature: what `fit_temperature` found; 1 changes nothing.
        """

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor and of `placed_back`, for users of the served model."""
        return {}

    def placed_back(self, answers: Predictions, places: Places) -> Predictions:
        """Answers about what the network sees, as answers about the original upright images; by default they are the same.

        All signatures that take encoded images use it, and so does an evaluation. `serve_tensor` does not.

        Args:
            answers: named outputs of N rows, of the predictor or of an extra signature.
            places: where the N images lie in what the network sees.

        Returns:
            Named outputs of N rows, in stock TensorFlow operations. There may be more of them than in `answers`.
        """
        return answers

    def in_frame(self, answers: Predictions) -> Predictions:
        """What `serve_tensor` and other formats answer of the predictor's outputs; by default all of them.

        A task leaves out what only `placed_back` reads, such as a large tensor.

        Args:
            answers: named outputs of N rows, of the predictor.
        """
        return answers

    def maps(self) -> Mapping[str, tuple[str, ...]]:
        """Which outputs are maps: an output of a class for each pixel -> outputs counted from it. Empty by default.

        A map is uint8 (N, H, W), or a string (N,) with a grey PNG, whose name ends in `_bytes`. A proof that two models
        give the same answers allows a few other pixels, because rounding may decide between two equally good classes.
        """
        return {}

    def binary(self) -> frozenset[str]:
        """Which outputs of strings are bytes and not text. Their names end in `_bytes`; none by default.

        TensorFlow Serving sends an output with such a name as base64.
        """
        return frozenset()

    def pictures(self) -> frozenset[str]:
        """Which outputs are pictures: a string (N,) with a PNG, whose name ends in `_bytes`. None by default.

        A proof that two models give the same answers allows a difference of one step of 255 in each value, because rounding
        may decide between two steps.
        """
        return frozenset()

    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Which outputs are sets: an output of corners -> the outputs that belong to its rows. Empty by default.

        The corners are float (N, K, 4): y_min, x_min, y_max, x_max of each thing that was found. The other outputs have
        N times K rows too. A row of zeros and empty texts is empty. A proof that two models give the same answers first
        matches the rows of a set, because rounding may swap two of them.
        """
        return {}

    def also_right(
        self, received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], closeness: float
    ) -> Mapping[str, np.ndarray]:
        """In which rows what was decided is also right: output -> bool (N,). Empty by default.

        A proof that two models give the same answers accepts a difference of these outputs in these rows: of two labels, for
        example, whose scores nearly agree, either may be the answer. It checks nothing else there, so the method compares
        each received decision with the expected scores.

        Args:
            received, expected: output -> array (N, ...), of two models, after `placed_back` or `in_frame`; texts are str.
                What `expected` has, `received` has in the same shape. Other formats answer with numbers alone.
            closeness: how far a number may differ between the two models.
        """
        return {}

    def units(self, model: keras.Model) -> Mapping[str, np.ndarray]:
        """What differences of numbers are divided by when two models are compared: output -> numbers. Empty by default.

        An answer in [0, 1] needs none. A length in millimetres may be thousands, and its last digit is then no difference.
        The numbers, float64, are above 0, and have the shape of a row of the output.

        Args:
            model: the trained network.
        """
        return {}

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """Name -> what a served model answers in addition to the predictions; empty by default.

        Args:
            model: the trained network.
            temperature: as for `predictor`.
        """
        return {}

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """Extra signatures that an evaluation calls for a batch of a data set -> their inputs in addition to the images.

        A signature that the model does not have is left out. The inputs have N rows. The answers are joined to the
        predictions: one row per example. Later axes may differ in
        length between batches; zeros fill the shorter ones.
        """
        return {}

    def presentation(self) -> Mapping[str, Any]:
        """How people see the served answers: the content of `kerasvision.served.answers.FILE`; by default as they are."""
        return {}

    def fit_temperature(self, model: keras.Model, batches: Iterable[tuple[tf.Tensor, np.ndarray]]) -> Temperature:
        """The temperature that makes the network's scores agree best with how often it is right.

        Args:
            model: the trained network.
            batches: scaled images, float32 (N, H, W, C), with what `truth` returns for them.

        Raises:
            ConfigError: answers of this kind have no temperature.
        """
        raise ConfigError(f"the answers of {type(self).__name__} have no temperature", hint="remove export.temperature")

    def over_views(self, model: keras.Model, views: Sequence[View]) -> keras.Model:
        """A network whose answers are means over an image and views of it; `predictor` and `fit_temperature` take it.

        Args:
            model: the trained network. The weights are shared.
            views: at least one function from scaled images, float32 (N, H, W, C), to that shape. If their `of_larger` is
                true, they take a larger picture, and the answer is the mean over the views alone.

        Raises:
            ConfigError: answers of this kind have no average.
        """
        raise ConfigError(f"the answers of {type(self).__name__} have no average", hint="remove export.test_time")

    def epoch_picture(self, network: keras.Model) -> Callable[[], np.ndarray] | None:
        """A function that draws what the network makes with its weights at the time; None by default.

        A training calls it after each epoch, and the page of the evaluation shows the pictures.

        Args:
            network: what `build` made.

        Returns:
            A function without arguments that returns uint8 (height, width, 1 or 3).
        """
        return None


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
