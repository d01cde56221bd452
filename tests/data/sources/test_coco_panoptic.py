"""COCO's panoptic PNG, and PNG of category numbers, give the same label maps; unusable ones are reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasvision.config import Coco
from kerasvision.data.inspecting.label_maps import check_map
from kerasvision.data.records import UnusableMap
from kerasvision.data.sources.coco import read_coco
from kerasvision.errors import DataError

COCO_OPEN = Path(__file__).parents[4] / "shared" / "data" / "coco-open"
CATEGORIES = [{"id": 200, "name": "rug"}, {"id": 1, "name": "person"}, {"id": 23, "name": "bear"}]
# Segments 1 and 65,793 are bears, 256 is a rug; 0 is no segment.
SEGMENTS = np.array([[1, 1, 256], [65_793, 0, 256]])
SEGMENTS_INFO = [{"id": 1, "category_id": 23}, {"id": 256, "category_id": 200}, {"id": 65_793, "category_id": 23}]


def colours(segments):
    return np.stack([segments % 256, segments // 256 % 256, segments // 65_536], axis=-1).astype(np.uint8)


@pytest.fixture
def coco(tmp_path):
    """Writes a folder with one image of 3 x 2 pixels and its panoptic annotation, which `change` may change."""

    def write(*, change=lambda data: None, pixels=None, **fields):
        (tmp_path / "annotations" / "panoptic_val2017").mkdir(parents=True)
        (tmp_path / "annotations" / "semantic_val2017").mkdir()
        (tmp_path / "val2017").mkdir()
        Image.new("RGB", (3, 2)).save(tmp_path / "val2017" / "1.jpg")
        annotation = {"image_id": 1, "file_name": "1.png", "segments_info": [dict(one) for one in SEGMENTS_INFO]}
        data = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [annotation], "categories": CATEGORIES}
        change(data)
        (tmp_path / "annotations" / "panoptic_val2017.json").write_text(json.dumps(data))
        picture = colours(SEGMENTS) if pixels is None else pixels
        Image.fromarray(picture).save(tmp_path / "annotations" / "panoptic_val2017" / "1.png")
        numbers = np.uint8([[23, 23, 200], [23, 0, 200]])
        Image.fromarray(numbers).save(tmp_path / "annotations" / "semantic_val2017" / "1.png")
        return Coco(path=tmp_path, annotations=("panoptic",), **fields)

    return write


def classes_of(label_map):
    """The class name of each pixel; "" if nothing is said."""
    names = dict.fromkeys(label_map.ignored, "") | dict(label_map.names)
    return [[names[number] for number in row] for row in label_map.load().tolist()]


@pytest.mark.parametrize("kind", ["panoptic", "semantic"])
def test_both_kinds_of_png_give_the_classes_of_the_pixels(coco, kind):
    (record,) = read_coco(coco(label_maps=kind))
    assert (record.name, record.split, record.fault) == ("val2017/1.jpg", "validation", "")
    assert classes_of(record.label_map) == [["bear", "bear", "rug"], ["bear", "", "rug"]]
    assert list(record.label_map.names.values()) == ["person", "bear", "rug"]  # by their ids


def test_the_files_include_the_png(coco):
    names = [name for name, _ in coco().files()]
    assert names == ["panoptic/panoptic_val2017.json", "panoptic_val2017/1.png", "val2017/1.jpg"]


def test_a_file_of_its_own_place_is_read(coco):
    root = coco().path
    source = Coco(path=root / "val2017", panoptic=root / "annotations/panoptic_val2017.json", annotations=("panoptic",))
    (record,) = read_coco(source)
    assert classes_of(record.label_map)[1] == ["bear", "", "rug"]


def first(data):
    return data["annotations"][0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda data: first(data).update(file_name="2.png"), "its label map '2.png': there is no such file"),
        (
            lambda data: first(data).update(file_name="../../val2017/1.jpg"),
            "jpg': the path leads out of",
        ),
        (lambda data: first(data)["segments_info"][0].update(category_id=5), "has a segment without a number and a listed"),
        (lambda data: first(data)["segments_info"].append("rug"), "has a segment without a number and a listed category"),
        (lambda data: data["annotations"].append(first(data)), "two annotations of panoptic_val2017.json belong to it"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_a_fault_of_its_image(coco, change, fault):
    (record,) = read_coco(coco(change=change))
    assert fault in record.fault
    assert record.label_map is None


def test_a_segment_that_the_file_does_not_list_is_named_by_its_colour(coco):
    (record,) = read_coco(coco(pixels=colours(SEGMENTS + 5)))
    with pytest.raises(UnusableMap, match=r"has colours that panoptic_val2017.json does not name: 5 0 0"):
        record.label_map.load()


def test_an_image_without_an_annotation_has_no_map(coco):
    (record,) = read_coco(coco(change=lambda data: data["annotations"].clear()))
    assert (record.fault, record.label_map) == ("", None)


def test_a_missing_folder_of_png_is_refused(coco):
    source = coco(label_maps="semantic")
    for file in (source.path / "annotations/semantic_val2017").iterdir():
        file.unlink()
    (source.path / "annotations/semantic_val2017").rmdir()
    with pytest.raises(DataError, match="there is no folder .*semantic_val2017 with the PNG files"):
        list(read_coco(source))


@pytest.mark.parametrize(
    ("fields", "way"),
    [
        ({}, ""),  # masks of objects
        ({"masks": "leave_out"}, "add 'panoptic' to source.annotations"),
        ({"annotations": ("captions", "panoptic")}, ""),
        ({"annotations": ("captions",)}, "add 'panoptic' to source.annotations"),
        ({"annotations": ("captions", "panoptic"), "captions": "c.json"}, "set source.panoptic to the file of panoptic"),
    ],
)
def test_the_way_to_label_maps(fields, way):
    assert Coco(path="coco", **fields).way_to("label_maps") == way


@pytest.mark.skipif(not COCO_OPEN.is_dir(), reason="needs the shared COCO photos")
def test_panoptic_and_semantic_maps_of_real_photos_agree():
    sources = (Coco(path=COCO_OPEN, annotations=("panoptic",), label_maps=kind) for kind in ("panoptic", "semantic"))
    both = [{record.name: record for record in read_coco(source) if record.label_map} for source in sources]
    assert [len(records) for records in both] == [53, 53]
    for name in sorted(both[0])[::9]:
        found = []
        for records in both:
            label_map = records[name].label_map
            data = records[name].load()
            with Image.open(records[name].content) as image:
                checked = check_map(label_map, data, width=image.width, height=image.height)
            assert checked.fault == ""
            found.append({label_map.names[number]: count for number, count in checked.found.items()})
        assert found[0] == found[1]
