"""What an evaluation knows about a task, in addition to what the network answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure

from kerasvision.errors import ConfigError
from kerasvision.tasks.class_maps import ClassMap
from kerasvision.tasks.drawing import Drawing
from kerasvision.tasks.illustration import Illustration
from kerasvision.tasks.judgement import Judgement
from kerasvision.tasks.lessons import Teaching
from kerasvision.tasks.split_pixels import SplitPixels
from kerasvision.tasks.versions import Version

Batch = Mapping[str, tf.Tensor]
# (images, their truth by `Task.truth`) -> a function from images to predictions, for `Task.judge`. Images are small and
# stretched: float32 (N, side, side, C) in [0, 1].
Baseline = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], dict[str, np.ndarray]]]
# signature -> a served model's answers for some images, as arrays; None if it has no such signature.
Ask = Callable[[str], dict[str, np.ndarray] | None]


class Judged(ABC):
    """The part of a `Task` that says what is right, scores answers and shows them. `Task` explains batches and answers."""

    @abstractmethod
    def truth(self, batch: Batch) -> np.ndarray:
        """The right answer for each example of a batch of a data set: an array of N rows."""

    @abstractmethod
    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """Scores over a whole data set.

        Args:
            ids: of the examples.
            truth: what `truth` returned for them, N rows.
            predictions: what `predictor` returned for them, as arrays of N rows.
        """

    def decided_on(self, *, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Self:
        """The task with what it decides on the validation split before any split is judged; by default nothing.

        An evaluation calls it if it measures the validation split, and the exporter if `serves_decisions`. So a choice such
        as the score from which an answer counts is not made on the images that it is measured on.

        Args:
            truth: as for `judge`.
            predictions: as for `judge`.
        """
        return self

    def decisions(self) -> dict[str, Any]:
        """What `decided_on` decided, as JSON has it, for a task that serves it; empty by default."""
        return {}

    def with_decisions(self, decisions: Mapping[str, Any]) -> Self:
        """The task with what `decisions` returned; by default unchanged.

        Args:
            decisions: of a task with equal settings and classes.
        """
        return self

    def with_reference(self, pixels: Callable[[str], SplitPixels]) -> Self:
        """The task with the images that answers are compared with; by default it compares with none.

        An evaluation calls it once, before `judge`.

        Args:
            pixels: the name of a split -> its images, as the network sees them; of a large split some, evenly spaced. It
                reads them when it is called.
        """
        return self

    def averaged(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """One answer from several for the same examples, of views of an image or of several models; arrays of N rows.

        Args:
            predictions: what `measured` keeps of each. Places are those in the original images, also those of a view.

        Raises:
            ConfigError: answers of this kind have no average.
        """
        raise ConfigError(
            f"the answers of {type(self).__name__} have no average",
            hint="remove evaluation.test_time and evaluation.ensemble",
        )

    def measured(self, truth: np.ndarray, predictions: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """What an evaluation keeps of a batch, for `judge` and `averaged`; by default all of it.

        A task whose answers are large keeps what its metrics need, so that memory does not grow with the size of an image.

        Args:
            truth: what `truth` returned for the batch, N rows.
            predictions: what `placed_back` returned for it, as arrays of N rows.

        Returns:
            Both, each with N rows.
        """
        return truth, predictions

    def simple_models(self) -> dict[str, Any]:
        """name -> untrained scikit-learn estimator from features, float32 (N, D), to the truth, (N,); empty by default.

        They are scored by their accuracy: the share of images whose prediction equals the truth. If an estimator has a
        method `choose(features, truth)`, it is called with images of the validation split after `fit`, and returns a table
        of what it tried, the best first: columns of settings, and `accuracy`.
        """
        return {}

    def baselines(self) -> dict[str, Baseline]:
        """name -> a simple model with answers like those of the predictor; empty by default.

        `judge` judges the answers, and the task's headline metric is their score.
        """
        return {}

    @abstractmethod
    def caption(self, row: pd.Series) -> str:
        """The line below the image of a row of a judgement: the truth and the answer."""

    def drawings(self, row: pd.Series) -> tuple[Drawing | ClassMap | Version, ...]:
        """What is drawn over the image of a row of a judgement, the most important first; by default nothing.

        Drawings are in one picture; each map of classes has a picture of its own, and versions of the image are shown in
        place of it. An image has drawings, maps or versions.
        """
        return ()

    def illustrations(self, rows: pd.DataFrame, *, ask: Ask) -> Sequence[Illustration]:
        """Examples with their truth and the whole answer, if a line is too short for them; empty by default.

        Args:
            rows: some rows of a judgement.
            ask: gives the served model's answers for the images of these rows.
        """
        return ()

    def reasons(self, row: pd.Series) -> Sequence[tuple[str, int]]:
        """Which of the network's numbers explain the answer of a row of a judgement; by default none.

        For each, a page shows the places in the image that raise this number (Grad-CAM).

        Returns:
            (what is explained, in a few words; place of the number in the network's output, float (N, C)), the answer first.
        """
        return ()

    def lessons(self) -> Teaching | None:
        """What the loss teaches which part of the network: a function of some training images; None by default."""
        return None

    def figures(self, judgement: Judgement) -> dict[str, Figure]:
        """More plots of a judgement: title -> figure. Their text must not come from the data: fonts lack many scripts."""
        return {}
