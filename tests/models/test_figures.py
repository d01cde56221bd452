"""Every network has its published size."""

import pytest

from kerasvision.lookup import MODELS
from kerasvision.models import build, densenet, resnet, resnet_v2
from kerasvision.models.summary import layer_table, matching_figures
from kerasvision.models.table import NETWORKS, find, usual

# How many blocks the stages have: table 1 of the papers on ResNet and DenseNet. The sizes of these networks are slow tests.
# Their blocks are those of the shallower networks of their family, whose sizes every run checks.
DEEP = {
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
    "resnet101_v2": (3, 4, 23, 3),
    "resnet152_v2": (3, 8, 36, 3),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}
# Longer ones of families whose other tests compare every size: their depths and widths, or their weights.
LONGER = {f"efficientnet_lite{size}" for size in range(1, 5)} | {f"resnet{depth}" for depth in (32, 44, 56, 110)}
# Every run checks the first figure of all others; what their other options change has tests of its own.
FIGURES = [
    pytest.param(
        row.name,
        figure,
        id=f"{row.name}-{i}",
        marks=[pytest.mark.slow] if i or row.name in DEEP or row.name in LONGER else [],
    )
    for row in NETWORKS
    for i, figure in enumerate(row.figures)
]


@pytest.mark.parametrize(("name", "figure"), FIGURES)
@pytest.mark.usefixtures("shapes_only")
def test_size_equals_the_published_one(name, figure):
    model = build(name, image_shape=figure.image_shape, num_classes=figure.num_classes, **figure.options)
    assert matching_figures(layer_table(model), [figure])[0].startswith("equal to ")


@pytest.mark.parametrize("name", DEEP)
def test_deep_network_is_its_column_of_the_table_in_the_code_of_its_family(name, monkeypatch):
    for module in (resnet, resnet_v2, densenet):
        monkeypatch.setattr(module, module.__name__.rpartition(".")[2], lambda depth: tuple(depth))
    bottlenecks = [True] if name.startswith("resnet") else []
    assert MODELS.load(name)() == (name, DEEP[name], *bottlenecks)


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
