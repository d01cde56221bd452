"""Time and memory of the embedding of a data set, and how many wrong labels are found.

    python tests/benchmarks/embedding.py ../shared/data/fashion-mnist                    time and memory of each step
    python tests/benchmarks/embedding.py ../shared/data/fashion-mnist --count 70000 --most 10000
    python tests/benchmarks/embedding.py ../shared/data/fashion-mnist --wrong-labels     neighbours against a regression

The images are those of Fashion-MNIST, at most 70,000. Each step prints its seconds on the clock, its seconds of the
processor, and the peak memory of the process so far.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from kerasvision.data.embedding.clusters import find_clusters
from kerasvision.data.embedding.describing import describe_examples
from kerasvision.data.embedding.feature_file import FeatureFile
from kerasvision.data.embedding.features import plain_features
from kerasvision.data.embedding.neighbour_map import neighbour_map
from kerasvision.data.embedding.neighbours import nearest_of_each
from kerasvision.data.embedding.principal_components import principal_components
from kerasvision.data.embedding.suspects import suspects
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.sources.idx import read_idx_array

COORDINATES, NEIGHBOURS, SEEDS, WRONG = 50, 20, 3, 0.05


@contextmanager
def measured(step: str) -> Iterator[None]:
    clock, processor = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(f"{step}: {clock:.1f} s, {processor:.1f} s of the processor; peak memory {peak:.2f} GB", flush=True)


def fashion(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (count, 28, 28) and int64 (count,): training images, then test images."""
    names = ("train", "t10k")
    pixels = np.concatenate([read_idx_array(folder / f"{name}-images-idx3-ubyte.gz", rank=3) for name in names])
    labels = np.concatenate([read_idx_array(folder / f"{name}-labels-idx1-ubyte.gz", rank=1) for name in names])
    return pixels[:count], labels[:count].astype(np.int64)


def time_steps(folder: Path, *, count: int, most: int, kind: str) -> None:
    pixels, labels = fashion(folder, count)
    with tempfile.TemporaryDirectory() as made:
        write_examples(
            lambda _: ((f"{number:05d}", encode_png(image), str(labels[number])) for number, image in enumerate(pixels)),
            splits=["train"],
            classes=sorted(set(map(str, labels))),
            folder=Path(made) / "data",
        )
        examples, features = ExampleSet(Path(made) / "data"), plain_features(kind, max_side=28, is_grey=True)
        with FeatureFile() as file:
            with measured(f"{count} images described by {features.name}"):
                described = describe_examples(examples, features, file=file, most_shown=most, side=28, seed=0)
            with measured("principal components"):
                components = principal_components(file.batches(), most=256)
            with measured("coordinates"):
                found = [components.project(batch)[:, :COORDINATES] for batch in file.batches()]
                coordinates = np.concatenate(found)
    with measured("clusters"):
        find_clusters(coordinates, count=None, seed=0)
    with measured("neighbours"):
        neighbours = nearest_of_each(coordinates, most=NEIGHBOURS)
    with measured("suspects"):
        suspects(neighbours.index, described.images["label"].to_numpy(np.int64))
    with measured(f"t-SNE of {len(described.shown)}"):
        neighbour_map(coordinates[described.shown], seed=0)


def compare_wrong_labels(folder: Path) -> None:
    """The share of the wrong labels that are among the first suspects, and the seconds that it takes."""
    digits = load_digits(return_X_y=True)
    pixels, labels = fashion(folder, 5_000)
    sets = {"digits": (digits[0], digits[1].astype(np.int64)), "5,000 of Fashion-MNIST": (pixels.reshape(5_000, -1), labels)}
    for name, (images, truth) in sets.items():
        coordinates = principal_components([images], most=COORDINATES).project(images)
        shares: dict[str, list[float]] = {"neighbours": [], "regression": []}
        seconds = dict.fromkeys(shares, 0.0)
        for seed in range(SEEDS):
            given, wrong = with_wrong_labels(truth, seed)
            for method, order in (("neighbours", by_neighbours), ("regression", by_regression)):
                began = time.process_time()
                first = order(coordinates, given)[: len(wrong)]
                seconds[method] += (time.process_time() - began) / SEEDS
                shares[method].append(float(np.isin(wrong, first).mean()))
        for method, found in shares.items():
            print(f"{name}, {method}: {np.round(found, 3).tolist()}, {seconds[method]:.1f} s of the processor", flush=True)


def with_wrong_labels(truth: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    wrong = random.permutation(len(truth))[: round(WRONG * len(truth))]
    given = truth.copy()
    given[wrong] = (truth[wrong] + random.integers(1, 10, len(wrong))) % 10
    return given, wrong


def by_neighbours(coordinates: np.ndarray, given: np.ndarray) -> np.ndarray:
    return suspects(nearest_of_each(coordinates, most=NEIGHBOURS).index, given).image


def by_regression(coordinates: np.ndarray, given: np.ndarray) -> np.ndarray:
    """By self-confidence too, with the probabilities of a cross-validated regression."""
    estimator = LogisticRegression(max_iter=300)
    shares = cross_val_predict(estimator, coordinates / coordinates[:, 0].std(), given, cv=5, method="predict_proba")
    return np.argsort(shares[np.arange(len(given)), given], kind="stable")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=70_000)
    parser.add_argument("--most", type=int, default=10_000)
    parser.add_argument("--features", default="pixels")
    parser.add_argument("--wrong-labels", action="store_true")
    asked = parser.parse_args()
    if asked.wrong_labels:
        compare_wrong_labels(asked.folder)
    else:
        time_steps(asked.folder, count=asked.count, most=asked.most, kind=asked.features)


if __name__ == "__main__":
    main()
