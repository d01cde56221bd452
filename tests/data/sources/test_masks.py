"""The `Masks` source reads the class numbers that a PNG stores, and says why a map cannot be used."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kerasvision.config import Masks
from kerasvision.data.inspecting.annotations import usable_annotations
from kerasvision.data.records import UnusableMap
from kerasvision.data.sources.masks import read_masks
from kerasvision.data.validating.images import fault_code
from kerasvision.errors import ConfigError, DataError

NUMBERS = np.uint8([[0, 1, 2], [2, 255, 0]])


def png_of(pixels, mode=None, **options):
    file = io.BytesIO()
    picture = Image.fromarray(np.asarray(pixels), mode) if mode else Image.fromarray(np.asarray(pixels))
    picture.save(file, "PNG", **options)
    return file.getvalue()


def palette_png(numbers, **options):
    """A PNG with a palette, as VOC's maps are; the colours say nothing about the numbers."""
    picture = Image.fromarray(np.uint8(numbers))
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def few_bits_png(numbers, bits):
    """A grey PNG of 1, 2 or 4 bits, written byte by byte: Pillow writes none of 2 and 4 bits."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b""
    for row in numbers:
        digits = "".join(f"{number:0{bits}b}" for number in row)
        digits += "0" * (-len(digits) % 8)
        rows += b"\0" + bytes(int(digits[place : place + 8], 2) for place in range(0, len(digits), 8))
    height, width = np.shape(numbers)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path):
    """Writes files: bytes, texts, and for None an image of 3 x 2 pixels. Gives the source of the folder."""

    def write(files, **fields):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                content = png_of(np.zeros((2, 3, 3), np.uint8))
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        if "table" in fields:
            fields["table"] = tmp_path / fields["table"]
        return Masks(path=tmp_path, **fields)

    return write


def described(source):
    return [(record.name, record.split, record.fault) for record in read_masks(source)]


def one(folder, mask, name="masks/1.png", **fields):
    """The label map of a single image with this map, after all checks of ingest."""
    source = folder({"images/1.png": None, name: mask}, **fields)
    (record,) = read_masks(source)
    return usable_annotations(record, record.load(), width=3, height=2).label_map


# --- Which map belongs to which image, and its split


def test_folders_below_make_splits_and_other_folders_do_not(folder):
    names = ("train/a/1", "val/1", "test/2")
    source = folder({f"images/{n}.jpg": None for n in names} | {f"masks/{n}.png": png_of(NUMBERS) for n in names})
    assert described(source) == [
        ("images/test/2.jpg", "test", ""),
        ("images/train/a/1.jpg", "train", ""),
        ("images/val/1.jpg", "validation", ""),
    ]


def test_folders_above_make_splits_too(folder):
    source = folder(
        {f"{split}/{kind}/1.png": png_of(NUMBERS) for split in ("train", "test") for kind in ("images", "masks")}
    )
    assert described(source) == [("test/images/1.png", "test", ""), ("train/images/1.png", "train", "")]
    assert sorted(name for name, _ in source.files()) == [
        "test/images/1.png",
        "test/masks/1.png",
        "train/images/1.png",
        "train/masks/1.png",
    ]


def test_a_flat_folder_has_no_splits(folder):
    assert described(folder({"images/1.jpg": None, "masks/1.png": png_of(NUMBERS)})) == [("images/1.jpg", None, "")]


def test_suffixes_choose_the_maps_of_cityscapes(folder):
    source = folder(
        {
            "leftImg8bit/train/bonn/b_1_leftImg8bit.png": None,
            "gtFine/train/bonn/b_1_gtFine_labelIds.png": png_of(NUMBERS),
            "gtFine/train/bonn/b_1_gtFine_color.png": png_of(np.zeros((2, 3, 3), np.uint8)),
        },
        images="leftImg8bit",
        masks="gtFine",
        image_suffix="_leftImg8bit",
        mask_suffix="_gtFine_labelIds",
    )
    (record,) = read_masks(source)
    assert (record.split, record.fault) == ("train", "")
    np.testing.assert_array_equal(record.label_map.load(), NUMBERS)


def test_lists_choose_the_images_of_voc_and_their_splits(folder):
    source = folder(
        {
            **{f"JPEGImages/{n}.jpg": None for n in "abc"},
            **{f"SegmentationClass/{n}.png": palette_png(NUMBERS) for n in "ab"},
            "ImageSets/Segmentation/train.txt": "a\n",
            "ImageSets/Segmentation/val.txt": "b\nd\n",
        },
        images="JPEGImages",
        masks="SegmentationClass",
        lists="ImageSets/Segmentation",
    )
    assert described(source) == [
        ("JPEGImages/a.jpg", "train", ""),
        ("JPEGImages/b.jpg", "validation", ""),
        ("JPEGImages/c.jpg", None, "not listed in train.txt or val.txt"),
        ("JPEGImages/d", None, "there is no such file: d with any suffix"),
    ]


def test_missing_and_doubtful_maps_are_named(folder):
    source = folder(
        {
            **{f"images/{n}.jpg": None for n in "abc"},
            "masks/b.png": png_of(NUMBERS),
            "masks/b.jpg": b"a preview: the PNG is the map",
            "masks/c.bmp": b"",
            "masks/c.gif": b"",
            "masks/d.png": png_of(NUMBERS),
        }
    )
    assert described(source) == [
        ("images/a.jpg", None, "no label map: there is no masks/a.png"),
        ("images/b.jpg", None, ""),
        ("images/c.jpg", None, "more than one label map: c.bmp and c.gif"),
        ("masks/d.png", None, "a label map without an image"),
    ]
    assert {fault_code(fault) for _, _, fault in described(source) if fault} == {"bad_label_map"}


def test_a_folder_without_images_and_masks_is_refused_by_what_it_has(folder):
    with pytest.raises(DataError, match=r"must contain a folder images with images and a folder masks.*photos"):
        described(folder({"photos/1.jpg": None}))
    with pytest.raises(DataError, match=r"has no train.txt, val.txt"):
        described(folder({"images/1.jpg": None, "masks/1.png": png_of(NUMBERS)}, lists="lists"))


# --- What the numbers of a PNG are


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(png_of(NUMBERS), id="8 bits"),
        pytest.param(palette_png(NUMBERS), id="palette"),
        pytest.param(png_of(NUMBERS.astype(np.uint16)), id="16 bits"),
        pytest.param(png_of(np.stack([NUMBERS] * 3, axis=-1)), id="three equal channels"),
        pytest.param(png_of(np.stack([NUMBERS, np.full_like(NUMBERS, 255)], axis=-1), "LA"), id="with transparency"),
    ],
)
def test_the_numbers_are_those_of_the_file_whatever_its_form(folder, mask):
    checked = one(folder, mask)
    np.testing.assert_array_equal(checked.numbers, NUMBERS)
    assert (checked.fault, checked.found) == ("", {0: 2, 1: 1, 2: 2})


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_is_not_stretched(folder, bits):
    numbers = np.uint8([[0, 1, 0], [2**bits - 1, 0, 1]])
    np.testing.assert_array_equal(one(folder, few_bits_png(numbers, bits)).numbers, numbers)


def test_numbers_above_255_are_read(folder):
    checked = one(folder, png_of(np.uint16([[0, 1, 30_000], [65_535, 0, 0]])), ignored=(65_535,))
    assert checked.found == {0: 3, 1: 1, 30_000: 1}


def test_a_number_with_a_name_is_not_ignored(folder):
    table = "id,name\n0,background\n255,crack\n"
    source = folder({"images/1.png": None, "masks/1.png": png_of(NUMBERS), "t.csv": table}, table="t.csv")
    (record,) = read_masks(source)
    assert record.label_map.names == {0: "background", 255: "crack"}
    assert record.label_map.ignored == frozenset()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_names_numbers_with_gaps_joins_classes_and_ignores(folder, separator):
    table = "id,name,ignored\n24,person,0\n25,person,\n7,road,no\n3,,1\n".replace(",", separator)
    source = folder({"images/1.png": None, "masks/1.png": png_of(NUMBERS), "t.csv": table}, table="t.csv")
    (record,) = read_masks(source)
    assert record.label_map.names == {7: "road", 24: "person", 25: "person"}
    assert record.label_map.ignored == {3, 255}


@pytest.mark.parametrize("save", [png_of, lambda pixels: png_of(np.dstack([pixels, np.full((2, 3), 255, np.uint8)]))])
def test_a_table_of_colours_numbers_them_by_its_rows(folder, save):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[1, 2] = (128, 0, 0), (0, 0, 9)
    table = "r,g,b,name,ignored\n128,0,0,plane,0\n0,0,9,edge,1\n0,0,0,sky,0\n"
    source = folder({"images/1.png": None, "masks/1.png": save(pixels), "t.csv": table}, table="t.csv")
    (record,) = read_masks(source)
    assert record.label_map.names == {0: "plane", 2: "sky"}
    checked = usable_annotations(record, record.load(), width=3, height=2).label_map
    assert checked.numbers.tolist() == [[0, 2, 2], [2, 2, 1]]
    assert checked.found == {0: 1, 2: 4}


# --- Maps that cannot be used


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        (png_of(np.zeros((3, 2), np.uint8)), "has 2 x 3 pixels, and the image 3 x 2: they must have the same size"),
        (png_of(np.full((2, 3), 255, np.uint8)), "says nothing: every pixel is ignored"),
        (png_of(np.uint8([[0, 1, 9], [0, 77, 9]])), "has numbers without a class name: 9 (2 pixels), 77 (1 pixel)"),
        (b"\xff\xd8\xff\xe0 a JPEG", "1.png is a JPEG, whose compression invents class numbers"),
        (b"GIF89a" + bytes(40), "1.png is not a PNG"),
        (png_of(NUMBERS)[:50], "1.png is a truncated or corrupt PNG"),
        (png_of(NUMBERS)[:20] + bytes.fromhex("7fffffff") + png_of(NUMBERS)[24:], "1.png claims 3 x 2,147,483,647 pixels"),
    ],
)
def test_a_map_that_cannot_be_used_is_a_fault_of_its_image(folder, mask, fault):
    source = folder({"images/1.png": None, "masks/1.png": mask}, class_names=("sky", "road", "car"))
    (record,) = read_masks(source)
    usable = usable_annotations(record, record.load(), width=3, height=2)
    assert fault in usable.fault
    assert usable.fault.startswith("its label map ")
    assert fault_code(usable.fault) == "bad_label_map"


def test_a_colour_map_without_a_table_is_recognised_with_its_colours_and_the_way_out(folder):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (128, 64, 0)
    fault = one(folder, png_of(pixels)).fault
    assert fault == (
        "its label map 1.png is a colour PNG, where class numbers are meant: name its colours (0 0 0, 128 64 0) in a CSV "
        "with the columns r, g, b and name, and set source.table to it"
    )


def test_a_colour_that_the_table_lacks_is_named(folder):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (128, 64, 0)
    files = {"images/1.png": None, "masks/1.png": png_of(pixels), "t.csv": "r,g,b,name\n0,0,0,sky\n1,1,1,road\n"}
    (record,) = read_masks(folder(files, table="t.csv"))
    with pytest.raises(UnusableMap, match=r"has colours that source.table does not name: 128 64 0"):
        record.label_map.load()


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_map_of_the_stored_picture_is_turned_with_it(folder, orientation):
    numbers = np.uint8([[1, 2, 3], [4, 5, 6]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = folder({"images/1.png": png_of(numbers, exif=exif), "masks/1.png": png_of(numbers)})
    (record,) = read_masks(source)
    with Image.open(source.path / "images/1.png") as image:
        upright = np.asarray(image.transpose({5: 5, 6: 4, 7: 6, 8: 2}[orientation]))  # as Pillow's exif_transpose does
    usable = usable_annotations(record, record.load(), width=2, height=3)
    assert usable.notes == ("the label map ignores the EXIF orientation, so it was turned with the image",)
    np.testing.assert_array_equal(usable.label_map.numbers, upright)


# --- Tables that cannot be used


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("number,label\n1,a\n", "must have the columns id and name, or r, g, b and name"),
        ("id,name\n1,a\n1,b\n", "must name each number once"),
        ("r,g,b,name\n1,1,1,a\n1,1,1,b\n", "must name each colour once"),
        ("id,name\n-1,a\n", r"line 2, must have a whole number from 0 to 65,535"),
        ("r,g,b,name\n1,256,1,a\n", r"line 2, must have a whole number from 0 to 255"),
        ("id,name\n1,\n", "line 2, must have a name, or 1 as ignored"),
        ("id,name,ignored\n1,a,perhaps\n", "line 2, must have 0 or 1 as ignored"),
        ("id,name,ignored\n1,a,1\n", "must name at least one class"),
        ("", "must have the columns id and name"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(folder, table, message):
    source = folder({"images/1.png": None, "masks/1.png": png_of(NUMBERS), "t.csv": table}, table="t.csv")
    with pytest.raises(DataError, match=message):
        list(read_masks(source))


def test_names_in_two_places_are_refused():
    with pytest.raises(ConfigError, match="class_names and table both name the classes"):
        Masks(path="a", class_names=("x",), table="t.csv")
