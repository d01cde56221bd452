"""Whether a classifier distinguishes images at all: it may give one answer, or the same scores, for every image."""

import numpy as np

from kerasvision.tasks.classification.answers import Answers

# From this share of images with the same answer on, a remark is made, unless about as many are of that class.
NEARLY_ALL = 0.99
# Scores that differ by less between any two images do not depend on the image; float32 keeps 7 digits.
SAME = 1e-6


def one_answer_remarks(answers: Answers) -> tuple[str, ...]:
    """Sentences for a person; empty for a model that distinguishes images, or if nearly all images are of the class that
    it answers.

    >>> scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    >>> one_answer_remarks(Answers(np.array([0, 1, 1]), scores, classes=("cat", "dog"), top_k=1))
    ("The model answers 'cat' for every image: 3 of 3, though 1 of them is of this class.",)
    """
    count, found = len(answers.labels), []
    said = np.bincount(answers.predicted, minlength=len(answers.classes))
    name, most = answers.classes[int(said.argmax())], int(said.max())
    right = int((answers.labels == said.argmax()).sum())
    if count > 1 and most >= NEARLY_ALL * count and right < NEARLY_ALL * most:
        share = "every image" if most == count else "nearly every image"
        are = f"{right:,} of them {'is' if right == 1 else 'are'} of this class"
        found.append(f"The model answers {name!r} for {share}: {most:,} of {count:,}, though {are}.")
        if np.ptp(answers.probabilities, axis=0).max() < SAME:
            found.append("It gives every image the same scores, so its answers do not depend on the image.")
    return tuple(found)
