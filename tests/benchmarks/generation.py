"""How good images of Fashion-MNIST become that a network makes of noise, within some minutes of processor time.

    python tests/benchmarks/generation.py DATA [--minutes 10] [--only vae dcgan] [--judge SAVED_MODEL] [--out FOLDER]
        [--set training.epochs=3]
    python tests/benchmarks/generation.py DATA --few 50 [--minutes 1] [--only vae] [--set training.epochs=3]

DATA is the folder of the four files of Fashion-MNIST. A LeNet-5 learns to tell the ten classes on all 60,000 training
images, for 4 epochs, or `--judge` names a saved model that tells them. Then each generator trains on the same images, with
the settings of `pipelines/fashion_mnist_vae.py` or `fashion_mnist_dcgan.py`, which `--set` changes. It stops after its last
epoch, or after that in which its minutes of processor time are over. 2,000 test images are compared with as many samples of
the same classes, by the scores that an evaluation has. `agreement` is that of the classifier with the class asked for, and
`agreement_of_images` its accuracy on these test images. OUT gets pictures of samples.

With --few, shirts and coats have that many training images, and every other class has 1,000. A generator learns from these,
and fills the two classes up to 1,000 with samples. LeNet-5 learns from the images alone, and from images and samples, with
three seeds each. Printed are its accuracy on all test images, and its recall of shirts and coats.
"""

import argparse
import gzip
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.loading import load_experiment
from kerasvision.data.png import encode_png
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import SplitPixels, make_task
from kerasvision.tasks.generation import answers
from kerasvision.tasks.generation.judging import judged_samples
from kerasvision.tasks.generation.noise import noise_of_samples
from kerasvision.tasks.generation.pictures import as_pixels
from kerasvision.training.devices.precision import building_in, choose
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

PIPELINES = Path(__file__).parents[2] / "pipelines"
JUDGED, BATCH, CLASSIFIER_EPOCHS, CALL = 2000, 128, 4, 20
# With --few: images of every other class, and epochs of the classifier.
USUAL, FEW_EPOCHS = 1000, 8


