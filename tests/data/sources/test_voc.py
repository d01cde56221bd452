"""Pascal VOC's XML files give the right boxes; unusable content is reported."""

import pytest
from PIL import Image

from kerasvision.config import Voc
from kerasvision.data.inspecting.annotations import usable_annotations
from kerasvision.data.inspecting.fitted_objects import TURNED
from kerasvision.data.sources.voc import read_voc
from kerasvision.data.validating.images import fault_code
from kerasvision.errors import DataError


def thing(name="cat", *, box=(1, 1, 3, 2), more=""):
    """An object of VOC's form: xmin, ymin, xmax, ymax."""
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><pose>Left</pose>{more}<bndbox>{corners}</bndbox></object>"


def annotation(*things, size=(20, 10)):
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    return f"<annotation><filename>other.jpg</filename>{stated}<segmented>0</segmented>{''.join(things)}</annotation>"


@pytest.fixture
def voc(tmp_path):
    """Writes files: texts, and an image of 20 x 10 pixels under each name of an image."""

    def write(files, **fields):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith((".jpg", ".png")):
                Image.new("RGB", (20, 10)).save(tmp_path / name, exif=text or b"")
            else:
                (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return Voc(path=tmp_path, **fields)

    return write


def read(source):
    return list(read_voc(source))


def one(voc, text, **fields):
    """The record of a single image with this XML."""
    (record,) = read(voc({"JPEGImages/1.jpg": None, "Annotations/1.xml": text}, **fields))
    return record


def described(source):
    return [(record.name, record.split, record.fault) for record in read(source)]


def test_the_first_pixel_is_1_and_the_last_belongs_to_the_box(voc):
    record = one(
        voc, annotation(thing(box=(1, 1, 20, 10)), thing("dog", box=(3, 5, 3, 6)), thing(box=("4.5", " 2\n", 6, 7)))
    )
    # y_min, x_min, y_max, x_max, the last two exclusive
    assert [(found.label, found.box) for found in record.objects] == [
        ("cat", (0, 0, 10, 20)),
        ("dog", (4, 2, 6, 3)),
        ("cat", (1, 3.5, 7, 6)),
    ]
    assert (record.fault, record.drawn_on, record.split) == ("", (10, 20), None)


def test_an_image_without_objects_is_used(voc):
    record = one(voc, annotation())
    assert (record.objects, record.fault) == ((), "")


def test_a_difficult_object_is_kept_as_one_that_scores_ignore_and_names_no_image(voc):
    text = annotation(
        thing(more="<difficult>1</difficult>", box=(1, 1, 9, 9)), thing("dog", more="<difficult>0</difficult>")
    )
    record = one(voc, text, label="largest")
    assert ([(found.label, found.crowd) for found in record.objects], record.label) == (
        [("cat", True), ("dog", False)],
        "dog",
    )
    assert [found.label for found in one(voc, text, difficult="leave_out").objects] == ["dog"]


def test_the_boxes_of_parts_are_not_objects_and_do_not_replace_the_box(voc):
    part = "<part><name>head</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    assert [(found.label, found.box) for found in one(voc, annotation(thing("person", more=part))).objects] == [
        ("person", (0, 0, 2, 3))
    ]


@pytest.mark.parametrize("size", [None, (0, 0), ("?", 4)])
def test_without_a_size_the_boxes_are_those_of_the_image(size, voc):
    assert one(voc, annotation(thing(), size=size)).drawn_on is None


