"""The proof asks the trained network about few large images at once."""

import io

import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform, rows_at_once
from kerasvision.export.proof import canary


def test_a_batch_has_fewer_images_the_larger_they_are():
    sides = (32, 128, 256, 512, 4096)
    assert [rows_at_once((side, side), most=32, pixels=2**18) for side in sides] == [32, 16, 4, 1, 1]


@pytest.mark.parametrize(("side", "batches"), [(16, [3]), (512, [2, 1])])
def test_the_trained_network_sees_few_large_images_at_once(side: int, batches: list[int]):
    transform = ImageTransform(c.Transform(image_size=(side, side)), (0.0,) * 3, (1.0,) * 3)
    file, seen = io.BytesIO(), []
    Image.new("RGB", (8, 8), "red").save(file, "PNG")

    def answer(images: tf.Tensor, _: object) -> dict[str, tf.Tensor]:
        seen.append(len(images))
        return {"red": tf.reduce_mean(images[..., 0], axis=(1, 2))}

    answers = canary.answers(answer, [file.getvalue()] * 3, transform)
    assert seen == batches
    assert answers["red"].tolist() == [1.0, 1.0, 1.0]
