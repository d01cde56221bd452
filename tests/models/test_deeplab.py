"""DeepLabV3: its parallel convolutions by hand. `test_figures` compares its sizes, `test_fcn` what it shares with FCN."""

import keras
import numpy as np
import pytest

from kerasvision.models import build
from kerasvision.models.blocks import batch_norm
from kerasvision.models.deeplab import atrous_pyramid


@pytest.mark.parametrize(("output_stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18])])
@pytest.mark.usefixtures("shapes_only")
def test_rates_are_those_of_the_paper_for_both_output_strides(output_stride, rates):
    network = build(
        "deeplab_v3", image_shape=(64, 64, 3), num_classes=2, backbone="resnet18", width=0.25, output_stride=output_stride
    )
    assert [network.get_layer(f"aspp_3x3_{number}_conv").dilation_rate[0] for number in (1, 2, 3)] == rates
    assert network.get_layer("aspp_1x1_conv").input.shape[1] == 64 // output_stride


def test_five_branches_read_a_cell_its_neighbours_at_each_distance_and_the_mean():
    x = keras.Input((9, 9, 1))
    model = keras.Model(x, atrous_pyramid(x, channels=1, rates=(1, 2, 4), dropout=0.0, norm=batch_norm()))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.ones(layer.kernel.shape)])
    image = np.zeros((1, 9, 9, 1), "float32")
    image[0, 4, 4] = 81
    # The cell itself: 1x1, and the middle of each 3x3. At distance d: one 3x3. Everywhere: the mean, 81 / 81.
    # Each norm adds 1e-5 to a variance of 1.
    np.testing.assert_allclose(model(image)[0, 4, :, 0], [82, 1, 82, 82, 1 + 4 * 81, 82, 82, 1, 82], rtol=1e-4)
