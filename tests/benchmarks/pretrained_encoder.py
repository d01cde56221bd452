"""What an encoder that learned without labels is worth to a classifier with 500 labels: Fashion-MNIST, paired seeds.

    python tests/benchmarks/pretrained_encoder.py ../shared/data/fashion-mnist

A denoising autoencoder on ResNet-9, an eighth as wide, learns from `--unlabelled` training images. Then two classifiers with
the same network and the same settings learn from 500 other training images, 50 of each class: one begins with the encoder,
one from nothing. All their layers learn. Each kind has the learning rate, of three, with which it is best on 2,000 held-out
training images in a run of its own. For each seed both kinds get the same 500 images, in the same order, and are scored on
all 10,000 test images. The printed gain is the mean of the paired differences, with Student's interval of 95 %.

There is one autoencoder, so the interval does not contain how much another one would differ.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.sources.idx import read_idx_array
from kerasvision.data.transform import ImageTransform
from kerasvision.models.saved import save_network
from kerasvision.training.fit import fit

CLASSES = tuple("0123456789")
OF_EACH, HELD_OUT = 50, 2_000
TRANSFORM = ImageTransform(c.Transform(image_size=(28, 28), color_mode="grayscale"), (0.0,), (1.0,))
RATES = (0.001, 0.003, 0.01)
TUNING_SEED = 1_000
NETWORK = {"width": 0.125}


def examples(folder: Path, images: np.ndarray, labels: np.ndarray | None) -> ExampleSet:
    """A train split of these images, uint8 (N, 28, 28)."""
    names = [""] * len(images) if labels is None else [CLASSES[label] for label in labels]
    rows = [
        (f"{number:05d}.png", encode_png(one), name) for number, (one, name) in enumerate(zip(images, names, strict=True))
    ]
    write_examples(lambda split: rows, splits=("train",), classes=() if labels is None else CLASSES, folder=folder)
    return ExampleSet(folder)


def trained_encoder(images: np.ndarray, folder: Path, *, epochs: int) -> Path:
    """The file of an autoencoder that learned from these images."""
    settings = TrainerSettings(
        task=c.Reconstruction(bottleneck=64, noise="masking"),
        model=c.Model(name="autoencoder", options={"backbone": "resnet9", **NETWORK}),
        training=c.Training(
            epochs=epochs, batch_size=128, optimizer=c.Adam(learning_rate=0.003), schedule="cosine", warmup_epochs=0.5
        ),
        augment=(c.RandomFlip(),),
    )
    found = fit(settings, examples=examples(folder / "unlabelled", images, None), classes=(), transform=TRANSFORM)
    print(f"autoencoder: loss {found.history['loss'].iloc[-1]:.4f}", flush=True)
    save_network(found.model, folder / "model.keras", names=())
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
    parser.add_argument("--unlabelled", type=int, default=12_000)
    parser.add_argument("--pretraining-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    began = time.process_time()
    images, test = (read_idx_array(asked.data / f"{part}-images-idx3-ubyte.gz", rank=3) for part in ("train", "t10k"))
    labels, truth = (read_idx_array(asked.data / f"{part}-labels-idx1-ubyte.gz", rank=1) for part in ("train", "t10k"))
    order = np.random.default_rng(0).permutation(len(images))
    unlabelled, held_out, rest = np.split(order, [asked.unlabelled, asked.unlabelled + HELD_OUT])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        encoder = trained_encoder(images[unlabelled], folder, epochs=asked.pretraining_epochs)
        print(f"{time.process_time() - began:.0f} s of processor time", flush=True)

        def known(seed: int) -> ExampleSet:
            chosen = rest[drawn(labels[rest], seed=seed)]
            return examples(folder / f"labelled-{seed}", images[chosen], labels[chosen])

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
