"""A network that was trained in 16 bits becomes the same network in float32."""

import keras
import numpy as np
import pytest

from kerasvision import models
from kerasvision.training.devices.full_precision import in_float32

SMALL = {"backbone": "resnet9", "width": 0.05, "max_length": 2, "embedding": 4, "units": 4}


@pytest.fixture
def inputs():
    random = np.random.default_rng(0)
    return [random.normal(size=(2, 16, 16, 3)).astype("float32"), random.integers(4, 9, size=(2, 2, 3), dtype="int32")]


@pytest.mark.parametrize("name", ["show_and_tell", "show_attend_tell"])
def test_bare_operations_between_layers_are_in_float32_too(name, inputs):
    options = SMALL | ({"attention": 4, "attention_maps": True} if name == "show_attend_tell" else {})
    plain = models.build(name, image_shape=(16, 16, 3), num_classes=9, **options)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trained = models.build(name, image_shape=(16, 16, 3), num_classes=9, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    plain.set_weights(trained.get_weights())
    same = in_float32(trained)
    outputs = keras.tree.flatten(same(inputs, training=False))
    for ours, wanted in zip(outputs, keras.tree.flatten(plain(inputs, training=False)), strict=True):
        np.testing.assert_array_equal(ours, wanted)
    tensors = [tensor for layer in same.layers for tensor in keras.tree.flatten(layer.output)]
    assert {tensor.dtype for tensor in tensors} <= {"float32", "int32"}
