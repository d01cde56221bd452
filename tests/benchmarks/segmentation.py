"""A network of pixels against a plain Keras U-Net of as many weights, trained on the same scenes for the same seconds.

    python tests/benchmarks/segmentation.py --epochs 2
    python tests/benchmarks/segmentation.py --seeds 3
    python tests/benchmarks/segmentation.py --ours --set model.options.width=0.5
    python tests/benchmarks/segmentation.py --networks fcn32s fcn16s fcn8s --epochs 12 --seeds 3
    python tests/benchmarks/segmentation.py --steps

The scenes are those of `c.Shapes(seed=0, image_size=(96, 96))`: 0 to 1,499 to train, 1,500 to 1,799 to validate. Task,
network, augmentation and training are those of `pipelines/shapes_segmentation.py`, with the number of epochs given here, if
any. The trained network is exported, and the SavedModel answers the encoded images with maps, which scikit-learn judges.

The plain network is a U-Net as a tutorial writes it, of the width that gives about as many weights. It is trained by Keras'
`fit` on arrays in memory, with mirror images, Adam and a cosine schedule, and is judged in the same way. It gets as many
epochs as end nearest to the seconds of ours; for each seed, it runs directly after ours. `--steps` compares the time of a
step instead: that of our U-Net in our training, and that of `fit` with the same layers, in turns. `--networks` compares
networks of ours with each other: each one learns from the same seeds, and the differences have 95 % intervals of Student's t
over the seeds.

"seconds" is processor time of the whole process, children included: imports, training, the validation after each epoch and
the export, without the making of the scenes and the judgement.
"""

import argparse
import itertools
import math
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from scipy import stats
from sklearn.metrics import confusion_matrix

from kerasvision import config as c
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import load_experiment
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.data.sources.shapes import scene_png, shape_mask_png
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

SIDE = 96
SCENES = c.Shapes(count=1800, image_size=(SIDE, SIDE), seed=0)
SPLITS = {"train": range(1500), "validation": range(1500, 1800)}
NAMES = ("background", *SCENES.classes)
PIPELINE = Path(__file__).parents[2] / "pipelines" / "shapes_segmentation.py"
BATCH_SIZE = 16
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="of ours; by default those of the pipeline file")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ours", action="store_true", help="leave the plain network out")
    parser.add_argument("--networks", nargs="+", help="compare these networks of ours, with the other options of the file")
    parser.add_argument("--steps", action="store_true", help="compare the times of a step only")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="another setting, as in `run --set`")
    arguments = parser.parse_args()
    changes = [] if arguments.epochs is None else [f"training.epochs={arguments.epochs}"]
    experiment = load_experiment(PIPELINE, overrides=[*changes, *arguments.overrides])
    imports = processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        examples = scenes(Path(folder) / "data")
        if arguments.steps:
            compare_steps(experiment.training)
            return
        if arguments.networks:
            compare_networks(experiment, arguments.networks, arguments.seeds, examples, Path(folder), imports)
            return
        found = {"ours": [], "plain": []}
        for seed in range(arguments.seeds):
            training = experiment.training.model_copy(update={"seed": seed})
            train = partial(ours, experiment, training, examples, Path(folder) / f"{seed}")
            weights, seconds = run("ours", found, imports, train)
            if not arguments.ours:
                peer = partial(plain, weights=weights, seed=seed, seconds=seconds - imports)
                run("plain", found, imports, peer)
    for name, figures in found.items():
        for what, values in zip(("mean IoU", "seconds"), zip(*figures, strict=True), strict=False):
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{name} {what}: {statistics.mean(values):.4f} +- {deviation:.4f} (n={len(values)})")


