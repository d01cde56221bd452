"""An image that no COCO file lists is reported if it is in a folder of listed images; an image of another file is not."""

import json

import pytest

from kerasvision.config.coco import Coco
from kerasvision.data.sources.coco import read_coco
from kerasvision.data.validating.images import fault_code


@pytest.fixture
def write(tmp_path):
    """Writes files of images, and JSON files that list some: `write(["x/1.jpg"], {"a/instances_x.json": ["1.jpg"]})`."""

    def files(images, listed):
        for name in images:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        for name, names in listed.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            rows = [{"id": number, "file_name": one, "height": 4, "width": 6} for number, one in enumerate(names)]
            (tmp_path / name).write_text(json.dumps({"images": rows, "annotations": [], "categories": []}))

    return files


def unlisted(source):
    return {record.name: record.fault for record in read_coco(source) if fault_code(record.fault) == "not_listed"}


def test_an_image_of_the_published_layout_that_is_not_listed_is_named(write, tmp_path):
    images = ["train2017/1.jpg", "train2017/2.JPG", "train2017/more/3.png", "train2017/notes.txt", "train2017/Thumbs.db"]
    write(images, {"annotations/captions_train2017.json": ["1.jpg"], "annotations/instances_train2017.json": ["1.jpg"]})
    fault = "not listed in captions_train2017.json or instances_train2017.json"
    assert unlisted(Coco(path=tmp_path)) == {"train2017/2.JPG": fault, "train2017/more/3.png": fault}


def test_an_image_beside_those_of_a_single_file_is_named(write, tmp_path):
    write(["images/1.jpg", "images/2.jpg"], {"some.json": ["./1.jpg"]})
    source = Coco(path=tmp_path / "images", instances=tmp_path / "some.json")
    assert unlisted(source) == {"2.jpg": "not listed in some.json"}


def test_images_in_folders_of_which_the_file_lists_none_are_other_data(write, tmp_path):
    write(["photos/a/1.jpg", "photos/a/b/2.jpg", "masks/1.png", "cover.jpg"], {"all.json": ["photos/a/1.jpg"]})
    assert unlisted(Coco(path=tmp_path, instances=tmp_path / "all.json")) == {}


@pytest.mark.parametrize("start", ["", "images/", "images\\"])
def test_images_that_another_file_in_the_same_place_lists_are_its_own(start, write, tmp_path):
    names = ["1.jpg", "2.jpg", 'caf\u00e9 "3".jpg']
    write([f"images/{name}" for name in [*names, "4.jpg"]], {"train.json": ["1.jpg"]})
    write([], {"val.json": [start + name for name in names[1:]]})
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "folder.json").mkdir()
    assert unlisted(Coco(path=tmp_path / "images", instances=tmp_path / "train.json")).keys() == {"4.jpg"}


def test_images_that_only_a_kind_of_file_lists_that_is_not_read_are_its_own(write, tmp_path):
    kinds = {"annotations/captions_x.json": ["1.jpg"], "annotations/instances_x.json": ["1.jpg", "2.jpg"]}
    write(["x/1.jpg", "x/2.jpg"], kinds)
    assert unlisted(Coco(path=tmp_path, annotations=("captions",))) == {}
