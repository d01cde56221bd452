"""Measures kerasvision for `compare.py`."""

import math
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from rounds import LEAST, OBJECTS, PASSES, serve

from kerasvision import config as c
from kerasvision import models
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.feeding.inputs import ReducingTransform
from kerasvision.data.feeding.stream import prepare_one
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.fast_network import fast_network
from kerasvision.tasks.base import Objective, make_task
from kerasvision.training.devices.precision import building_in
from kerasvision.training.step import TrainStep


def repeated(files):
    """The files over and over, at least LEAST of them: the start of an epoch then counts little."""
    return files * math.ceil(LEAST / len(files))


def of_input(settings):
    """An epoch of the input; returns how many images it had."""
    transform = ImageTransform(c.Transform(image_size=(settings["side"],) * 2), (0.0,) * 3, (1.0,) * 3)
    jitter = c.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4)
    augment = make_augmentation((c.RandomResizedCrop(), c.RandomFlip(), jitter))
    prepare = prepare_one(ReducingTransform(transform), augment, seed=0, decoded=False, augmented=True)
    files = [str(file) for file in repeated(sorted(Path(settings["images"]).rglob("*.jpg")))]
    examples = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).enumerate()
    examples = examples.map(lambda place, file: {"image": tf.io.read_file(file), "place": place})
    batches = examples.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).batch(32).prefetch(tf.data.AUTOTUNE)
    return lambda: int(batches.reduce(0, lambda count, batch: count + tf.shape(batch["image"])[0]))


def of_inference(settings):
    """Some passes over a batch; returns how many images they had."""
    side, batch, way = settings["side"], settings["batch"], settings["way"]
    network = models.build(settings["network"], image_shape=(side, side, 3), num_classes=1000)
    images = tf.constant(np.random.default_rng(0).uniform(size=(batch, side, side, 3)).astype(np.float32))
    if way == "as trained":
        answer = tf.function(lambda pixels: network(pixels, training=False), autograph=False)
    else:
        answer = fast_network(network, precision=way)

    def run():
        for _ in range(PASSES):
            tf.nest.map_structure(lambda output: output.numpy(), answer(images))
        return PASSES * batch

    return run


def of_training(settings):
    """Some steps of the optimizer; returns how many images they had."""
    side, batch = settings["side"], settings["batch"]
    with building_in("mixed_bfloat16" if settings["way"] == "bfloat16" else "float32"):
        network = models.build(settings["network"], image_shape=(side, side, 3), num_classes=1000)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    random = np.random.default_rng(0)
    pair = random.uniform(size=(batch, side, side, 3)).astype(np.float32), random.integers(0, 1000, batch)
    return steps_of(network, Objective(lambda labels, outputs, training=True: loss(labels, outputs), metrics=[]), pair)


def of_detection(settings):
    """Some steps of Faster R-CNN; returns how many images they had."""
    side, batch = settings["side"], settings["batch"]
    classes = tuple(f"class {number}" for number in range(90))
    task = make_task(c.Detection(sampled_regions=512), classes)
    options = {"proposals": 300, "candidates": 1000}
    with building_in("mixed_bfloat16" if settings["way"] == "bfloat16" else "float32"):
        network = task.build(c.Model(name="faster_rcnn_fpn", options=options), image_shape=(side, side, 3))
    random = np.random.default_rng(0)
    corner = random.uniform(0, side / 2, (batch, OBJECTS, 2))
    boxes = np.concatenate([corner, corner + random.uniform(side / 16, side / 2, (batch, OBJECTS, 2))], axis=-1)
    targets = {
        "boxes": boxes.astype(np.float32),
        "classes": random.integers(0, 90, (batch, OBJECTS)).astype(np.int32),
        "crowd": np.zeros((batch, OBJECTS), bool),
        "numbers": random.uniform(size=(batch, task.draws)).astype(np.float32),
    }
    return steps_of(network, task.objective(), (random.uniform(size=(batch, side, side, 3)).astype(np.float32), targets))


def steps_of(network, objective, pair):
    """Some steps of the optimizer on the same batch; returns how many images they had."""
    # With random weights the loss can be large, and the weights must stay finite.
    step = TrainStep(
        network,
        objective=objective,
        optimizer=keras.optimizers.SGD(1e-6, 0.9),
        strategy=tf.distribute.get_strategy(),
    )
    batches = iter(step.share_out(tf.data.Dataset.from_tensors(pair).repeat()))

    def run():
        step.run(batches, PASSES)
        return PASSES * len(pair[0])

    return run


if __name__ == "__main__":
    serve({"input": of_input, "inference": of_inference, "training": of_training, "detection": of_detection})
