"""Batch normalisation (Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167) by TensorFlow's fused kernel.

Keras 3 computes it on TensorFlow as two reductions and a chain of elementwise operations, each a pass over the whole map.
TensorFlow has one kernel for all of these. `fused` makes a Keras layer use that kernel and changes nothing else: class,
name, weights and numbers stay those of Keras, so a saved model loads where kerasvision is not installed. No other layer
calls TensorFlow. On another backend `fused` does not change the layer.

The variance: a batch is normalised by sum((x - mean)^2) / n, and inference uses the same number, as in Keras. The kernel
returns sum((x - mean)^2) / (n - 1), which PyTorch keeps; `_fused` converts it.
"""

from types import MethodType
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

if TYPE_CHECKING:
    import tensorflow as tf

_KERNEL_DTYPES = ("float32", "bfloat16", "float16")


def fused(layer: layers.BatchNormalization) -> layers.BatchNormalization:
    """The same layer, which from now on runs as one kernel where TensorFlow has one.

    It has one for float32, bfloat16 or float16 maps (N, H, W, C), normalised over the last axis. Sums are float32 for
    every dtype of the maps. With `synchronized=True` and several replicas, mean and variance are those of all replicas.
    This variance comes from the deviations; Keras computes E[x^2] - E[x]^2, for which float32 is not precise enough if
    the mean is some thousand deviations from zero. All other inputs take Keras' own code.

    >>> norm = fused(layers.BatchNormalization(epsilon=0.0))
    >>> norm(keras.ops.reshape([1.0, 3.0], (2, 1, 1, 1)), training=True).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    >>> keras.saving.serialize_keras_object(norm)["module"]
    'keras.layers'
    """
    if keras.backend.backend() == "tensorflow":
        # Only this object changes: a subclass would be saved under its own name and require kerasvision to load.
        layer.call = MethodType(_call, layer)
    return layer


def _call(
    layer: layers.BatchNormalization, inputs: "tf.Tensor", training: bool | None = None, mask: Any = None
) -> "tf.Tensor":
    import tensorflow as tf

    training = bool(training) and layer.trainable
    if mask is not None or not _has_kernel(layer, inputs):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if training and layer.synchronized and replicas > 1:
        outputs, mean, variance = _synchronized(layer, inputs)
    else:
        outputs, mean, variance = _fused(layer, inputs, training=training)
    if training:
        for moving, value in (layer.moving_mean, mean), (layer.moving_variance, variance):
            moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
    return outputs


def _has_kernel(layer: layers.BatchNormalization, inputs: "tf.Tensor") -> bool:
    return (
        len(inputs.shape) == 4
        and layer.axis in (-1, 3)
        and not layer.renorm
        and layer.compute_dtype in _KERNEL_DTYPES
        and keras.backend.standardize_dtype(inputs.dtype) in _KERNEL_DTYPES
    )


def _fused(layer: layers.BatchNormalization, inputs: "tf.Tensor", *, training: bool) -> tuple["tf.Tensor", ...]:
    import tensorflow as tf

    empty = tf.constant([], tf.float32)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.cast(inputs, layer.compute_dtype),
        scale=_gamma(layer),
        offset=_beta(layer),
        mean=empty if training else tf.cast(layer.moving_mean, tf.float32),
        variance=empty if training else tf.cast(layer.moving_variance, tf.float32),
        epsilon=layer.epsilon,
        is_training=training,
    )
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    return outputs, mean, variance * tf.maximum(count - 1.0, 1.0) / count


def _synchronized(layer: layers.BatchNormalization, inputs: "tf.Tensor") -> tuple["tf.Tensor", ...]:
    import tensorflow as tf

    def total(values: "tf.Tensor") -> "tf.Tensor":
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    axes = [0, 1, 2]
    x = tf.cast(inputs, tf.float32)
    count = total(tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32))
    mean = total(tf.reduce_sum(x, axes)) / count
    variance = total(tf.reduce_sum(tf.math.squared_difference(x, mean), axes)) / count
    outputs = tf.nn.batch_normalization(x, mean, variance, _beta(layer), _gamma(layer), layer.epsilon)
    return tf.cast(outputs, layer.compute_dtype), mean, variance


def _gamma(layer: layers.BatchNormalization) -> "tf.Tensor":
    import tensorflow as tf

    return tf.cast(layer.gamma, tf.float32) if layer.scale else tf.ones_like(layer.moving_mean)


def _beta(layer: layers.BatchNormalization) -> "tf.Tensor":
    import tensorflow as tf

    return tf.cast(layer.beta, tf.float32) if layer.center else tf.zeros_like(layer.moving_mean)
