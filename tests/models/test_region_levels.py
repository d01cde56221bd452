"""Anchors and windows of detectors of two stages, as the network has them: against papers, torchvision and by hand."""

import pytest

from kerasvision.models import build
from kerasvision.models.box_levels import box_levels, level_lines
from kerasvision.models.region_levels import WindowShape, window_shapes

pytestmark = pytest.mark.usefixtures("shapes_only")

SMALL = {"backbone": "resnet9", "width": 0.125}


def test_objectness_on_vgg16_sees_228_pixels_as_in_the_paper():
    # Ren et al., 2015, section 3.1: "171 and 228 pixels for ZF and VGG".
    small = {"width": 1 / 64, "channels": 8, "hidden": 8}
    (level,) = box_levels(build("faster_rcnn", image_shape=(608, 1008, 3), num_classes=3, **small))
    assert (level.field, level.stride, level.cells, level.boxes) == ("228 x 228", (16, 16), (38, 63), 9)
    # Squares of three sizes, and for each a wide and a tall box of the same area.
    assert level.shapes == "90x182, 182x362, 362x724, 128x128, 256x256, 512x512, 182x90, 362x182, 724x362"


def test_each_level_of_a_pyramid_has_anchors_of_its_own_size():
    small = {"backbone": "resnet18", "width": 1 / 16, "channels": 8, "hidden": 8}
    network = build("faster_rcnn_fpn", image_shape=(800, 800, 3), num_classes=3, **small)
    found = [(one.level, one.cells[0], one.stride[0], one.shapes.split(", ")[1]) for one in box_levels(network)]
    assert found == [
        ("p2", 200, 4, "32x32"), ("p3", 100, 8, "64x64"), ("p4", 50, 16, "128x128"), ("p5", 25, 32, "256x256"),
        ("p6", 13, 64, "512x512"),
    ]  # fmt: skip
    # torchvision's fasterrcnn_resnet50_fpn has 159,882 anchors at 800 x 800 pixels.
    assert level_lines(network)[1].startswith("159,882 anchors, from which at most 300 proposals are made; ")


def test_the_stride_of_a_single_row_of_cells_is_that_of_its_layers():
    small = {**SMALL, "anchor_sizes": (16,), "channels": 8, "bins": 3, "proposals": 4}
    (level,) = box_levels(build("rfcn", image_shape=(8, 32, 3), num_classes=3, **small))
    assert (level.cells, level.stride, level.level) == ((1, 4), (8, 8), "p3")


@pytest.mark.parametrize(("name", "own"), [("rcnn", {"crop": 16}), ("fast_rcnn", {"hidden": 8})])
def test_windows_stand_a_fifth_of_their_shorter_side_apart(name, own):
    network = build(name, image_shape=(32, 40, 3), num_classes=3, **SMALL, **own, window_sides=(16, 99), proposals=7)
    # 11 x 23 pixels every 2: the first line is 0 to 20, the first column 0 to 16. A side of 99 is the whole image.
    assert window_shapes(network) == (
        WindowShape((11, 23), 2, (11, 9)),
        WindowShape((16, 16), 3, (6, 9)),
        WindowShape((23, 11), 2, (5, 15)),
        WindowShape((32, 40), 0, (1, 1)),
    )
    rows, sentence = level_lines(network)
    assert rows[-2:] == (("23x11", "2", "5 x 15"), ("32x40", "-", "1 x 1"))
    assert sentence == "229 windows, of which at most 7 become regions: those with the most contrast"
