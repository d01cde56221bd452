"""Which classes a classifier confuses."""

import numpy as np
import pandas as pd
from sklearn import metrics

from kerasvision.tasks.classification.answers import Answers


def confusion_table(answers: Answers) -> pd.DataFrame:
    """Counts: a row per true class, a column per predicted class."""
    matrix = metrics.confusion_matrix(answers.labels, answers.predicted, labels=range(len(answers.classes)))
    names = list(answers.classes)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=pd.Index(names, name="answered"))


def confused_pairs(confusion: pd.DataFrame) -> pd.DataFrame:
    """label, answered, count, and the share of the label's examples, for each confusion that occurs; most frequent first."""
    counts = confusion.to_numpy()
    true, answered = np.nonzero(counts * (1 - np.eye(len(counts), dtype=int)))
    count = counts[true, answered]
    table = pd.DataFrame(
        {
            "label": confusion.index.to_numpy()[true],
            "answered": confusion.columns.to_numpy()[answered],
            "count": count,
            "share_of_label": count / counts.sum(axis=1)[true],
        }
    )
    return table.sort_values(["count", "share_of_label"], ascending=False, kind="stable").set_index("label")
