"""Figures of cs231n's notes on CIFAR-10, and what the same methods reach on Fashion-MNIST.

    python tests/benchmarks/course_figures.py data/fashion-mnist

The notes' accuracies on CIFAR-10: 0.386 for one neighbour by L1 and 0.354 by L2, 0.155 for the best of 1,000 random linear
classifiers, 0.214 after 1,000 steps of local search, and 0.1 for guessing. Fashion-MNIST has ten classes too, and is easier.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold

from kerasvision.data.sources.idx import read_idx_array
from kerasvision.tasks.classification.neighbours import ChosenNeighbours

# Images for the choice of k, and tries of a search, as in the notes.
CHOICE, TRIES = 5000, 1000
# Deviation of a random weight; part of it that a step of the local search adds.
DEVIATION, STEP = 1e-2, 0.1


def images(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """float32 (N, 784) in [0, 1] and integers (N,)."""
    pixels = read_idx_array(folder / f"{split}-images-idx3-ubyte.gz", rank=3)
    labels = read_idx_array(folder / f"{split}-labels-idx1-ubyte.gz", rank=1)
    return pixels.reshape(len(pixels), -1).astype("float32") / 255, labels.astype(np.int64)


def hinge(scores: np.ndarray, truth: np.ndarray) -> float:
    """The multiclass hinge loss of logits (N, 10)."""
    rows = np.arange(len(truth))
    margins = np.maximum(scores - scores[rows, truth][:, None] + 1, 0)
    margins[rows, truth] = 0
    return float(margins.sum(axis=1).mean())


def search(known: np.ndarray, truth: np.ndarray, propose: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The weights (785, 10) with the lowest loss of all that were tried; each try is `propose` of the best so far."""
    best = np.zeros((known.shape[1], 10), "float32")
    lowest = np.inf
    for _ in range(TRIES):
        weights = propose(best)
        loss = hinge(known @ weights, truth)
        if loss < lowest:
            best, lowest = weights, loss
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data
    (known, truth), (other, answers) = images(folder, "train"), images(folder, "t10k")
    random = np.random.default_rng(0)

    def judge(distance: str, number: int) -> None:
        began = time.process_time()
        model = ChosenNeighbours().fit(known, truth)
        model.distance_, model.number_ = distance, number
        # L1 has no matrix product: a tenth of the test images takes long enough.
        some = slice(0, 1000) if distance == "L1" else slice(None)
        right = float(np.mean(model.predict(other[some]) == answers[some]))
        seconds = time.process_time() - began
        print(f"{distance}, k = {number}, {len(other[some]):,} test images: {right:.4f}; {seconds:.0f} s", flush=True)

    for distance in ("L2", "L1"):
        judge(distance, 1)

    votes: dict[tuple[str, int], list[float]] = {}
    part = random.permutation(len(known))[:CHOICE]
    for kept, judged in StratifiedKFold(5, shuffle=True, random_state=0).split(part, truth[part]):
        table = ChosenNeighbours().fit(known[part[kept]], truth[part[kept]]).choose(known[part[judged]], truth[part[judged]])
        for distance, number, accuracy in zip(table["distance"], table["k"], table["accuracy"], strict=True):
            votes.setdefault((str(distance), int(number)), []).append(float(accuracy))
    means = {choice: float(np.mean(of)) for choice, of in votes.items()}
    for (distance, number), mean in sorted(means.items(), key=lambda one: -one[1])[:5]:
        deviation = np.std(votes[distance, number], ddof=1)
        print(f"five folds of {CHOICE:,} images, {distance}, k = {number}: {mean:.4f} +- {deviation:.4f}")
    judge(*max(means, key=lambda choice: means[choice]))

    with_bias, others = (np.hstack([x, np.ones((len(x), 1), "float32")]) for x in (known[:CHOICE], other))
    shape = (with_bias.shape[1], 10)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "random search": lambda best: random.normal(0, DEVIATION, shape).astype("float32"),
        "local search": lambda best: best + STEP * random.normal(0, DEVIATION, shape).astype("float32"),
    }
    for name, propose in ways.items():
        found = search(with_bias, truth[:CHOICE], propose)
        print(f"{name}, {TRIES:,} tries: {np.mean((others @ found).argmax(axis=1) == answers):.4f}", flush=True)


if __name__ == "__main__":
    main()
