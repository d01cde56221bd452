"""The simple classifiers that a network is compared with, by scikit-learn."""

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from kerasvision.tasks.classification.neighbours import ChosenNeighbours

# More steps than this change the accuracy by less than its interval, and take long.
MOST_STEPS = 100
TOLERANCE = 1e-2


def simple_classifiers() -> dict[str, Any]:
    """name -> untrained classifier of standardized features, float32 (N, D).

    `nearest neighbours` lets the closest training images vote; see `ChosenNeighbours`. `linear softmax` is multinomial
    logistic regression, and `linear SVM` has one squared hinge per class, with scikit-learn's regularization C of 1 and
    0.01.
    """
    return {
        "nearest neighbours": ChosenNeighbours(),
        "linear softmax": LogisticRegression(max_iter=MOST_STEPS, tol=TOLERANCE),
        "linear SVM": LinearSVC(C=0.01, tol=TOLERANCE, max_iter=MOST_STEPS, random_state=0),
    }
