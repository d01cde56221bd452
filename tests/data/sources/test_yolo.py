"""YOLO's text files give the right boxes and masks in every usual layout; unusable content is reported."""

import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image

from kerasvision.config import Yolo
from kerasvision.data.sources.yolo import read_yolo
from kerasvision.data.validating.images import fault_code
from kerasvision.errors import DataError

NAMES = "names: [cat, dog]\n"


@pytest.fixture
def yolo(tmp_path):
    """Writes files: texts, and an image of 20 x 10 pixels under each name of an image; `yolo({"data.yaml": "..."})`."""

    def write(files, *, path=".", **fields):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith((".jpg", ".png")):
                Image.new("RGB", (20, 10)).save(tmp_path / name, exif=text or b"")
            else:
                (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return Yolo(path=tmp_path / path, **fields)

    return write


def read(source):
    return list(read_yolo(source))


def one(yolo, rows, **fields):
    """The record of a single image with these rows."""
    files = {"data.yaml": "train: images\n" + NAMES, "images/1.jpg": None, "labels/1.txt": rows}
    (record,) = read(yolo(files, **fields))
    return record


def described(source):
    return [(record.name, record.split, [thing.label for thing in record.objects]) for record in read(source)]


# --- rows


def test_a_row_is_a_class_and_a_box_in_shares_of_the_sides(yolo):
    record = one(yolo, "1 0.5 0.5 0.5 0.2\n\n0 0.25 0.5 0.5 1.0\n")
    # 20 x 10 pixels: y_min, x_min, y_max, x_max
    assert [(thing.label, thing.box) for thing in record.objects] == [("dog", (4, 5, 6, 15)), ("cat", (0, 0, 10, 10))]
    assert (record.fault, record.notes, record.drawn_on) == ("", (), None)


def test_a_polygon_becomes_a_mask_and_the_box_around_it(yolo):
    record = one(yolo, "0 0.1 0.2 0.4 0.2 0.4 0.6\n")
    (thing,) = record.objects
    assert thing.box == pytest.approx((2, 2, 6, 8))
    assert thing.area == pytest.approx(12)  # half of 6 x 4
    mask = np.asarray(Image.open(io.BytesIO(thing.mask()))) == 255
    assert mask.shape == (10, 20)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), columns.max()) == (2, 7)
    assert abs(mask.sum() - 12) <= 2


def test_masks_can_be_left_out(yolo):
    assert one(yolo, "0 0.1 0.2 0.4 0.2 0.4 0.6", masks="leave_out").objects[0].mask is None


