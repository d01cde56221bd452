"""Faults planted in clean COCO files: each is found and named, and the other images are used."""

import json
import re

import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.config.coco import Coco
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.errors import DataError


def coco_of(root):
    return Coco(path=root)


@pytest.fixture(scope="module")
def find(planted):
    """(how to plant) -> what is found."""

    def run(change, **choices):
        return planted("clean_coco", coco_of, change, **choices)

    return run


def test_the_clean_set_raises_nothing(clean_set):
    clean = clean_set("clean_coco", coco_of)
    assert find_anomalies(clean.statistics, clean.schema, images=clean.images) == []
    assert clean.schema.object_classes == ("ball", "cup")
    assert clean.schema.classes == ()
    assert len(clean.images) == 72


def edited(kind, edit, split="train2017"):
    """Changes one JSON file."""

    def change(root):
        file = root / "annotations" / f"{kind}_{split}.json"
        data = json.loads(file.read_text())
        edit(data)
        file.write_text(json.dumps(data))

    return change


def annotation(number, **fields):
    """Changes the annotation of one object."""
    return edited("instances", lambda data: data["annotations"][number].update(fields))


def image(number, **fields):
    """Changes the entry of one image in both files."""

    def change(root):
        for kind in ("captions", "instances"):
            edited(kind, lambda data: data["images"][number].update(fields))(root)

    return change


def caption(number, text):
    """Changes a caption."""
    return edited("captions", lambda data: data["annotations"][number].update(caption=text))


def saved_anew(number, change):
    """Replaces a photo by another picture."""

    def plant(root):
        file = root / f"train2017/{number:03d}.jpg"
        with Image.open(file) as photo:
            changed = change(photo)
        changed.save(file, "JPEG", quality=90)

    return plant


# One image each: its number, how it is damaged, its name then, and what must be found. They are planted
# together: each is looked for by its name.
IMAGES = {
    "a box that reaches out, without a mask": (
        3, annotation(3, bbox=[30, 20, 30, 10], segmentation=[]),
        {"box_clipped": "reaches beyond", "bad_mask": "an object has no mask, although others have one"},
    ),
    "a box outside": (4, annotation(4, bbox=[100, 100, 12, 10], segmentation=[]), {"box_dropped": "without any area"}),
    "a box of negative width": (
        5, annotation(5, bbox=[20, 5, -12, 10], segmentation=[]), {"box_dropped": "without any area"},
    ),
    "a box without a number": (
        6, annotation(6, bbox=[1, 2, None, 4]), {"bad_annotation": "annotation 6 of instances_train2017"},
    ),
    "a mask of another size": (
        7, annotation(7, segmentation={"size": [9, 9], "counts": [40, 41]}),
        {"bad_annotation": "do not fill its image, 40 x 48"},
    ),
    "a polygon of two points": (8, annotation(8, segmentation=[[1, 1, 2, 2]]), {"bad_annotation": "neither polygons"}),
    "a photo that was cut without its annotations": (
        9, saved_anew(9, lambda photo: photo.crop((0, 0, 30, 20))),
        {"bad_annotation": "the annotation file claims 48 x 40 pixels, and the image has 30 x 20: its boxes cannot"},
    ),
    "an empty caption": (
        10, caption(10, "  "), {"empty_caption": "an empty caption", "few_captions": "2 images have fewer captions than 1"},
    ),
    "a very long caption": (11, caption(11, "cup " * 150), {"long_caption": "a caption has 150 words"}),
    "no caption": (
        12, edited("captions", lambda data: data["annotations"].pop(12)), {"few_captions": "fewer captions than 1"},
    ),
    "a missing file": (13, lambda root: (root / "train2017/013.jpg").unlink(), {"unreadable": "there is no such file"}),
    "a truncated file": (
        14, lambda root: (root / "train2017/014.jpg").write_bytes((root / "train2017/014.jpg").read_bytes()[:600]),
        {"corrupt": "truncated or corrupt JPEG"},
    ),
    "a photo that was enlarged without its annotations": (
        19, saved_anew(19, lambda photo: photo.resize((96, 80))),
        {"other_size_annotated": "so the boxes were scaled", "large_image": "a side is 96 pixels"},
    ),
    "a crowd that is neither 0 nor 1": (20, annotation(20, iscrowd="maybe"), {"bad_annotation": "iscrowd 'maybe', neither"}),
    "a box in shares of the sides": (
        21, annotation(21, bbox=[0.1, 0.2, 0.5, 0.5]), {"bad_annotation": "the box [0.1, 0.2, 0.5, 0.5] within the first"},
    ),
    "a caption that is no text": (22, caption(22, 0.5), {"bad_annotation": "holds 0.5 in annotation 22, neither"}),
}  # fmt: skip
# Images whose path itself is the fault, which is also in their name.
PATHS = {
    "a path upwards": (r"train2017/\.\./\.\./secret\.jpg", image(15, file_name="../../secret.jpg"), "path_outside"),
    "an absolute path": ("train2017//etc/passwd", image(16, file_name="/etc/passwd"), "path_outside"),
    "an empty path": ("train2017/", image(17, file_name=""), "unreadable"),
    "a path with a NUL character": (r"train2017/a.*\.jpg", image(18, file_name="a\0.jpg"), "unreadable"),
}


