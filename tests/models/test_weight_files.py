"""A weights file that is damaged, hostile, of another kind, or does not fit is rejected with the reason."""

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.weight_files import open_layers


def build_small(file):
    return build("vgg16", image_shape=(32, 32, 3), num_classes=None, weights=str(file), width=1 / 64)


KERNEL = "block2_conv1/block2_conv1/kernel:0"


def replaced(**dataset):
    def spoil(opened):
        del opened[KERNEL]
        opened.create_dataset(KERNEL, **dataset)

    return spoil


def linked(link):
    def spoil(opened):
        del opened[KERNEL]
        opened[KERNEL] = link

    return spoil


def listed(names):
    return lambda opened: opened.attrs.__setitem__("layer_names", names)


def renamed(opened):
    opened.attrs["layer_names"] = np.array(["unknown", *opened.attrs["layer_names"][1:]], "S")
    opened.move("block1_conv1", "unknown")


def test_file_by_hand_fits(small_vgg16):
    assert not any(weight.numpy().any() for weight in build_small(small_vgg16()).weights)


HUGE = {"shape": (10**6, 10**6, 10**3), "dtype": "float32", "chunks": (1, 1, 10**3)}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (replaced(data=np.zeros((3, 3, 2, 2), "f4")), r"'block2_conv1': 3 x 3 x 2 x 2 \+ 2 in the file, 3 x 3 x 1 x 2 \+ 2"),
        (replaced(**HUGE), "'block2_conv1': 1000000 x 1000000 x 1000"),
        (replaced(data=np.zeros((3, 3, 1, 2), "i4")), "must contain floating-point numbers; .* is int32"),
        (replaced(shape=(3, 3, 1, 2), dtype=h5py.string_dtype()), "must contain floating-point numbers; .* is object"),
        (replaced(shape=(3, 3, 1, 2), dtype="f4", external=[("other.bin", 0, 72)]), "is in another file"),
        (linked(h5py.SoftLink("/block1_conv1")), "'kernel:0' in /block2_conv1/block2_conv1 is a link"),
        (linked(h5py.ExternalLink("other.h5", "/x")), "'kernel:0' in /block2_conv1/block2_conv1 is a link"),
        (lambda opened: opened.pop("block3_conv1"), "has no 'block3_conv1' in /"),
        (lambda opened: opened.attrs.pop("layer_names"), "must list its layers in an attribute 'layer_names'"),
        (renamed, "lacks the layer 'block1_conv1' of the network"),
        (listed(np.zeros(3)), "must list names in layer_names"),
        (listed(np.array(["../x"], "S")), r"has no '../x' in /"),
    ],
)
def test_file_that_does_not_fit_is_told(spoil, message, small_vgg16):
    with pytest.raises(ConfigError, match=message):
        build_small(small_vgg16(spoil))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_file_that_is_cut_short_is_told(share, small_vgg16):
    file = small_vgg16()
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ConfigError, match="is damaged or not an HDF5 file"):
        build_small(file)


def test_file_of_another_kind_is_told(tmp_path):
    (tmp_path / "weights.h5").write_text("<html>404</html>")
    with pytest.raises(ConfigError, match="is damaged or not an HDF5 file"):
        build_small(tmp_path / "weights.h5")


def test_weights_file_of_keras_3_is_told_with_the_way_out(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(ConfigError, match=r"model.save\('name.h5'\)"):
        build_small(tmp_path / "new.weights.h5")


def test_missing_file_is_told():
    with pytest.raises(ConfigError, match="there is no weights file nowhere.h5"):
        build_small("nowhere.h5")


def test_long_list_of_layers_is_read_in_parts(tmp_path):
    """Keras splits a list that is longer than 64 KiB."""
    names = [f"{'long' * 50}{number:03d}" for number in range(800)]
    with h5py.File(tmp_path / "long.h5", "w") as opened:
        legacy_h5_format.save_attributes_to_hdf5_group(opened, "layer_names", [name.encode() for name in names])
        assert "layer_names1" in opened.attrs
        for name in names:
            opened.create_group(name).attrs["weight_names"] = np.array(["w"], "S")
            opened[name]["w"] = np.zeros(1, "float64")
    with open_layers(tmp_path / "long.h5") as layers:
        assert list(layers) == names


@pytest.mark.parametrize(
    ("name", "image_shape", "message"),
    [
        ("vgg16", (32, 32, 1), "are for RGB images"),
        ("lenet5", (28, 28, 1), "must come from its own .keras file"),
    ],
)
def test_network_that_the_layout_is_not_for_is_refused(name, image_shape, message, small_vgg16):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=image_shape, num_classes=3, weights=str(small_vgg16()))
