"""Nearest neighbours that choose their number and their distance on other images than they know.

Source: https://cs231n.github.io/classification/#val, "validation sets for hyperparameter tuning".
"""

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

# cs231n, lecture 2, tries these.
NUMBERS = (1, 3, 5, 10, 20, 50, 100)
# Name -> scikit-learn's name.
DISTANCES = {"L2": "euclidean", "L1": "manhattan", "cosine": "cosine"}
# Without images to choose on.
NUMBER, DISTANCE = 5, "L2"


class ChosenNeighbours(ClassifierMixin, BaseEstimator):
    """The nearest known images vote. After `choose`, by the number and the distance that were right most often.

    Attributes:
        number_: how many images vote.
        distance_: "L1", "L2" or "cosine".

    >>> points = np.array([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0], [9.0, 0.0]])
    >>> model = ChosenNeighbours().fit(points, np.array([0, 0, 1, 1]))
    >>> model.choose(np.array([[0.0, 9.0], [0.9, 0.0]]), np.array([0, 1])).head(1)  # only the angle is right for both
      distance  k  accuracy
    0   cosine  1       1.0
    """

    def fit(self, features: np.ndarray, truth: np.ndarray) -> Self:
        """Keeps the known images: float32 (N, D), and their class numbers, integers (N,)."""
        self.features_, self.truth_ = features, truth
        self.number_, self.distance_ = min(NUMBER, len(truth)), DISTANCE
        return self

    def choose(self, features: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
        """Chooses number and distance by the accuracy on other images; of equals the first in the order of the table.

        Args:
            features: float32 (M, D).
            truth: integers (M,), their class numbers.

        Returns:
            distance, k, accuracy: a row for each choice, the best first.
        """
        numbers = [number for number in NUMBERS if number <= len(self.truth_)]
        rows = []
        for distance in DISTANCES:
            nearest = self._model(numbers[-1], distance).kneighbors(features, return_distance=False)
            rows += [
                (distance, number, accuracy)
                for number, accuracy in zip(numbers, self._accuracies(nearest, truth, numbers), strict=True)
            ]
        table = pd.DataFrame(rows, columns=["distance", "k", "accuracy"])
        table = table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)
        self.distance_, self.number_ = str(table["distance"][0]), int(table["k"][0])
        return table

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The class numbers of other images, integers (M,), from float32 (M, D)."""
        predicted: np.ndarray = self._model(self.number_, self.distance_).predict(features)
        return predicted

    def _model(self, number: int, distance: str) -> KNeighborsClassifier:
        model = KNeighborsClassifier(number, metric=DISTANCES[distance], algorithm="brute")
        fitted: KNeighborsClassifier = model.fit(self.features_, self.truth_)
        return fitted

    def _accuracies(self, nearest: np.ndarray, truth: np.ndarray, numbers: list[int]) -> list[float]:
        """For each k, the share of rows where the first k columns of `nearest`, int64 (M, K), vote for the truth.

        Of classes with equal votes the first wins, as in scikit-learn.
        """
        labels, rows = self.truth_[nearest], np.arange(len(truth))
        votes, found, counted = np.zeros((len(truth), int(self.truth_.max()) + 1), np.int64), [], 0
        for number in numbers:
            for column in labels.T[counted:number]:
                votes[rows, column] += 1
            counted = number
            found.append(float((votes.argmax(axis=1) == truth).mean()))
        return found