def read(folder, split):
    """uint8 (N, 28, 28, 1) and int64 (N,)."""
    pixels, labels = (
        np.frombuffer(gzip.decompress((folder / f"{split}-{kind}-ubyte.gz").read_bytes()), np.uint8, offset=offset)
        for kind, offset in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return pixels.reshape(-1, 28, 28, 1), labels.astype(np.int64)


def batches(arrays, make, epoch):
    """One epoch of (inputs, targets), shuffled by the number of the epoch."""
    data = tf.data.Dataset.from_tensor_slices(arrays).shuffle(len(arrays[0]), seed=epoch)
    return data.batch(BATCH, drop_remainder=True).map(make).prefetch(2)


def run_epoch(step, data):
    iterator, left = iter(step.share_out(data)), int(data.cardinality())
    step.reset()
    while left:
        step.run(iterator, min(CALL, left))
        left -= min(CALL, left)
    return {name: round(value, 4) for name, value in step.results().items()}


class Lenet:
    """A classifier, called as a served one."""

    folder = Path("lenet5")

    def __init__(self, pixels, labels, names, *, seed=0, epochs=CLASSIFIER_EPOCHS):
        keras.utils.set_random_seed(seed)
        options = {"activation": "relu", "pooling": "max"}
        self.network = models.build("lenet5", image_shape=(28, 28, 1), num_classes=10, **options)
        self.names = np.array(names)
        task = make_task(c.Classification(), names)
        training = c.Training(epochs=epochs, batch_size=BATCH, optimizer=c.Adam(learning_rate=2e-3), schedule="cosine")
        step = TrainStep(
            self.network,
            objective=task.objective(),
            optimizer=make_optimizer(training, steps_per_epoch=len(pixels) // BATCH),
            strategy=tf.distribute.get_strategy(),
        )

        def make(image, label):
            return task.encode({"image": tf.cast(image, tf.float32) / 255, "label": label})

        for epoch in range(epochs):
            found = run_epoch(step, batches((pixels, labels), make, 100 * seed + epoch))
        print(f"lenet5: {found}", flush=True)

    def __call__(self, signature, image_bytes):
        images = np.stack([tf.io.decode_png(file).numpy() for file in image_bytes.numpy()])
        return {"classes": tf.constant(self.names[self.numbers(images)])}

    def numbers(self, pixels):
        """int64 (N,), the answers for uint8 (N, 28, 28, 1)."""
        return np.argmax(self.network.predict(pixels / np.float32(255), batch_size=500, verbose=0), axis=1)


def trained(experiment, pixels, labels, minutes):
    """The task and the network after some minutes of processor time."""
    task, training = make_task(experiment.task, experiment.source.class_names), experiment.training
    keras.utils.set_random_seed(training.seed)
    with building_in(choose(training.precision).policy):
        network = task.build(experiment.model, image_shape=(28, 28, 1))
    step = TrainStep(
        network,
        objective=task.objective(),
        optimizer=make_optimizer(training, steps_per_epoch=len(pixels) // BATCH),
        strategy=tf.distribute.get_strategy(),
        averages=WeightAverages(network, decay=training.average_decay) if training.average_decay else None,
    )
    size, random = experiment.task.latent_size, tf.random.Generator.from_seed(0)

    def make(image, label):
        image = tf.cast(image, tf.float32) / 255
        return (image, random.normal([BATCH, size]), tf.one_hot(label, 10)), image

    began, epoch = time.process_time(), 0
    while time.process_time() - began < 60 * minutes and epoch < training.epochs:
        print(network.name, epoch + 1, run_epoch(step, batches((pixels, labels), make, epoch)), flush=True)
        epoch += 1
    print(f"{network.name}: {epoch} epochs, {(time.process_time() - began) / 60:.1f} minutes of processor time", flush=True)
    if step.averages is not None:
        step.averages.keep()
    return task, network


def samples_of(task, network, labels):
    """A sample of each of these classes: uint8 (N, 28, 28, 1)."""
    draw, made = tf.function(answers.samples_of(network, settings=task.settings)), []
    for start in range(0, len(labels), 250):
        some = labels[start : start + 250]
        numbers = tf.range(start, start + len(some), dtype=tf.int64)
        noise = noise_of_samples(tf.zeros_like(numbers), numbers, size=task.settings.latent_size)
        made.append(as_pixels(draw(noise, tf.one_hot(some, 10))))
    return np.concatenate(made)


def few(experiment, train, train_labels, test, labels, *, count, minutes):
    """Prints what samples add where two classes have few images."""
    names = experiment.source.class_names
    rare = [names.index(name) for name in ("Coat", "Shirt")]
    kept = np.concatenate(
        [np.flatnonzero(train_labels == number)[: count if number in rare else USUAL] for number in range(len(names))]
    )
    task, network = trained(experiment, train[kept], train_labels[kept], minutes)
    asked = np.repeat(rare, USUAL - count)
    filled = np.concatenate([train[kept], samples_of(task, network, asked)]), np.concatenate([train_labels[kept], asked])
    for what, (images, of_images) in {"images": (train[kept], train_labels[kept]), "images and samples": filled}.items():
        found = []
        for seed in range(3):
            answers = Lenet(images, of_images, names, seed=seed, epochs=FEW_EPOCHS).numbers(test)
            found.append([np.mean(answers == labels), *(np.mean(answers[labels == number] == number) for number in rare)])
        means, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
        shown = [f"{one:.3f} +- {other:.3f}" for one, other in zip(means, spread, strict=True)]
        print(f"{what}: accuracy {shown[0]}, recall of coats {shown[1]}, of shirts {shown[2]}", flush=True)


def scores(task, network, classifier, train, test, labels):
    """The scores of as many samples as test images."""
    pixels = {"train": train, "test": test, "validation": test[:0]}
    known = task.with_reference(lambda split: SplitPixels([f"{split}{n}" for n in range(len(pixels[split]))], pixels[split]))
    # The bound is left out: it is about the test images, and not about samples.
    settings = c.Generation(loss="adversarial", conditional=True, latent_size=task.settings.latent_size)
    predictions = {"samples": samples_of(task, network, labels), "realness": np.ones((len(test), 10), np.float32)}
    found = judged_samples(
        ids=[f"test{n}" for n in range(len(test))],
        truth=labels,
        predictions=predictions,
        classes=task.classes,
        settings=settings,
        reference=known._reference,
        classifier=classifier,
    )
    known_figures = known.figures(found)
    return {name: round(value, 4) for name, value in found.scores.items()}, known_figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", nargs="+", default=["vae", "dcgan"])
    parser.add_argument("--judge", type=Path, metavar="SAVED_MODEL")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="PATH=VALUE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--few", type=int)
    chosen = parser.parse_args()
    if chosen.few and (chosen.judge or chosen.out):
        parser.error("--few writes no pictures and trains its own classifiers: remove --judge and --out")
    (train, train_labels), (test, labels) = read(chosen.data, "train"), read(chosen.data, "t10k")
    experiments = {
        name: load_experiment(PIPELINES / f"fashion_mnist_{name}.py", overrides=chosen.overrides) for name in chosen.only
    }
    if chosen.few:
        for experiment in experiments.values():
            few(experiment, train, train_labels, test, labels, count=chosen.few, minutes=chosen.minutes)
        return
    names = experiments[chosen.only[0]].source.class_names
    classifier = ServedModel(chosen.judge) if chosen.judge else Lenet(train, train_labels, names)
    for name, experiment in experiments.items():
        task, network = trained(experiment, train, train_labels, chosen.minutes)
        found, figures = scores(task, network, classifier, train, test[:JUDGED], labels[:JUDGED])
        for metric, value in found.items():
            print(f"{name}: {metric} {value}", flush=True)
        if chosen.out:
            picture = task.epoch_picture(network)()
            (chosen.out / f"{name}.png").write_bytes(encode_png(picture[..., 0]))
            for number, figure in enumerate(figures.values()):
                figure.savefig(chosen.out / f"{name}-nearest{number}.png")


if __name__ == "__main__":
    main()
