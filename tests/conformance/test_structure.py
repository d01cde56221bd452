"""What every network promises about its layers and shapes, checked on every row of the catalogue without weights."""

import keras
import pytest

from kerasvision.errors import ConfigError
from kerasvision.introspection import keywords
from kerasvision.lookup import MODELS
from kerasvision.models import table


def test_every_network_of_ours_has_a_row_here(networks):
    assert {network.name for network in networks if not network.name.startswith("keras/")} == set(MODELS)


@pytest.mark.usefixtures("shapes_only")
def test_logits_stay_float32_where_a_mixed_policy_computes_in_16_bits(network):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network.build()
    finally:
        keras.config.set_dtype_policy("float32")
    hidden = [layer for layer in model.layers if layer.weights and layer.name != "logits"]
    assert not hidden or hidden[0].compute_dtype == "bfloat16"
    assert {output.dtype for output in model.outputs} == {"float32"}


@pytest.mark.usefixtures("shapes_only")
def test_smallest_image_reaches_the_logits(network):
    smallest = table.find(network.name).smallest_side
    model = network.build(image_shape=(smallest, smallest, 3))
    if network.rows:
        assert all(min(output.shape[1:]) > 0 for output in model.outputs)
    else:
        assert (len(model.output.shape), model.output.shape[-1]) == (2 + len(network.per_image), 10)


@pytest.mark.usefixtures("shapes_only")
def test_network_without_a_flattened_map_reads_images_of_any_size(network):
    flattens = table.find(network.name).flattens or network.options.get("pooling") == "flatten"
    mirrors = network.options.get("mirrored", False)
    if flattens or mirrors:
        with pytest.raises(ConfigError, match="one size"):
            network.build(image_shape=(None, None, 3))
    else:
        assert network.build(image_shape=(None, None, 3)).inputs[0].shape == (None, None, None, 3)
    if not mirrors:
        assert network.build(num_classes=None, image_shape=(None, None, 3)).input_shape == (None, None, None, 3)


@pytest.mark.usefixtures("shapes_only")
def test_every_norm_can_be_synchronized(network):
    has_option = "synchronized" in keywords(MODELS.path(network.name))
    model = network.build(**({"synchronized": True} if has_option else {}))
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(norm.synchronized for norm in norms)


@pytest.mark.usefixtures("shapes_only")
def test_map_of_level_l_has_stride_two_to_the_l(network):
    small = network.build(num_classes=None, image_shape=(96, 96, 3)).output
    large = network.build(num_classes=None, image_shape=(128, 160, 3)).output
    for name, feature_map in small.items():
        own = 2 ** int(name.removeprefix("c"))
        stride = min(own, network.options.get("output_stride", own))
        _, height, width, _ = feature_map.shape
        assert large[name].shape[1:3] == (height + 32 // stride, width + 64 // stride)


@pytest.mark.usefixtures("shapes_only")
def test_backbone_is_the_network_without_its_head(network):
    backbone = network.build(num_classes=None)
    in_network = {layer.name: layer.count_params() for layer in network.build().layers}
    assert {layer.name: layer.count_params() for layer in backbone.layers}.items() <= in_network.items()


@pytest.mark.usefixtures("shapes_only")
def test_layers_are_named_alike_in_every_model_of_a_process(network):
    assert [layer.name for layer in network.build().layers] == [layer.name for layer in network.build().layers]