def test_boxes_that_ignore_the_orientation_are_turned_with_the_image(voc, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise: 20 x 10 stored pixels show as 10 x 20
    files = {"JPEGImages/1.jpg": turned.tobytes(), "Annotations/1.xml": annotation(thing(box=(1, 1, 3, 2)))}
    (record,) = read(voc(files))
    usable = usable_annotations(record, record.load(), width=10, height=20)
    # The upper left corner becomes the upper right one.
    assert (usable.objects[0].box, usable.notes) == ((0, 8, 3, 10), (TURNED,))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "annotation file 1.xml is missing"),
        ("", "annotation file 1.xml is not XML: no element found"),
        ("<annotation>", "is not XML: no element found"),
        (b"<annotation>\xff</annotation>", "is not XML: not well-formed"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "is not XML: "),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>', "has a document type"),
        ("<annotation>&b;</annotation>", "is not XML: undefined entity"),
        ("<html/>", "has the root element 'html' instead of 'annotation'"),
        (annotation(thing(), thing(" ")), "is wrong: its object 2 has no name"),
        (
            annotation(thing(box=(1, 1, "x", 2))),
            "object 1 has the corners ['1', '1', 'x', '2'], which are not four",
        ),
        (annotation(thing(box=(1, 1, "nan", 2))), "which are not four numbers"),
        (annotation("<object><name>cat</name></object>"), "has the corners [None, None, None, None], which"),
        (annotation(thing(more="<difficult>maybe</difficult>")), "has difficult 'maybe', neither 0 nor 1"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_a_fault_of_its_image(text, fault, voc):
    files = {"JPEGImages/1.jpg": None, "JPEGImages/2.jpg": None, "Annotations/2.xml": annotation(thing())}
    bad, good = read(voc(files | ({} if text is None else {"Annotations/1.xml": text})))
    assert fault in bad.fault
    assert fault_code(bad.fault) == "bad_annotation"
    assert (good.fault, len(good.objects)) == ("", 1)


# --- images and splits


def lists(**names):
    return {f"ImageSets/Main/{split}.txt": text for split, text in names.items()}


def pictures(*names):
    return {f"JPEGImages/{name}": None for name in names} | {
        f"Annotations/{name.rsplit('.', 1)[0]}.xml": annotation() for name in names
    }


def test_the_lists_give_the_splits_and_everything_else_is_not_listed(voc):
    files = pictures("1.jpg", "2.png", "3.jpg", "4.jpg") | lists(
        train="1\n\n", val="2\n", trainval="1\n2\n3\n", test="4.jpg\n5\n", cat_train="1 -1\n"
    )
    assert described(voc(files)) == [
        ("JPEGImages/1.jpg", "train", ""),
        ("JPEGImages/2.png", "validation", ""),
        ("JPEGImages/3.jpg", None, "not listed in train.txt or val.txt or test.txt"),
        ("JPEGImages/4.jpg", "test", ""),
        ("JPEGImages/5", None, "there is no such file: 5 with any suffix"),
    ]


def test_trainval_counts_as_train_if_the_two_are_not_there(voc):
    files = pictures("1.jpg", "2.jpg") | lists(trainval="1  1\n", test="2 -1\n")
    assert [split for _, split, _ in described(voc(files))] == ["train", "test"]


def test_an_image_in_two_lists_is_in_neither_split_and_has_a_note(voc):
    (record,) = read(voc(pictures("1.jpg") | lists(train="1\n", test="1\n")))
    assert (record.split, record.notes) == (None, ("the source puts it into two splits, so its content decides",))


def test_without_lists_every_image_is_used_and_folders_can_be_splits(voc):
    files = pictures("train/1.jpg", "val/2.jpg", "3.jpg") | {"Annotations/4.xml": annotation()}
    assert described(voc(files)) == [
        ("JPEGImages/3.jpg", None, ""),
        ("JPEGImages/train/1.jpg", "train", ""),
        ("JPEGImages/val/2.jpg", "validation", ""),
        ("Annotations/4.xml", None, "annotation file without an image"),
    ]


def test_images_and_xml_may_share_a_folder(voc):
    files = {"train/1.jpg": None, "train/1.xml": annotation(thing())}
    assert described(voc(files, images=".", annotations=".")) == [("train/1.jpg", "train", "")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"Annotations/1.xml": ""}, "there is no folder .*JPEGImages with the images. Set source.path to .*source.images"),
        (
            {"JPEGImages/1.jpg": None},
            "there is no folder .*Annotations with an XML file for each .*source.annotations",
        ),
        ({"JPEGImages/a.txt": "", "Annotations/1.xml": ""}, "JPEGImages has no images"),
        (pictures("1.jpg") | lists(train="\n"), "train.txt names no images"),
        (pictures("1.jpg") | lists(train=b"\xff"), r"train.txt is not UTF-8 text \(byte 0\)"),
    ],
)
def test_a_folder_of_another_form_is_refused_with_the_way_out(files, message, voc):
    with pytest.raises(DataError, match=message):
        read(voc(files))
