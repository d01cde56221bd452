"""Every network has the size that was published of it."""

import gc

import keras
import pytest

from kerasvision.models import build
from kerasvision.models.summary import agreement, layer_table
from kerasvision.models.table import NETWORKS, usual

FIGURES = [pytest.param(row.name, figure, id=f"{row.name}-{i}") for row in NETWORKS for i, figure in enumerate(row.figures)]


@pytest.mark.parametrize(("name", "figure"), FIGURES)
def test_size_equals_the_published_one(name, figure):
    model = build(name, image_shape=figure.image_shape, num_classes=figure.num_classes, **figure.options)
    assert agreement(layer_table(model), [figure])[0].startswith("equal to ")
    del model
    gc.collect()
    keras.backend.clear_session()


def test_another_size_is_said_to_be_another():
    table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=11))
    assert agreement(table, [usual("lenet5")]) == ["unlike Dive into Deep Learning: 61,706 trainable weights"]
    assert agreement(table, []) == []
