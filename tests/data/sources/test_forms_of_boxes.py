"""COCO, YOLO and Pascal VOC: the same scenes, written in each form, are read as the same boxes."""

import json
from collections import Counter
from xml.etree import ElementTree

import pytest

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.forms import source_of_form
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.objects_look import look_at_objects
from kerasvision.data.sources.shapes import read_shapes

SIZE = (48, 64)
# One scene for each split.
SPLITS = ("train", "val", "test")
CLASSES = ("circle", "square", "star")


@pytest.fixture(scope="module")
def scenes():
    """Three scenes of 48 x 64 pixels with whole numbers as corners."""
    return list(read_shapes(c.Shapes(count=3, image_size=SIZE, classes=CLASSES)))


def described(records):
    """Name of the file and split -> (class, corners) of each object."""
    return {
        (record.name.rsplit("/", 1)[1], record.split): [(thing.label, thing.box) for thing in record.objects]
        for record in records
    }


@pytest.fixture(scope="module")
def expected(scenes):
    names = ("train", "validation", "test")
    return {
        (scene.name, split): [(thing.label, thing.box) for thing in scene.objects]
        for split, scene in zip(names, scenes, strict=True)
    }


def read(source):
    return list(lookup.load(source.implementation)(source))


def save(scene, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / scene.name).write_bytes(scene.load())


def write_coco(scenes, root):
    (root / "annotations").mkdir(parents=True)
    for split, scene in zip(SPLITS, scenes, strict=True):
        save(scene, root / split)
        rows = [
            {
                "id": number,
                "image_id": 1,
                "category_id": 10 * CLASSES.index(thing.label),
                "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
                "area": thing.area,
            }
            for number, thing in enumerate(scene.objects)
            for y_min, x_min, y_max, x_max in [thing.box]
        ]
        images = [{"id": 1, "file_name": scene.name, "height": SIZE[0], "width": SIZE[1]}]
        categories = [{"id": 10 * number, "name": name} for number, name in enumerate(CLASSES)]
        content = {"images": images, "annotations": rows, "categories": categories}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return c.Coco(path=root)


def write_yolo(scenes, root):
    (root / "labels").mkdir(parents=True)
    for split, scene in zip(SPLITS, scenes, strict=True):
        save(scene, root / "images" / split)
        (root / "labels" / split).mkdir()
        rows = []
        for thing in scene.objects:
            y_min, x_min, y_max, x_max = thing.box
            middle = ((x_min + x_max) / 2 / SIZE[1], (y_min + y_max) / 2 / SIZE[0])
            sides = ((x_max - x_min) / SIZE[1], (y_max - y_min) / SIZE[0])
            rows.append(" ".join(map(repr, (CLASSES.index(thing.label), *middle, *sides))))
        (root / "labels" / split / scene.name).with_suffix(".txt").write_text("\n".join(rows))
    places = "".join(f"{split}: images/{split}\n" for split in SPLITS)
    (root / "data.yaml").write_text(f"{places}names: [{', '.join(CLASSES)}]\n")
    return c.Yolo(path=root)


