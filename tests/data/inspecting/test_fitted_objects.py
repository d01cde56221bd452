"""Boxes and masks that were drawn on another size of an image are moved to the pixels that they were drawn on."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.inspecting.fitted_objects import SCALED, TURNED, fit_objects, turn_box
from kerasvision.data.png import encode_png
from kerasvision.data.records import Object, Record

ORIENTATION = 0x0112


def jpeg(width, height, orientation=None):
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def record(drawn_on, *boxes, mask=None):
    return Record("a", bytes, objects=tuple(Object(box, "cat", mask) for box in boxes), drawn_on=drawn_on)


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_objects_of_the_right_size_or_of_none_stay_as_they_are():
    for drawn_on in (None, (80, 100)):
        one = record(drawn_on, (1, 2, 3, 4))
        assert fit_objects(one, b"", width=100, height=80) == (one.objects, [], "")
    # Without objects nothing can be in a wrong place.
    assert fit_objects(record((7, 9)), b"", width=100, height=80) == ((), [], "")


@pytest.mark.parametrize(
    ("size", "box"),  # of a box that is drawn on 200 x 160 at 20..60 across and 16..48 down
    [
        ((100, 80), (8, 10, 24, 30)),
        ((400, 320), (32, 40, 96, 120)),
        ((20, 16), (1.6, 2, 4.8, 6)),
        ((201, 161), (16.1, 20.1, 48.3, 60.3)),
    ],
)
def test_boxes_of_a_resized_image_are_scaled(size, box):
    (found,), notes, fault = fit_objects(record((160, 200), (16, 20, 48, 60)), b"", width=size[0], height=size[1])
    assert found.box == pytest.approx(box)
    assert (notes, fault) == ([SCALED], "")


def test_an_area_is_scaled_with_its_box_and_a_crowd_stays_one():
    one = Record("a", bytes, objects=(Object((0, 0, 8, 8), "cat", crowd=True, area=40.0),), drawn_on=(160, 200))
    (found,), _, _ = fit_objects(one, b"", width=100, height=80)
    assert (found.crowd, found.area) == (True, 10.0)


# 640 x 427 in whole pixels, as Pillow's thumbnail and most tools round it.
@pytest.mark.parametrize("size", [(320, 213), (320, 214), (64, 43), (64, 42), (1280, 854), (1280, 853)])
def test_rounding_to_whole_pixels_is_no_other_aspect_ratio(size):
    assert fit_objects(record((427, 640), (1, 2, 3, 4)), b"", width=size[0], height=size[1])[2] == ""


@pytest.mark.parametrize("size", [(160, 160), (200, 150), (160, 200), (300, 160), (100, 90)])
def test_another_aspect_ratio_is_a_fault(size):
    objects, notes, fault = fit_objects(record((160, 200), (16, 20, 48, 60)), jpeg(*size), width=size[0], height=size[1])
    assert (objects, notes) == ((), [])
    claim = f"200 x 160 pixels, and the image has {size[0]} x {size[1]}"
    assert fault == f"the annotation file claims {claim}: its boxes cannot be placed"


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_box_is_turned_as_pillow_turns_the_pixels(orientation, scale):
    stored = Image.new("L", (20, 10))
    stored.paste(255, (2, 1, 6, 4))  # left, top, right, bottom
    stored.getexif()[ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))
    rows, columns = np.nonzero(upright)
    expected = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    assert turn_box((1, 2, 4, 6), orientation, width=20, height=10) == expected

    mask = encode_png(np.asarray(stored))
    told = record((10, 20), (1, 2, 4, 6), mask=mask)
    data = jpeg(20 * scale, 10 * scale, orientation)
    (found,), notes, fault = fit_objects(told, data, width=10 * scale, height=20 * scale)
    assert found.box == tuple(scale * side for side in expected)
    assert (opened(found.mask()) == upright.repeat(scale, axis=0).repeat(scale, axis=1)).all()
    assert (notes, fault) == ([TURNED] if scale == 1 else [TURNED, SCALED], "")


def test_what_is_written_lies_on_the_pixels_that_it_was_drawn_on(tmp_path):
    """A white rectangle in each image, and the box around it as it was before the images were made half as large."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "photos").mkdir()
    data = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "white"}]}
    for number in range(12):
        picture = Image.new("L", (40, 30), number)
        picture.paste(255, (8, 6, 20, 12))
        picture.resize((20, 15), Image.Resampling.NEAREST).save(tmp_path / f"photos/{number}.png")
        data["images"].append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
        outline = [[8, 6, 20, 6, 20, 12, 8, 12]]
        data["annotations"].append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [8, 6, 12, 6], "segmentation": outline}
        )
    (tmp_path / "annotations" / "instances_photos.json").write_text(json.dumps(data))
    out = tmp_path / "out"
    out.mkdir()
    told = ingest(
        c.Coco(path=tmp_path),
        splits=c.Splits(),
        policy=c.Ingest(),
        data=out / "data",
        manifest=out / "manifest.parquet",
        span=out / "span.json",
    )
    assert set(told.manifest["notes"]) == {SCALED}
    for example in ExampleSet(out / "data").dataset("train").take(2).as_numpy_iterator():
        white = opened(example["image"]) > 128
        rows, columns = np.nonzero(white)
        top, left, bottom, right = example["objects"]["bbox"][0] * [15, 20, 15, 20]
        assert (top, left, bottom, right) == pytest.approx((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
        assert ((opened(example["objects"]["mask"][0]) > 0) == white).all()


def test_an_annotator_who_saw_the_orientation_is_believed():
    one = record((20, 10), (1, 2, 4, 6))
    assert fit_objects(one, jpeg(20, 10, 6), width=10, height=20) == (one.objects, [], "")


def test_sides_that_are_swapped_without_an_orientation_are_a_fault():
    assert "cannot be placed" in fit_objects(record((20, 10), (1, 2, 4, 6)), jpeg(20, 10), width=20, height=10)[2]
