"""Two other ways to use two devices, computed by hand: the weights of a layer cut in two, and the images shared out.

    python examples/split_weights.py

A dense layer of 512 inputs and 300 outputs is cut by columns: each device has the weights of 150 outputs, and both read all
inputs. Then the gradient of its loss is computed by map and reduce: each device computes the sum over its share of the
images, and the sums are added. Both equal the whole layer on one device but for the order of the sums. Two logical devices
of one processor stand for two machines.

Sources: Dean and Ghemawat, 2004, "MapReduce"; Krizhevsky, 2014, https://arxiv.org/abs/1404.5997 (images for convolutions,
weights for dense layers).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

IMAGES, INPUTS, OUTPUTS = 64, 512, 300
DEVICES = ("CPU:0", "CPU:1")


def main() -> None:
    use_two_devices()
    random = np.random.default_rng(0)
    inputs = random.normal(size=(IMAGES, INPUTS)).astype(np.float32)
    labels = random.integers(0, OUTPUTS, IMAGES)
    weights = (random.normal(size=(INPUTS, OUTPUTS)) / np.sqrt(INPUTS)).astype(np.float32)
    whole = inputs @ weights
    print(f"weights cut in two: outputs differ by {largest(split_outputs(inputs, weights) - whole):.1e} at most")
    at_once = gradient(inputs, labels, weights) / IMAGES
    print(f"map and reduce: gradients differ by {largest(map_reduce(inputs, labels, weights) - at_once):.1e} at most")


def use_two_devices() -> None:
    """Divides the processor into two logical devices; TensorFlow must not have computed anything before."""
    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * len(DEVICES))


def split_outputs(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 (N, outputs): each device multiplies with its columns of the weights."""
    found = []
    for device, columns in zip(DEVICES, np.split(weights, len(DEVICES), axis=1), strict=True):
        with tf.device(device):
            found.append(tf.matmul(tf.constant(inputs), tf.constant(columns)))
    return tf.concat(found, axis=1).numpy()


def map_reduce(inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient of the mean loss, float32 (inputs, outputs): the sums of the devices, added and divided once."""
    sums = []
    shares = zip(np.split(inputs, len(DEVICES)), np.split(labels, len(DEVICES)), strict=True)
    for device, (some, their_labels) in zip(DEVICES, shares, strict=True):
        with tf.device(device):
            sums.append(gradient(some, their_labels, weights))
    return np.sum(sums, axis=0) / len(inputs)


def gradient(inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient of the summed softmax loss, float32 (inputs, outputs)."""
    given = tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch(given)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.matmul(tf.constant(inputs), given))
        loss = tf.reduce_sum(losses)
    return tape.gradient(loss, given).numpy()


def largest(differences: np.ndarray) -> float:
    return float(np.abs(differences).max())


if __name__ == "__main__":
    main()