@pytest.fixture(scope="module")
def spoilt(find):
    def change(root):
        # The caption that is removed comes last, because it moves those after it.
        for fault in sorted(IMAGES, key=lambda name: name == "no caption"):
            IMAGES[fault][1](root)
        for _, plant, _ in PATHS.values():
            plant(root)

    return find(change)


@pytest.mark.parametrize("fault", IMAGES)
def test_a_bad_annotation_is_found_and_its_image_named(fault, spoilt):
    number, _, expected = IMAGES[fault]
    found = {one.code: one.message for one in spoilt if f"train2017/{number:03d}.jpg" in one.examples}
    assert found.keys() == expected.keys()
    for code, text in expected.items():
        assert text in found[code]


@pytest.mark.parametrize("fault", PATHS)
def test_a_path_that_may_not_be_read_is_found_and_named(fault, spoilt):
    name, _, code = PATHS[fault]
    assert [one.code for one in spoilt if any(re.fullmatch(name, example) for example in one.examples)] == [code]


@pytest.mark.slow  # the next test finds one, with two other faults
def test_an_object_class_that_the_schema_does_not_know_is_told(find):
    found = find(edited("instances", lambda data: data["categories"][0].update(name="mug")))
    assert {one.code: one.message for one in found} == {
        "unseen_object_class": "24 objects are of class 'mug', which is not in the schema"
    }


def test_an_object_class_that_is_gone_or_spelt_in_two_ways_is_told(find):
    def change(root):
        for split in ("train2017", "val2017"):
            edited("instances", lambda data: data["categories"][0].update(name="Ball"), split)(root)

    found = {one.code: one.message for one in find(change)}
    assert found.keys() == {"unseen_object_class", "missing_object_class", "object_class_variants"}
    assert found["missing_object_class"] == "no object is of class 'cup' of the schema"
    assert "['Ball', 'ball']" in found["object_class_variants"]


@pytest.mark.slow  # the images of test_planted.py are measured and compared in the same way
def test_a_split_with_other_images_is_told(find, make_images):
    def change(root):
        for number in range(48, 72):
            picture = make_images.scene(number).point(lambda value: value // 2)
            picture.save(root / f"val2017/{number:03d}.jpg", "JPEG", quality=90)

    found = find(change)
    assert {one.code for one in found} == {"feature_drift"}
    assert any(one.message.startswith("brightness is") and "validation split" in one.message for one in found)


# Faults that stop the run at once, each with a text that names the place.
REFUSED = {
    "no JSON": (
        lambda root: (root / "annotations/captions_train2017.json").write_text('{"images": [}'),
        "captions_train2017.json, line 1, is not JSON",
    ),
    "bytes": (
        lambda root: (root / "annotations/captions_train2017.json").write_bytes(b"\xff\xd8" * 99),
        "is not JSON: not UTF-8",
    ),
    "another JSON": (
        lambda root: (root / "annotations/captions_train2017.json").write_text('{"shapes": []}'),
        r"captions_train2017.json must contain a list 'images'.*received \['shapes'\]",
    ),
    "an unknown category": (
        annotation(2, category_id=9),
        r"instances_train2017.json: 1 annotations .*category_id.* 2 \(",
    ),
    "an unknown image": (annotation(2, image_id=999), r"instances_train2017.json: 1 annotations .*image_id.* 2 \("),
    "one id for two images": (image(2, id=3), "must list each image once; several rows have the same id: 3"),
    "one file for two images": (
        image(2, file_name="003.jpg"),
        "must list each image once; several rows have the same file_name: '003.jpg'",
    ),
    "one category of two names": (
        edited("instances", lambda data: data["categories"].append(data["categories"][0] | {"name": "mug"})),
        "instances_train2017.json gives category [0-9]+ two names: '.*' and 'mug'",
    ),
    "no annotations": (
        lambda root: [file.unlink() for file in (root / "annotations").iterdir()],
        "annotations has no captions_",
    ),
    "no images": (
        lambda root: (root / "train2017").rename(root / "photos"),
        "there is no folder .*train2017 with the images",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_files_that_cannot_be_read_are_refused_with_the_place(fault, find):
    change, message = REFUSED[fault]
    with pytest.raises(DataError, match=message):
        find(change, policy=c.Ingest(policy="report"))
