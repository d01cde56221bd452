"""Points, anchors and default boxes: where the answers of a detector lie, against numbers of torchvision and by hand."""

import numpy as np

from kerasvision.models.anchors import (
    ANCHORS_PER_CELL,
    anchor_sides,
    anchors_of_sides,
    boxes_text,
    cell_anchors,
    default_boxes,
    level_of,
    pyramid_anchors,
    pyramid_points,
    sides_in,
    strides_of,
)

RETINANET = {"ratios": (0.5, 1.0, 2.0), "scales": (1.0, 2 ** (1 / 3), 2 ** (2 / 3))}
# Half the height and half the width of the nine anchors of p3 in torchvision, whose sizes there are 32, 40 and 50: for the
# ratio 1/2, 32 * sqrt(1/2) / 2 = 11.3 and 32 * sqrt(2) / 2 = 22.6.
HALVES = [(11, 23), (14, 28), (18, 35), (16, 16), (20, 20), (25, 25), (23, 11), (28, 14), (35, 18)]


def test_anchors_of_a_cell_are_torchvisions():
    expected = [(-height, -width, height, width) for height, width in HALVES]
    np.testing.assert_array_equal(cell_anchors(32, **RETINANET), expected)


def test_sizes_go_from_32_at_p3_to_512_at_p7():
    shapes = {f"p{level}": (1, 1) for level in range(3, 8)}
    squares = pyramid_anchors(shapes, ratios=(1.0,), scales=(1.0,))
    assert (squares[:, 2] - squares[:, 0]).tolist() == [32, 64, 128, 256, 512]


def test_anchors_follow_each_other_by_level_row_column_and_shape():
    anchors = pyramid_anchors({"p3": (2, 3), "p4": (1, 1)})
    assert anchors.shape == ((2 * 3 + 1) * ANCHORS_PER_CELL, 4)
    assert anchors.dtype == "float32"
    # The cell in row 1 and column 2 of p3 is the last of six; its corner lies 8 down and 16 to the right.
    height, width = HALVES[4]
    assert anchors[5 * 9 + 4].tolist() == [8 - height, 16 - width, 8 + height, 16 + width]
    np.testing.assert_array_equal(anchors[6 * 9 :], cell_anchors(64, **RETINANET))


def test_an_image_of_320_pixels_has_19206_anchors():
    # torchvision's count, of maps of 40, 20, 10, 5 and 3 cells a side.
    shapes = {"p3": (40, 40), "p4": (20, 20), "p5": (10, 10), "p6": (5, 5), "p7": (3, 3)}
    assert len(pyramid_anchors(shapes)) == 19_206


def test_points_are_the_middles_of_cells():
    points, strides = pyramid_points({"p3": (2, 2), "p5": (1, 2)})
    assert points.tolist() == [[4, 4], [4, 12], [12, 4], [12, 12], [16, 16], [16, 48]]
    assert strides.tolist() == [8, 8, 8, 8, 32, 32]
    assert points.dtype == strides.dtype == "float32"


def test_names_of_levels_and_boxes_are_read_as_they_are_written():
    assert [strides_of(level_of(strides)) for strides in ((8, 8), (100, 100), (48.0, 64.5))] == [
        (8, 8),
        (100, 100),
        (48, 64.5),
    ]
    sides = np.array([(21, 21), (14.8492, 29.6985)], np.float32)
    np.testing.assert_allclose(sides_in(boxes_text(sides)), sides, rtol=1e-6)


def test_anchors_that_are_read_from_a_name_are_the_same_to_the_last_bit():
    shapes = {"p3": (4, 5), "p5": (2, 2)}
    read = {level: sides_in(boxes_text(anchor_sides(level, **RETINANET))) for level in shapes}
    np.testing.assert_array_equal(anchors_of_sides(shapes, read), pyramid_anchors(shapes))


def test_default_boxes_lie_around_the_middles_of_cells_row_by_row():
    found = default_boxes({"p1": (2, 2), "s4x5": (1, 1)}, {"p1": np.array([(2, 2), (1, 4)]), "s4x5": np.array([(4, 6)])})
    # Middles at 1 and 3 along both axes; then one at 2, 2.5.
    assert found.tolist() == [
        [0, 0, 2, 2], [0.5, -1, 1.5, 3],
        [0, 2, 2, 4], [0.5, 1, 1.5, 5],
        [2, 0, 4, 2], [2.5, -1, 3.5, 3],
        [2, 2, 4, 4], [2.5, 1, 3.5, 5],
        [0, -0.5, 4, 5.5],
    ]  # fmt: skip
    assert found.dtype == "float32"
