"""What the tests of weights share: a file in the layout of keras.applications that is small enough to write by hand."""

import h5py
import numpy as np
import pytest

# VGG-16 at a 64th of its width.
WIDTHS = [width for width, count in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)) for _ in range(count)]
NAMES = [f"block{level}_conv{n}" for level, count in enumerate((2, 2, 3, 3, 3), start=1) for n in range(1, count + 1)]


@pytest.fixture
def small_vgg16(tmp_path):
    """Writes 13 convolutions of zeros; `spoil` may change the open HDF5 file before it is closed."""

    def write(spoil=lambda opened: None):
        file = tmp_path / "small.h5"
        with h5py.File(file, "w") as opened:
            opened.attrs["layer_names"] = np.array(NAMES, "S")
            for name, width_in, width in zip(NAMES, [3, *WIDTHS], WIDTHS, strict=False):
                group = opened.create_group(name)
                group.attrs["weight_names"] = np.array([f"{name}/kernel:0", f"{name}/bias:0"], "S")
                group[f"{name}/kernel:0"] = np.zeros((3, 3, width_in, width), "float32")
                group[f"{name}/bias:0"] = np.zeros(width, "float32")
            spoil(opened)
        return file

    return write
