"""Every network has its published size."""

import pytest

from kerasvision.models import build
from kerasvision.models.summary import layer_table, matching_figures
from kerasvision.models.table import NETWORKS, find, usual

# For these, every run checks one figure. What the others change shows in the shallower networks of the same family.
DEEP = ("resnet101", "resnet152", "resnet101_v2", "resnet152_v2", "densenet169", "densenet201")
FIGURES = [
    pytest.param(row.name, figure, id=f"{row.name}-{i}", marks=[pytest.mark.slow] if i > 0 and row.name in DEEP else [])
    for row in NETWORKS
    for i, figure in enumerate(row.figures)
]


@pytest.mark.parametrize(("name", "figure"), FIGURES)
@pytest.mark.usefixtures("shapes_only")
def test_size_equals_the_published_one(name, figure):
    model = build(name, image_shape=figure.image_shape, num_classes=figure.num_classes, **figure.options)
    assert matching_figures(layer_table(model), [figure])[0].startswith("equal to ")


@pytest.mark.usefixtures("shapes_only")
def test_another_size_is_said_to_be_another():
    table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=11))
    assert matching_figures(table, [usual("lenet5")]) == ["unlike Dive into Deep Learning: 61,706 trainable weights"]
    assert matching_figures(table, []) == []


@pytest.mark.usefixtures("shapes_only")
def test_two_sizes_from_one_source_do_not_hide_each_other():
    plain, normed = find("vgg11").figures[:2]
    assert plain.source == normed.source
    table = layer_table(build("vgg11", image_shape=plain.image_shape, num_classes=plain.num_classes))
    assert len(matching_figures(table, [plain, normed])) == len(matching_figures(table, [normed, plain])) == 1
    assert matching_figures(table, [plain, normed])[0].startswith("equal to torchvision: 132,863,336 trainable weights")
    assert matching_figures(table, [normed])[0].startswith("unlike torchvision (batch_norm=True): 132,868,840")
