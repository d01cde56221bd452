"""EfficientNet-Lite against table 1 of the paper and the authors' list of sizes, and its blocks by hand."""

import keras
import numpy as np
import pytest

from kerasvision.models import build
from kerasvision.models.blocks import batch_norm
from kerasvision.models.efficientnet_lite import block

# Of timm's tf_efficientnet_lite0 to 4: channels of the maps of strides 2 to 16, and blocks in each of the seven stages.
TIMM = {
    0: ((16, 24, 40, 112), (1, 2, 2, 3, 3, 4, 1)),
    1: ((16, 24, 40, 112), (1, 3, 3, 4, 4, 5, 1)),
    2: ((16, 24, 48, 120), (1, 3, 3, 4, 4, 5, 1)),
    3: ((24, 32, 48, 136), (1, 3, 3, 5, 5, 6, 1)),
    4: ((24, 32, 56, 160), (1, 4, 4, 6, 6, 8, 1)),
}


def one_block(channels=2, **options):
    """A model of one block that multiplies: every 1x1 kernel is an identity, and the depthwise kernels are ones."""
    image = keras.Input((4, 4, channels))
    norm = batch_norm(epsilon=0.0)
    chosen = {"width": channels, "expansion": 1, "kernel": 3, "stride": 1} | options
    return keras.Model(image, block(image, norm=norm, name="block", **chosen))


@pytest.mark.parametrize("size", TIMM)
@pytest.mark.usefixtures("shapes_only")
def test_maps_and_depths_are_those_of_timm(size):
    channels, depths = TIMM[size]
    model = build(f"efficientnet_lite{size}", image_shape=(64, 64, 3), num_classes=None)
    assert [feature_map.shape[-1] for feature_map in model.output.values()] == [*channels, 1280]
    names = {layer.name.rpartition("_")[0] for layer in model.layers if layer.name.endswith("_project_norm")}
    assert tuple(sum(name.startswith(f"stage{stage}_") for name in names) for stage in range(2, 9)) == depths


@pytest.mark.usefixtures("shapes_only")
def test_head_and_stem_do_not_grow():
    model = build("efficientnet_lite4", image_shape=(64, 64, 3), num_classes=None)
    assert model.get_layer("stem_conv").filters == 32
    assert model.output["c5"].shape[-1] == 1280


@pytest.mark.parametrize(("stride", "width", "added"), [(1, 2, True), (2, 2, False), (1, 4, False)])
def test_shortcut_is_added_where_the_shape_stays(stride, width, added):
    names = [layer.name for layer in one_block(stride=stride, width=width).layers]
    assert ("block_add" in names) == added


def test_block_adds_what_it_computes_to_its_input():
    model = one_block()
    model.get_layer("block_depthwise_conv").set_weights([np.ones((3, 3, 2, 1))])
    model.get_layer("block_project_conv").set_weights([np.eye(2).reshape(1, 1, 2, 2)])
    answer = model(np.full((1, 4, 4, 2), 0.5, "float32"))
    # 9 pixels of 0.5 inside and 4 in a corner; ReLU6 has no effect on 4.5 and 2.
    assert answer[0, 1, 1].numpy().tolist() == [5.0, 5.0]
    assert answer[0, 0, 0].numpy().tolist() == [2.5, 2.5]


def test_activation_stops_at_six():
    model = one_block()
    model.get_layer("block_depthwise_conv").set_weights([np.ones((3, 3, 2, 1))])
    model.get_layer("block_project_conv").set_weights([np.eye(2).reshape(1, 1, 2, 2)])
    assert model(np.ones((1, 4, 4, 2), "float32"))[0, 1, 1].numpy().tolist() == [7.0, 7.0]  # 1 + min(9, 6)


def test_stride_reads_the_near_side_as_tensorflow_does():
    """4 pixels, kernel 3, stride 2: the pixels 0, 1, 2 and then 2, 3 and a zero. A centred border gives 1 + 2 and 3."""
    model = one_block(stride=2)
    model.get_layer("block_depthwise_conv").set_weights([np.ones((3, 3, 2, 1))])
    model.get_layer("block_project_conv").set_weights([np.eye(2).reshape(1, 1, 2, 2)])
    answer = model(np.full((1, 4, 4, 2), 0.25, "float32"))
    np.testing.assert_allclose(answer[0, :, :, 0], [[2.25, 1.5], [1.5, 1.0]], rtol=1e-6)


@pytest.mark.usefixtures("shapes_only")
def test_norms_have_the_constants_of_the_authors():
    norms = [
        layer
        for layer in build("efficientnet_lite0", image_shape=(32, 32, 3), num_classes=2).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {(layer.momentum, layer.epsilon) for layer in norms} == {(0.99, 1e-3)}
