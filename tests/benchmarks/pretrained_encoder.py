"""What an encoder that learned without labels is worth to a classifier with 500 labels: Fashion-MNIST, paired seeds.

    python tests/benchmarks/pretrained_encoder.py ../shared/data/fashion-mnist

The autoencoder of pipelines/fashion_mnist_autoencoder.py learns from the first 12,000 training images. Its error on 2,000
test images with noise is printed next to that of PCA with as many numbers. Then two classifiers with the same network and
the same settings learn from 500 other training images, 50 of each class: one begins with the encoder, one from nothing. All
their layers learn. Each kind has the learning rate, of three, with which it is best on 2,000 held-out training images in a
run of its own. For each seed both kinds get the same 500 images, in the same order, and are scored on all 10,000 test
images. The printed gain is the mean of the paired differences, with Student's interval of 95 %.

There is one autoencoder, so the interval does not contain how much another one would differ.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.feeding.batches import evaluation_batches
from kerasvision.data.png import encode_png
from kerasvision.data.sources.idx import read_idx_array
from kerasvision.data.transform import ImageTransform
from kerasvision.models.saved import save_network
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

CLASSES = tuple("0123456789")
PIPELINE = Path(__file__).parents[2] / "pipelines" / "fashion_mnist_autoencoder.py"
OF_EACH, HELD_OUT, TESTED = 50, 2_000, 2_000
TRANSFORM = ImageTransform(c.Transform(image_size=(28, 28), color_mode="grayscale"), (0.0,), (1.0,))
RATES = (0.001, 0.003, 0.01)
TUNING_SEED = 1_000
NETWORK = {"width": 0.125}


def examples(folder: Path, images: dict[str, np.ndarray], labels: np.ndarray | None) -> ExampleSet:
    """Splits of these images, uint8 (N, 28, 28); labels are those of the train split."""

    def rows(split: str) -> list[tuple[str, bytes, str]]:
        names = [""] * len(images[split]) if labels is None else [CLASSES[label] for label in labels]
        numbered = enumerate(zip(images[split], names, strict=True))
        return [(f"{split}/{number:05d}.png", encode_png(one), name) for number, (one, name) in numbered]

    write_examples(rows, splits=images, classes=() if labels is None else CLASSES, folder=folder)
    return ExampleSet(folder)


def trained_encoder(images: np.ndarray, test: np.ndarray, folder: Path) -> Path:
    """The file of the pipeline's autoencoder, trained on these images. Prints its error on the test images."""
    asked = load_experiment(PIPELINE)
    settings = TrainerSettings(task=asked.task, model=asked.model, training=asked.training, augment=asked.augment)
    known = examples(folder / "unlabelled", {"train": images, "test": test}, None)
    network = fit(settings, examples=known, classes=(), transform=TRANSFORM).model
    save_network(network, folder / "model.keras", names=())
    encode = make_task(asked.task, ()).seeing(TRANSFORM).encode
    batches = evaluation_batches(known, split="test", transform=TRANSFORM, encode=encode, batch_size=TESTED)
    ((noisy, clean, _),) = batches.as_numpy_iterator()
    flat = images.reshape(len(images), -1) / 255.0
    machine = PCA(asked.task.code_size, random_state=0).fit(flat)
    answers = {
        "the noisy images": noisy,
        "PCA": machine.inverse_transform(machine.transform(noisy.reshape(len(noisy), -1))).reshape(noisy.shape),
        "the autoencoder": network.predict(noisy, batch_size=500, verbose=0)["restored"],
    }
    for name, restored in answers.items():
        print(f"mean squared error of {name}: {np.mean((np.clip(restored, 0, 1) - clean) ** 2):.4f}", flush=True)
    return folder / "model.keras"


def accuracy(
    known: ExampleSet, images: np.ndarray, labels: np.ndarray, *, weights: Path | None, rate: float, epochs: int, seed: int
) -> float:
    """Of a classifier that learned from the known examples, on these images."""
    settings = TrainerSettings(
        task=c.Classification(),
        model=c.Model(name="resnet9", weights=None if weights is None else str(weights), options=NETWORK),
        training=c.Training(
            epochs=epochs,
            batch_size=32,
            optimizer=c.Adam(learning_rate=rate),
            schedule="cosine",
            warmup_epochs=1,
            seed=seed,
        ),
        augment=(c.RandomFlip(), c.PadCrop(pad=2)),
    )
    network = fit(settings, examples=known, classes=CLASSES, transform=TRANSFORM).model
    answered = network.predict(images[..., None].astype("float32") / 255, batch_size=512, verbose=0).argmax(axis=1)
    return float((answered == labels).mean())


def drawn(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """The places of 50 images of each class, in a random order."""
    random = np.random.default_rng(seed)
    return random.permutation(np.concatenate([random.permutation(np.flatnonzero(labels == k))[:OF_EACH] for k in range(10)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    began = time.process_time()
    images, test = (read_idx_array(asked.data / f"{part}-images-idx3-ubyte.gz", rank=3) for part in ("train", "t10k"))
    labels, truth = (read_idx_array(asked.data / f"{part}-labels-idx1-ubyte.gz", rank=1) for part in ("train", "t10k"))
    most = load_experiment(PIPELINE).source.max_examples
    held_out, rest = np.split(np.random.default_rng(0).permutation(np.arange(most, len(images))), [HELD_OUT])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        encoder = trained_encoder(images[:most], test[:TESTED], folder)
        print(f"{time.process_time() - began:.0f} s of processor time", flush=True)

        def known(seed: int) -> ExampleSet:
            chosen = rest[drawn(labels[rest], seed=seed)]
            return examples(folder / f"labelled-{seed}", {"train": images[chosen]}, labels[chosen])

        kinds = {"from nothing": None, "with the encoder": encoder}
        for_tuning, rates = known(TUNING_SEED), {}
        for kind, weights in kinds.items():
            scores = {
                rate: accuracy(
                    for_tuning, images[held_out], labels[held_out], weights=weights, rate=rate, epochs=asked.epochs, seed=0
                )
                for rate in RATES
            }
            rates[kind] = max(scores, key=scores.__getitem__)
            print(f"{kind}: held-out accuracy by learning rate {scores}", flush=True)
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for seed in range(asked.seeds):
            labelled = known(seed)
            for kind, weights in kinds.items():
                score = accuracy(labelled, test, truth, weights=weights, rate=rates[kind], epochs=asked.epochs, seed=seed)
                found[kind].append(score)
            print(f"seed {seed}: " + ", ".join(f"{kind} {scores[-1]:.4f}" for kind, scores in found.items()), flush=True)
    for kind, scores in found.items():
        print(f"{kind}: {statistics.mean(scores):.4f} +- {statistics.stdev(scores):.4f} at a learning rate of {rates[kind]}")
    gains = np.subtract(found["with the encoder"], found["from nothing"])
    reach = stats.t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    low, high = gains.mean() - reach, gains.mean() + reach
    print(f"gain: {gains.mean():+.4f}, 95 % interval {low:+.4f} to {high:+.4f} (n={len(gains)})")
    print(f"{time.process_time() - began:.0f} s of processor time in all")


if __name__ == "__main__":
    main()