def test_boxes_belong_to_the_upright_image(yolo):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn: 20 x 10 stored pixels show as 10 x 20
    files = {"data.yaml": "train: images\n" + NAMES, "images/1.jpg": turned.tobytes(), "labels/1.txt": "0 0.5 0.25 0.4 0.5"}
    (record,) = read(yolo(files))
    assert record.objects[0].box == pytest.approx((0, 3, 10, 7))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("2 0.5 0.5 0.1 0.1", "annotation in line 2 of labels/1.txt has class 2, which data.yaml does not name"),
        ("-1 0.5 0.5 0.1 0.1", "has class -1, which"),
        ("0.5 0.5 0.5 0.1 0.1", "has class 0.5, which"),
        ("cat 0.5 0.5 0.1 0.1", "has class cat, which"),
        ("nan 0.5 0.5 0.1 0.1", "has class nan, which"),
        ("0 0.5 0.5 0.1", "has 3 numbers after the class; a box has 4, and a polygon has two for each point, at least 6"),
        ("0 0.5 0.5 0.1 0.1 0.9", "has 5 numbers"),  # a prediction with its score
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "has 7 numbers"),
        ("0", "has 0 numbers"),
        ("0 12 30 4 5", "has 12; the numbers after the class must be shares of the image's sides, in [0, 1]"),
        ("0 0.5 0.5 -0.1 0.1", "has -0.1; the numbers"),
        ("0 0.5 nan 0.1 0.1", "has nan; the numbers"),
        ("0 0.5 0.5 inf 0.1", "has inf; the numbers"),
        ("0 0.5 x 0.1 0.1", "has x; the numbers"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_fault_of_its_image(row, fault, yolo):
    record = one(yolo, f"0 0.5 0.5 0.1 0.1\n{row}\n")
    assert fault in record.fault
    assert (fault_code(record.fault), record.objects) == ("bad_annotation", ())


def rows_of(*rows):
    """Files of a data set in which each image has one of these rows."""
    files = {f"labels/{number}.txt": row for number, row in enumerate(rows)}
    return {"data.yaml": "train: images\n" + NAMES, **files, **{f"images/{number}.jpg": None for number in range(len(rows))}}


def test_a_data_set_in_pixels_is_one_error_with_counts(yolo):
    with pytest.raises(DataError, match=r"of the first 3 label files with rows, 2 have larger numbers. The first: .*0.txt"):
        read(yolo(rows_of("0 10 5 4 2", "0 0.5 0.5 0.1 0.1", "1 12 5 4 2", "")))


def test_a_data_set_in_pixels_is_recognised_by_its_first_files(yolo):
    """The error comes before all images are read."""
    records = read_yolo(yolo(rows_of(*["0 10 5 4 2"] * 120)))
    for _ in range(100):
        next(records)
    with pytest.raises(DataError, match="of the first 100 label files with rows, 100 have larger numbers"):
        next(records)


def test_few_rows_in_pixels_are_faults_of_their_images(yolo):
    faults = [record.fault for record in read(yolo(rows_of("0 10 5 4 2", "0 12 5 4 2", *["0 0.5 0.5 0.1 0.1"] * 2)))]
    assert [bool(fault) for fault in faults] == [True, True, False, False]


def test_every_record_has_the_class_names_of_the_data_set(yolo):
    assert one(yolo, "1 0.5 0.5 0.5 0.2").listed_classes == ("cat", "dog")


def test_rounded_shares_and_boxes_without_an_area_are_left_to_the_checks_of_all_sources(yolo):
    things = one(yolo, "0 0.5 0.5 1.000001 1\n0 0.5 0.5 0 0.1\n").objects
    assert things[0].box == pytest.approx((0, 0, 10, 20), abs=1e-4)
    assert things[1].box[1] == things[1].box[3]


def test_a_label_file_of_other_bytes_is_a_fault_of_its_image(yolo):
    assert one(yolo, b"0 \xff\xfe").fault == "annotation file labels/1.txt is not UTF-8 text (byte 2)"


def test_an_image_without_a_readable_header_keeps_its_place(yolo, tmp_path):
    source = yolo({"data.yaml": "train: images\n" + NAMES, "labels/1.txt": "0 0.5 0.5 0.1 0.1", "images/1.txt": ""})
    (tmp_path / "images" / "1.jpg").write_bytes(b"no image")
    (record,) = read(source)
    assert (record.name, record.objects, record.fault) == ("images/1.jpg", (), "")


# --- data.yaml and the places of images


def test_images_without_rows_have_no_objects_and_are_used(yolo):
    files = {"data.yaml": "train: images\n" + NAMES, "labels/1.txt": "0 0.5 0.5 0.1 0.1", "labels/2.txt": "\n"}
    files |= {f"images/{number}.jpg": None for number in (1, 2, 3)}
    assert described(yolo(files)) == [
        ("images/1.jpg", "train", ["cat"]),
        ("images/2.jpg", "train", []),
        ("images/3.jpg", "train", []),
    ]


LABEL = "1 0.5 0.5 0.1 0.1"
LAYOUTS = {
    "a mapping of names, and lists of folders": (
        "path: .\ntrain: [images/a, images/b]\nval: images/c\nnames:\n  0: cat\n  1: no\n",
        ["images/a/1.jpg", "images/b/x/2.png", "images/c/3.jpg"],
        ["labels/a/1.txt", "labels/b/x/2.txt", "labels/c/3.txt"],
        [
            ("images/a/1.jpg", "train", ["no"]),
            ("images/b/x/2.png", "train", ["no"]),
            ("images/c/3.jpg", "validation", ["no"]),
        ],
    ),
    "folders of splits above, with paths that begin one folder too high": (
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\n" + NAMES,
        ["train/images/1.jpg", "valid/images/2.jpg", "test/images/3.jpg"],
        ["train/labels/1.txt"],
        [
            ("train/images/1.jpg", "train", ["dog"]),
            ("valid/images/2.jpg", "validation", []),
            ("test/images/3.jpg", "test", []),
        ],
    ),
    "labels next to the images, and keys without a value": (
        "path: data\ntrain: photos\nval:  # optional\ntest: null\nnc: ~\n" + NAMES,
        ["data/photos/1.jpg"],
        ["data/photos/1.txt"],
        [("photos/1.jpg", "train", ["dog"])],
    ),
    "one folder for two splits": (
        "train: images\nval: images\n" + NAMES,
        ["images/1.jpg"],
        ["labels/1.txt"],
        [("images/1.jpg", None, ["dog"])],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_it_is_meant(layout, yolo):
    text, images, labels, expected = LAYOUTS[layout]
    files = {"data.yaml": text, **dict.fromkeys(images), **dict.fromkeys(labels, LABEL)}
    assert described(yolo(files)) == expected


def test_an_image_in_two_splits_has_a_note(yolo):
    text, images, labels, _ = LAYOUTS["one folder for two splits"]
    (record,) = read(yolo({"data.yaml": text, **dict.fromkeys(images), **dict.fromkeys(labels, LABEL)}))
    assert record.notes == ("the source puts it into two splits, so its content decides",)


def test_a_list_names_images_from_the_root_or_from_its_own_folder(yolo):
    files = {"data.yaml": "train: lists/train.txt\n" + NAMES, "lists/train.txt": "images/1.jpg\n\n./../images/2.jpg\n"}
    files |= {"images/1.jpg": None, "images/2.jpg": None, "images/3.jpg": None, "labels/1.txt": LABEL}
    records = read(yolo(files))
    assert [(record.name, record.split, record.fault) for record in records] == [
        ("images/1.jpg", "train", ""),
        ("images/2.jpg", "train", ""),
        ("images/3.jpg", None, "not listed in lists/train.txt"),
    ]


def test_a_listed_image_that_is_missing_or_outside_is_a_fault(yolo, tmp_path):
    files = {"set/data.yaml": "train: train.txt\n" + NAMES, "set/train.txt": "images/1.jpg\nimages/2.jpg\n../secret.jpg\n"}
    files |= {"set/images/1.jpg": None, "secret.jpg": None, "secret.txt": LABEL, "set/labels/1.txt": LABEL}
    records = read(yolo(files, path="set"))
    assert [(record.name, record.fault) for record in records] == [
        ("images/1.jpg", ""),
        ("images/2.jpg", "there is no such file"),
        ("../secret.jpg", f"the path leads out of {tmp_path / 'set'}"),
    ]
    assert all(tmp_path / "set" in path.parents for _, path in yolo({}, path="set").files())


def test_labels_without_an_image_are_named(yolo):
    files = {"data.yaml": "train: images\n" + NAMES, "images/1.jpg": None}
    files |= {"labels/1.txt": LABEL, "labels/2.txt": LABEL, "labels/classes.txt": "cat\ndog"}
    assert [(record.name, record.fault) for record in read(yolo(files))] == [
        ("images/1.jpg", ""),
        ("labels/2.txt", "annotation file without an image"),
    ]


def test_the_yaml_file_may_have_another_name_and_another_place(yolo, tmp_path):
    files = {"coco8.yaml": "path: ../datasets/coco8\ntrain: images\n" + NAMES}
    files |= {"here/images/1.jpg": None, "here/labels/1.txt": LABEL}
    expected = [("images/1.jpg", "train", ["dog"])]
    assert described(yolo(files, path="coco8.yaml", root=tmp_path / "here")) == expected
    assert described(yolo({}, root=tmp_path / "here")) == expected
    with pytest.raises(DataError, match="path in .* must be below .*; received '../datasets/coco8'. Set source.root to"):
        read(yolo({}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images\n", r"data.yaml: names must be a list of the classes' names, or a mapping .*; received None. For"),
        ("train: images\nnames: [cat, '']\n", "names must be a list of the classes' names"),
        ("train: images\nnames: {one: cat}\n", "names must be a list of the classes' names"),
        (f"train: images\nnames:\n  ? {'1' * 5000}\n  : cat\n", "names must be a list of the classes' names"),
        ("train: images\nnames: cat\n", "names must be a list of the classes' names"),
        ("train: images\nnc: 3\n" + NAMES, "must name as many classes as nc says; received {'nc': '3', 'names': 2}"),
        (NAMES, r"must say where the images are: train, val or test; received \['names'\]"),
        ("train: pictures\n" + NAMES, "there is no .*/pictures, which train in .*/data.yaml names. Set source.root"),
        ("train: /etc\n" + NAMES, "train in .*/data.yaml must be below .*; received '/etc'. Set source.root"),
        ("train: {a: b}\n" + NAMES, "must be a folder, a list of folders, or a text file of images; received {'a': 'b'}"),
        ("train: empty\n" + NAMES, "/empty has no images"),
        (
            "train: alone\n" + NAMES,
            "none of the 1 images that .* names has a label file; their labels would be alone/1.txt",
        ),
        ("train: images\nkpt_shape: [17, 3]\n" + NAMES, "describes keypoints"),
        ("- a\n", r"must contain names, and train, val or test; received \['a'\]"),
        ("train: images\nnames: [cat\n", "data.yaml, line 3, is not YAML: expected ',' or ']'"),
        ("train: \0", "data.yaml is not YAML: unacceptable character"),
        (b"\xff", r"is not YAML: not UTF-8 text \(byte 0\)"),
        ("[" * 900, "is nested too deeply"),
    ],
)
def test_an_unusable_data_yaml_is_refused_with_the_way_out(text, message, yolo):
    files = {"data.yaml": text, "images/1.jpg": None, "labels/1.txt": LABEL, "alone/1.jpg": None, "empty/notes.md": ""}
    with pytest.raises(DataError, match=message):
        read(yolo(files))


def test_a_tag_of_python_in_data_yaml_calls_nothing(yolo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "train: images\nnames: !!python/object/apply:os.mkdir [called]\n"
    source = yolo({"data.yaml": text, "images/1.jpg": None, "labels/1.txt": LABEL})
    (record,) = read(source)
    assert record.listed_classes == ("called",)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("names", [(), ("a.yaml", "b.yml")])
def test_a_folder_without_data_yaml_is_refused(names, yolo):
    with pytest.raises(DataError, match="must contain data.yaml, or one other YAML file; received .* Set source.path"):
        read(yolo({"images/1.jpg": None, **dict.fromkeys(names, NAMES)}))


def test_a_class_that_two_numbers_name_is_one_class(yolo):
    rows = "".join(f"{number} 0.5 0.5 0.1 0.1\n" for number in (0, 7))
    files = {"data.yaml": "train: images\nnames: {0: cat, 7: cat}\n", "images/1.jpg": None, "labels/1.txt": rows}
    assert described(yolo(files)) == [("images/1.jpg", "train", ["cat", "cat"])]


def test_corners_are_those_of_the_row_for_any_box(yolo):
    shares = list(itertools.product((0.25, 0.5), (0.5, 0.75), (0.125, 0.5), (0.25, 0.5)))
    record = one(yolo, "\n".join("0 " + " ".join(map(str, box)) for box in shares))
    for (x, y, width, height), thing in zip(shares, record.objects, strict=True):
        y_min, x_min, y_max, x_max = thing.box
        assert math.isclose(x_max - x_min, 20 * width) and math.isclose(y_max - y_min, 10 * height)
        assert math.isclose((x_min + x_max) / 2, 20 * x) and math.isclose((y_min + y_max) / 2, 10 * y)
