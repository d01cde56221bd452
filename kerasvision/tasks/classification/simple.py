"""The simple classifiers that a network is compared with, by scikit-learn."""

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

NEIGHBOURS = 5
# More steps than this change the accuracy by less than its interval, and take long.
MOST_STEPS = 100
TOLERANCE = 1e-2


def simple_classifiers() -> dict[str, Any]:
    """name -> untrained classifier of standardized features, float32 (N, D).

    `nearest neighbours` lets the 5 closest training images vote, by Euclidean distance. `linear softmax` is multinomial
    logistic regression, and `linear SVM` has one squared hinge per class, with scikit-learn's regularization C of 1 and
    0.01.
    """
    return {
        "nearest neighbours": KNeighborsClassifier(NEIGHBOURS),
        "linear softmax": LogisticRegression(max_iter=MOST_STEPS, tol=TOLERANCE),
        "linear SVM": LinearSVC(C=0.01, tol=TOLERANCE, max_iter=MOST_STEPS, random_state=0),
    }
