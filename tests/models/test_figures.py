"""Every network has the size that was published of it."""

import gc

import keras
import pytest

from kerasvision.models import build
from kerasvision.models.summary import layer_table
from kerasvision.models.table import NETWORKS

FIGURES = [pytest.param(row.name, figure, id=f"{row.name}-{i}") for row in NETWORKS for i, figure in enumerate(row.figures)]


@pytest.mark.parametrize(("name", "figure"), FIGURES)
def test_size_equals_the_published_one(name, figure):
    model = build(name, image_shape=figure.image_shape, num_classes=figure.num_classes, **figure.options)
    table = layer_table(model)
    digits = len(figure.giga_multiply_adds.partition(".")[2])
    measured = {
        "trainable_weights": table.trainable_weights,
        "total_weights": table.total_weights,
        "giga_multiply_adds": f"{table.multiply_adds / 1e9:.{digits}f}",
    }
    published = {key: getattr(figure, key) for key in measured if getattr(figure, key)}
    assert published
    assert {key: measured[key] for key in published} == published
    del model
    gc.collect()
    keras.backend.clear_session()