def write_voc(scenes, root):
    """The first pixel of a row has the number 1 in this form, and the last one belongs to the box."""
    for folder in ("Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for split, scene in zip(SPLITS, scenes, strict=True):
        save(scene, root / "JPEGImages")
        stem = scene.name.removesuffix(".png")
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(f"{stem}\n")
        annotation = ElementTree.Element("annotation")
        size = ElementTree.SubElement(annotation, "size")
        for side, pixels in zip(("height", "width"), SIZE, strict=True):
            ElementTree.SubElement(size, side).text = str(pixels)
        for thing in scene.objects:
            y_min, x_min, y_max, x_max = map(int, thing.box)
            one = ElementTree.SubElement(annotation, "object")
            ElementTree.SubElement(one, "name").text = thing.label
            box = ElementTree.SubElement(one, "bndbox")
            for name, corner in {"xmin": x_min + 1, "ymin": y_min + 1, "xmax": x_max, "ymax": y_max}.items():
                ElementTree.SubElement(box, name).text = str(corner)
        ElementTree.ElementTree(annotation).write(root / "Annotations" / f"{stem}.xml")
    return c.Voc(path=root)


@pytest.mark.parametrize("write", [write_coco, write_voc])
def test_whole_corners_come_back_exactly(write, scenes, expected, tmp_path):
    assert sum(map(len, expected.values())) > 3, "some scene has several objects"
    assert described(read(write(scenes, tmp_path / "set"))) == expected


def test_shares_come_back_as_the_same_corners(scenes, expected, tmp_path):
    found = described(read(write_yolo(scenes, tmp_path / "set")))
    assert found.keys() == expected.keys()
    for image, things in expected.items():
        assert [label for label, _ in found[image]] == [label for label, _ in things]
        for (_, box), (_, true) in zip(found[image], things, strict=True):
            assert box == pytest.approx(true, abs=1e-9)


@pytest.mark.parametrize("write", [write_coco, write_yolo, write_voc])
def test_the_label_can_be_the_class_of_the_largest_object(write, scenes, tmp_path):
    source = write(scenes, tmp_path / "set").model_copy(update={"label": "largest"})
    assert sorted(record.label for record in read(source)) == sorted(scene.label for scene in scenes)


@pytest.mark.parametrize("write", [write_coco, write_yolo, write_voc])
def test_a_first_look_counts_the_same_objects_in_each_form(write, scenes, tmp_path):
    write(scenes, tmp_path / "set")
    look = look_at_objects(source_of_form(tmp_path / "set"), images=tmp_path / "set")
    assert look.counts == Counter(thing.label for scene in scenes for thing in scene.objects)
    assert look.per_image == tuple(sorted(len(scene.objects) for scene in scenes))
    assert (look.given, look.sides) == ({"train": 1, "validation": 1, "test": 1}, (64, 64, 64))


@pytest.mark.parametrize("write", [write_coco, write_yolo, write_voc])
def test_every_file_that_is_read_counts_as_content(write, scenes, tmp_path):
    source = write(scenes, tmp_path / "set")
    written = {path for path in (tmp_path / "set").rglob("*") if path.is_file()}
    assert {path for _, path in source.files()} == written
    assert len({name for name, _ in source.files()}) == len(written)


def test_ingest_keeps_what_a_score_ignores_and_names_what_it_leaves_out(scenes, tmp_path):
    source = write_voc(scenes, tmp_path / "set")
    first = tmp_path / "set" / "Annotations" / scenes[0].name.replace(".png", ".xml")
    first.write_text(first.read_text().replace("<object>", "<object><difficult>1</difficult>", 1))
    save(scenes[0], tmp_path / "set" / "JPEGImages" / "more")
    (tmp_path / "set" / "ImageSets" / "Main" / "train.txt").write_text(f"0000000\nmore/{scenes[0].name}\n")
    files = {name: tmp_path / name for name in ("data", "manifest", "span")}
    manifest = ingest(source, splits=c.Splits(), policy=c.Ingest(policy="report"), **files).manifest
    assert manifest[manifest["fault"] != ""][["id", "fault"]].to_numpy().tolist() == [
        ["JPEGImages/more/0000000.png", "annotation file 0000000.xml is missing"]
    ]
    (example,) = ExampleSet(tmp_path / "data").dataset("train").as_numpy_iterator()
    boxes = [thing.box for thing in scenes[0].objects]
    assert example["objects"]["crowd"].tolist() == [True] + [False] * (len(boxes) - 1)
    # VOC gives no areas, so they are those of the boxes.
    assert example["objects"]["area"].tolist() == [(y_max - y_min) * (x_max - x_min) for y_min, x_min, y_max, x_max in boxes]