def compare_networks(experiment, names, seeds, examples, folder, imports) -> None:
    """Trains each network with each seed, and prints how much better each one is than the one before it."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for seed in range(seeds):
        training = experiment.training.model_copy(update={"seed": seed})
        for name in names:
            model = experiment.model.model_copy(update={"name": name})
            asked = experiment.model_copy(update={"model": model})
            run(name, found, imports, partial(ours, asked, training, examples, folder / f"{name}-{seed}"))
    scores = {name: np.array([score for score, _ in figures]) for name, figures in found.items()}
    for name, values in scores.items():
        print(f"{name}: mean IoU {interval(values)}")
    for first, second in itertools.pairwise(names):
        print(f"{second} - {first}: {interval(scores[second] - scores[first])}")


def interval(values: np.ndarray) -> str:
    """The mean with its 95 % interval over the seeds."""
    if len(values) == 1:
        return f"{values[0]:.4f} (1 seed)"
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return f"{values.mean():.4f} ({low:.4f} to {high:.4f}, n={len(values)})"


def run(name, found, imports, train) -> tuple[int, float]:
    """Trains, judges, prints: the number of weights, and the processor seconds with those of the imports."""
    began = processor_seconds()
    weights, answer = train()
    seconds = processor_seconds() - began + imports
    found[name].append((mean_iou(answer), seconds))
    print(f"{name}: mean IoU {found[name][-1][0]:.4f} after {seconds:.0f} s; {weights:,} weights", flush=True)
    return weights, seconds


def scenes(folder: Path) -> ExampleSet:
    """The scenes of both splits."""

    def rows(split):
        for number in SPLITS[split]:
            objects = [
                {
                    "bbox": tuple(side / SIDE for side in shape.box),
                    "label": shape.name,
                    "crowd": False,
                    "area": float(shape.area),
                    "mask": shape_mask_png(SCENES, number, place),
                }
                for place, shape in enumerate(make_scene(SCENES, number).shapes)
            ]
            yield Example(str(number), scene_png(SCENES, number), objects=objects)

    write_examples(rows, splits=SPLITS, classes=(), object_classes=SCENES.classes, masks=True, folder=folder)
    return ExampleSet(folder)


def true_map(number: int) -> np.ndarray:
    """The class of each pixel of a scene, uint8 (H, W), from the scene itself."""
    found = np.zeros((SIDE, SIDE), np.uint8)
    for shape in make_scene(SCENES, number).shapes:
        found[shape.visible] = NAMES.index(shape.name)
    return found


def ours(experiment: Experiment, training: c.Training, examples: ExampleSet, folder: Path):
    """The number of weights; and the exported model as a function from scene numbers to maps."""
    settings = TrainerSettings(task=experiment.task, model=experiment.model, training=training, augment=experiment.augment)
    transform = ImageTransform.fit(experiment.transform, examples.dataset("train").map(lambda example: example["image"]))
    fitted = fit(settings, examples=examples, classes=NAMES, transform=transform)
    network = fitted.model
    export_saved_model(network, task=make_task(settings.task, NAMES), transform=transform, folder=folder)
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]

    def answer(numbers):
        images = tf.constant([scene_png(SCENES, number) for number in numbers])
        pngs = serve(image_bytes=images)["mask_png_bytes"].numpy()
        return np.stack([tf.io.decode_png(png).numpy()[..., 0] for png in pngs])

    return network.count_params(), answer


def plain_network(*, width: int, depth: int = 4) -> keras.Model:
    """A U-Net as a tutorial writes it, with norms after its convolutions."""

    def two_convolutions(x, channels):
        for _ in range(2):
            x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    image = keras.Input((SIDE, SIDE, 3))
    x, kept = layers.Rescaling(1 / 255, offset=-0.5)(image), []
    for level in range(depth):
        x = two_convolutions(x, width * 2**level)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = two_convolutions(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 2, 2)(x)
        x = two_convolutions(layers.Concatenate()([kept[level], x]), width * 2**level)
    return keras.Model(image, layers.Conv2D(len(NAMES), 1)(x))


def plain_batches(images, maps, *, seed):
    """Shuffled batches with mirror images."""

    def mirrored(image, numbers):
        flips = tf.random.uniform([]) < 0.5
        return tf.cond(flips, lambda: (image[:, ::-1], numbers[:, ::-1]), lambda: (image, numbers))

    rows = tf.data.Dataset.from_tensor_slices((images, maps)).shuffle(len(images), seed=seed)
    return rows.map(mirrored, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH_SIZE).prefetch(2)


def as_arrays(split):
    images = [make_scene(SCENES, number).pixels.astype(np.uint8) for number in SPLITS[split]]
    return np.stack(images), np.stack([true_map(number) for number in SPLITS[split]]).astype(np.int32)


ARRAYS = {}


def plain(*, weights: int, seed: int, seconds: float):
    """The number of weights, and the plain network as a function from scene numbers to maps."""
    width = width_for(weights)
    for split in SPLITS:
        if split not in ARRAYS:
            ARRAYS[split] = as_arrays(split)
    began = processor_seconds()
    keras.utils.set_random_seed(seed)
    epoch = epoch_seconds(width)
    epochs = max(1, round(seconds / epoch))
    network = compiled(width, steps=epochs * math.ceil(len(SPLITS["train"]) / BATCH_SIZE))
    batches = plain_batches(*ARRAYS["train"], seed=seed)
    validation = tf.data.Dataset.from_tensor_slices(ARRAYS["validation"]).batch(BATCH_SIZE)
    network.fit(batches, epochs=epochs, validation_data=validation, shuffle=False, verbose=0)
    print(f"plain: {epochs} epochs in {processor_seconds() - began:.0f} s", flush=True)
    images, _ = ARRAYS["validation"]

    def answer(numbers):
        chosen = images[[number - SPLITS["validation"].start for number in numbers]]
        return network.predict(chosen, verbose=0).argmax(axis=-1)

    return network.count_params(), answer


def width_for(weights: int) -> int:
    """The width with about as many weights, which grow with its square: 8 gives 488,097."""
    return max(1, round(8 * math.sqrt(weights / 488_097)))


def compiled(width: int, *, steps: int) -> keras.Model:
    network = plain_network(width=width)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return network


EPOCH_SECONDS: dict[int, float] = {}


def epoch_seconds(width: int) -> float:
    """Processor seconds of an epoch of the plain network with its validation, from the second of two parts of one."""
    if width not in EPOCH_SECONDS:
        network = compiled(width, steps=1000)
        part = plain_batches(*(part[: STEPS * BATCH_SIZE] for part in ARRAYS["train"]), seed=0)
        network.fit(part, shuffle=False, verbose=0)
        began = processor_seconds()
        network.fit(part, shuffle=False, verbose=0)
        trained = processor_seconds() - began
        validation = tf.data.Dataset.from_tensor_slices(ARRAYS["validation"]).batch(BATCH_SIZE)
        network.evaluate(validation, verbose=0)
        began = processor_seconds()
        network.evaluate(validation, verbose=0)
        steps = len(SPLITS["train"]) / (STEPS * BATCH_SIZE)
        EPOCH_SECONDS[width] = trained * steps + processor_seconds() - began
    return EPOCH_SECONDS[width]


def compare_steps(training: c.Training) -> None:
    """Milliseconds of processor time of a training step in float32 on the same batch, in turns."""
    from kerasvision.training.optimizing.optimizers import make_optimizer
    from kerasvision.training.step import TrainStep

    images = np.stack([make_scene(SCENES, number).pixels.astype(np.uint8) for number in range(BATCH_SIZE)])
    maps = np.stack([true_map(number) for number in range(BATCH_SIZE)])
    task = make_task(c.Segmentation(), NAMES)
    model = c.Model(name="unet", options={"width": 8, "batch_norm": True, "dropout": 0.0})
    network, peer = task.build(model, image_shape=(SIDE, SIDE, 3)), compiled(8, steps=1000)
    assert network.count_params() == peer.count_params()
    optimizer = make_optimizer(training, steps_per_epoch=94)
    step = TrainStep(network, objective=task.objective(), optimizer=optimizer, strategy=tf.distribute.get_strategy())
    batch = (images.astype(np.float32) / 255 - 0.5, maps)
    own = iter(step.share_out(tf.data.Dataset.from_tensors(batch).repeat()))
    other = tf.data.Dataset.from_tensors((images, maps.astype(np.int32))).repeat()
    runs = {
        "ours": lambda: step.run(own, STEPS),
        "plain": lambda: peer.fit(other, steps_per_epoch=STEPS, shuffle=False, verbose=0),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(6):
        for name, train in runs.items():
            began = time.process_time()
            train()
            if turn:
                times[name].append(1000 * (time.process_time() - began) / STEPS)
    for name, values in times.items():
        print(f"{name}: {statistics.median(values):.1f} ms a step ({min(values):.1f} to {max(values):.1f})")
    print(f"ours / plain: {statistics.median(times['ours']) / statistics.median(times['plain']):.2f}")


def mean_iou(answer) -> float:
    """Over the classes of the validation scenes, by the confusion matrix of scikit-learn."""
    total = np.zeros((len(NAMES), len(NAMES)))
    numbers = list(SPLITS["validation"])
    for start in range(0, len(numbers), 50):
        part = numbers[start : start + 50]
        truth = np.stack([true_map(number) for number in part])
        total += confusion_matrix(truth.ravel(), answer(part).ravel(), labels=range(len(NAMES)))
    both = np.diag(total)
    return float(np.mean(both / (total.sum(axis=0) + total.sum(axis=1) - both)))


def processor_seconds() -> float:
    """Of this process since it began, and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
