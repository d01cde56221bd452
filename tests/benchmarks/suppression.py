"""Processor time of choosing the best boxes, for one image and for a batch.

    python tests/benchmarks/suppression.py

The boxes of an image lie around ten objects, as those of a trained detector: 1,512 pairs of a box and a class, of which the
best 300 are compared. It prints the smallest mean of ten calls, of five.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from kerasvision.ops.suppression import best_boxes

BOXES, CLASSES, OBJECTS = 189, 8, 10
CALLS, ROUNDS = 10, 5


def main() -> None:
    shapes = [tf.TensorSpec([None, BOXES, 4]), tf.TensorSpec([None, BOXES, CLASSES])]

    @tf.function(input_signature=shapes, autograph=False)
    def choose(boxes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return best_boxes(boxes, scores, count=100, least_score=0.05, overlap=0.5)

    for images in (1, 32):
        boxes, scores = found(images)
        seconds = [processor_seconds(choose, boxes, scores) for _ in range(ROUNDS + 1)]
        print(f"{images} images: {1000 * min(seconds[1:]):.2f} ms of processor time")


def found(images: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes float32 (N, A, 4) and their scores float32 (N, A, C)."""
    random = np.random.default_rng(0)
    objects = random.uniform(0, 0.7, (images, OBJECTS, 2))
    objects = np.concatenate([objects, objects + random.uniform(0.1, 0.3, (images, OBJECTS, 2))], axis=-1)
    chosen = random.integers(0, OBJECTS, (images, BOXES, 1))
    boxes = np.take_along_axis(objects, chosen, axis=1) + random.normal(0, 0.03, (images, BOXES, 4))
    scores = random.beta(0.5, 2, (images, BOXES, CLASSES))
    return tf.constant(boxes, tf.float32), tf.constant(scores, tf.float32)


def processor_seconds(choose: tf.types.experimental.PolymorphicFunction, boxes: tf.Tensor, scores: tf.Tensor) -> float:
    """Of one call, all threads together: the mean of some calls."""
    began = time.process_time()
    for _ in range(CALLS):
        choose(boxes, scores)[0].numpy()
    return (time.process_time() - began) / CALLS


if __name__ == "__main__":
    main()
