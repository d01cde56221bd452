"""Faults planted in a clean folder of images, one at a time: each is found and named, and nothing else is affected."""

import io
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from kerasvision import config as c
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.errors import DataError

NEW = "train/cat/new.jpg"


def folder_of(root):
    return c.ImageFolder(path=root)


@pytest.fixture(scope="module")
def clean(clean_set):
    return clean_set("clean_folder", folder_of)


@pytest.fixture
def find(planted):
    """(how to plant) -> {code: message and ids} of what is found."""

    def run(change, **choices):
        texts = {}
        for one in planted("clean_folder", folder_of, change, **choices):
            texts.setdefault(one.code, []).append(" ".join([one.message, *one.examples]))
        return {code: "\n".join(several) for code, several in texts.items()}

    return run


def test_the_clean_set_raises_nothing(clean):
    assert find_anomalies(clean.statistics, clean.schema, images=clean.images) == []
    assert (clean.manifest["fault"] == "").all()


# Files next to the good ones: a maker of tests/faults/make_images.py, the file's name, and what must be found, each
# with a text. They are planted together, because none can hide another: each is looked for by its name.
FILES = {
    ("zero_byte", "new.jpg"): {"corrupt": "the file is empty"},
    ("text_named_jpg", "new.jpg"): {"corrupt": "a page of HTML; download the image again"},
    ("zip_archive", "new.jpg"): {"corrupt": "a ZIP archive; unpack it"},
    ("heic", "new.jpg"): {"unsupported": "HEIC cannot be read by TensorFlow"},
    ("truncated_jpeg", "new.jpg"): {"corrupt": "truncated or corrupt JPEG"},
    ("truncated_png", "new.png"): {"corrupt": "truncated or corrupt PNG"},
    ("header_only_jpeg", "new.jpg"): {"corrupt": "truncated or corrupt JPEG"},
    ("giant_header_png", "new.png"): {"oversized": "50,000 x 50,000 = 2,500,000,000 pixels, over the limit"},
    ("giant_header_jpeg", "new.jpg"): {"oversized": "50,000 x 50,000 = 2,500,000,000 pixels, over the limit"},
    ("tiff", "new.tif"): {"unsupported": "TIFF cannot be read by TensorFlow"},
    ("palette_bmp", "new.bmp"): {"unsupported": "a BMP with a palette"},
    ("animated_webp", "new.webp"): {"unsupported": "WEBP"},
    ("link_to_nowhere", "new.jpg"): {"unreadable": "No such file or directory"},
    ("plain_png", "new.jpg"): {"wrong_extension": "the suffix of the file's name does not match its format"},
    ("turned_jpeg", "new.jpg"): {"changed_by_decoding": "rotated by EXIF orientation 6"},
    ("grey_jpeg", "new.jpg"): {"unseen_mode": "colour mode L"},
    ("rgba_png", "new.png"): {"unseen_mode": "colour mode RGBA", "changed_by_decoding": "alpha channel dropped"},
    ("palette_png", "new.png"): {"unseen_mode": "colour mode P"},
    ("deep_png", "new.png"): {"unseen_mode": "colour mode I;16", "changed_by_decoding": "16 bits per channel reduced to 8"},
    ("twelve_bit_png", "new.png"): {"unseen_mode": "colour mode I;16", "few_levels": "leaves at most 16 grey levels"},
    ("cmyk_jpeg", "new.jpg"): {"unseen_mode": "colour mode CMYK", "changed_by_decoding": "CMYK converted to RGB"},
    ("blank_jpeg", "new.jpg"): {"blank_image": "1 image of one flat colour"},
    ("tiny_jpeg", "new.jpg"): {
        "tiny_image": "a side below 0.1 of the usual 40 pixels",
        "small_image": "a side is 3 pixels, below 40",
    },
    ("long_jpeg", "new.jpg"): {"extreme_aspect": "over 5 times as long", "large_image": "a side is 240 pixels, above 48"},
}


@pytest.fixture(scope="module")
def spoilt(planted, make_images):
    """What is found if every file of FILES is among the cats."""

    def change(root):
        for maker, name in FILES:
            if maker == "link_to_nowhere":
                (root / f"train/cat/{maker}_{name}").symlink_to(root / "gone.jpg")
            else:
                (root / f"train/cat/{maker}_{name}").write_bytes(getattr(make_images, maker)())

    return planted("clean_folder", folder_of, change)


@pytest.mark.parametrize(("maker", "name"), FILES)
def test_a_bad_or_odd_file_is_found_and_named(maker, name, spoilt):
    found = {one.code: one.message for one in spoilt if f"train/cat/{maker}_{name}" in one.examples}
    assert found.keys() == FILES[maker, name].keys()
    for code, text in FILES[maker, name].items():
        assert text in found[code]


def test_nothing_is_said_of_the_sound_files_beside_them(spoilt):
    named = {name for one in spoilt for name in (*one.examples, *one.suspects)}
    assert named == {f"train/cat/{maker}_{name}" for maker, name in FILES}


def recoded(file, **options):
    """The same picture, saved again."""
    buffer = io.BytesIO()
    with Image.open(file) as image:
        image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def darken(folder):
    for file in folder.rglob("*.jpg"):
        with Image.open(file) as image:
            dark = ImageEnhance.Brightness(image).enhance(0.4)
        dark.save(file, "JPEG", quality=90)


def keep(folder, count):
    for file in sorted(folder.iterdir())[count:]:
        file.unlink()


def copy(root, name, to):
    (root / to).parent.mkdir(exist_ok=True)
    shutil.copy(root / name, root / to)


def split_the_classes(root):
    """<class>_<split>/ instead of <split>/<class>/."""
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            (root / split / label).rename(root / f"{label}_{split}")
        (root / split).rmdir()
    shutil.rmtree(root / "val")


def split_one_class(root):
    """cat/train/, cat/test/ and dog/ instead of <split>/<class>/."""
    for split in ("train", "test"):
        (root / "cat").mkdir(exist_ok=True)
        (root / split / "cat").rename(root / "cat" / split)
    (root / "train" / "dog").rename(root / "dog")
    for split in ("train", "test", "val"):
        shutil.rmtree(root / split)


def flatten(folder):
    for file in sorted(folder.rglob("*.jpg")):
        file.rename(folder / file.name)
    for label in ("cat", "dog"):
        (folder / label).rmdir()


def link_out(folder, to):
    folder.rename(to)
    folder.symlink_to(to)


SETS = {
    "a test image is in train too": (
        lambda root: copy(root, "test/cat/060.jpg", NEW),
        {"leakage_removed": f"the same bytes are in test {NEW}"},
    ),
    "a test image is in train too, saved anew": (
        lambda root: (root / NEW).write_bytes(recoded(root / "test/cat/060.jpg", quality=60)),
        {"near_leakage": NEW, "near_duplicates": NEW},
    ),
    "one image twice": (lambda root: copy(root, "train/cat/000.jpg", NEW), {"duplicates": NEW}),
    "one image twice, saved anew": (
        lambda root: (root / NEW).write_bytes(recoded(root / "train/cat/000.jpg", quality=60)),
        {"near_duplicates": NEW},
    ),
    "one image under two labels": (
        lambda root: copy(root, "train/dog/024.jpg", NEW),
        {"contradiction": NEW, "duplicates": NEW},
    ),
    "one image under two labels, saved anew": (
        lambda root: (root / NEW).write_bytes(recoded(root / "train/dog/024.jpg", quality=60)),
        {"near_contradiction": NEW, "near_duplicates": NEW},
    ),
    "a new class": (
        lambda root: [(root / part / "cat").rename(root / part / "owl") for part in ("train", "val", "test")],
        {"unseen_label": "label 'owl' is not in the schema", "missing_label": "the label 'cat'"},
    ),
    "a class that is gone": (
        lambda root: [shutil.rmtree(root / part / "dog") for part in ("train", "val", "test")],
        {"one_class": "only 'cat' has images", "missing_label": "'dog'"},
    ),
    "a label in two spellings": (
        lambda root: [(root / part / "cat").rename(root / part / "Dog") for part in ("train", "val", "test")],
        {"label_variants": "['Dog', 'dog']", "unseen_label": "'Dog'", "missing_label": "'cat'"},
    ),
    "a label that one split lacks": (
        lambda root: shutil.rmtree(root / "val" / "dog"),
        {"label_missing_in_split": "the validation split has no image of dog"},
    ),
    "a class with one training image": (
        lambda root: keep(root / "train/dog", 1),
        {
            "too_few_examples": "class 'dog' has 1 training image; at least 2",
            "imbalance": "'cat' has 24 training images, and 'dog' 1",
        },
    ),
    "splits that became classes": (
        lambda root: split_the_classes(root),
        {
            "labels_like_splits": "labels 'cat_test', 'cat_train', 'dog_test', 'dog_train' are named like splits",
            "unseen_label": "label 'dog_train' is not in the schema",
            "missing_label": "'cat'",
            "label_missing_in_split": "has no image of",
        },
    ),
    "splits that one class has and the other has not": (
        split_one_class,
        {"split_missing": "30 images are in folders named like splits (test, train), and no split is read from them"},
    ),
    "a flat test folder": (
        lambda root: flatten(root / "val"),
        {"outside_classes": "12 images were left out: outside the class folders, directly in val/ val/048.jpg"},
    ),
    "an image beside the split folders": (
        lambda root: copy(root, "train/cat/000.jpg", "stray.jpg"),
        {"outside_classes": "1 image was left out: outside the class folders, directly in "},
    ),
    "images in a folder that is no split": (
        lambda root: copy(root, "train/cat/000.jpg", "extra/1.jpg"),
        {"outside_classes": "outside the class folders, in extra/, which is not a split extra/1.jpg"},
    ),
    "a class folder behind a link": (
        lambda root: link_out(root / "train/cat", root.with_name("disk2")),
        {"linked_outside": "24 images: behind a link that leads out of the source's folder train/cat/000.jpg"},
    ),
    "a loop of links": (
        lambda root: (root / "train/cat/loop").symlink_to(root),
        {"unreadable": "1 image was left out: cannot be read: the link leads back to a folder above it train/cat/loop"},
    ),
    "a dark test split": (lambda root: darken(root / "test"), {"feature_drift": "brightness is"}),
}


# Each of these goes the way of another row, or is the first part of one with two faults.
LIKE_OTHERS = {
    "one image twice",
    "one image twice, saved anew",
    "a new class",
    "a label that one split lacks",
    "a flat test folder",
    "an image beside the split folders",
    "a dark test split",
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LIKE_OTHERS else n for n in SETS])
def test_a_fault_of_the_set_is_found_and_named(name, find):
    change, expected = SETS[name]
    found = find(change)
    assert found.keys() == expected.keys()
    for code, text in expected.items():
        assert text in found[code]


@pytest.mark.slow  # tests/data/validating/test_validation.py compares counts with a stricter limit
def test_a_schema_that_a_person_made_stricter_is_held_to(find):
    found = find(lambda root: keep(root / "train/dog", 4), schema={"max_imbalance": 5.0})
    assert found == {"imbalance": "'cat' has 24 training images, and 'dog' 4: more than 5 times as many"}


def grow(make_images, brightness):
    """40 more training images of each class."""

    def change(root):
        for number in range(100, 180):
            image = ImageEnhance.Brightness(make_images.scene(number)).enhance(brightness)
            image.save(root / "train" / ("cat", "dog")[number % 2] / f"{number}.jpg", "JPEG", quality=90)

    return change


def test_new_images_like_the_old_raise_nothing(find, make_images):
    assert find(grow(make_images, 1.0), previous=True) == {}


def test_new_images_unlike_the_old_are_told(find, make_images):
    found = find(grow(make_images, 0.5), previous=True)
    assert "in the last run and" in found["feature_drift_since_last_run"]
    assert found.keys() == {"feature_drift_since_last_run", "feature_drift"}


def test_a_class_that_replaced_another_since_the_last_run_is_told(find):
    change, known = SETS["a new class"]
    found = find(change, previous=True, schema={"severities": dict.fromkeys(known, "ignore")})
    assert found.pop("label_drift_since_last_run")
    assert found.keys() == {"class_appeared", "class_vanished"}
    assert "'owl'" in found["class_appeared"]
    assert "'cat' had 36 images" in found["class_vanished"]


def test_most_images_gone_since_the_last_run_is_told(find):
    def change(root):
        keep(root / "train/cat", 5)
        keep(root / "train/dog", 5)

    assert find(change, previous=True) == {"fewer_images": "there are 34 usable images; in the last run there were 72"}


def test_a_file_that_may_not_be_read_is_named(find, monkeypatch):
    read_bytes = Path.read_bytes

    def refuse(path):
        if path.name == "new.jpg":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = find(lambda root: copy(root, "train/cat/000.jpg", NEW))
    assert found == {"unreadable": f"1 image was left out: cannot be read: Permission denied {NEW}"}


@pytest.mark.timeout(60)
def test_a_pipe_and_a_folder_named_like_images_do_not_hang_it_and_are_not_used(find):
    def change(root):
        os.mkfifo(root / "train/cat/pipe.jpg")
        (root / "train/cat/folder.jpg").mkdir()

    told = "1 image was left out: cannot be read: it is a pipe, a socket or a device train/cat/pipe.jpg"
    assert find(change) == {"unreadable": told}


def test_the_quarantine_file_is_honoured(find, make_images, tmp_path):
    (tmp_path / "quarantine.csv").write_text(f"id,reason\n{NEW},blurred\n")
    policy = c.Ingest(quarantine_file=tmp_path / "quarantine.csv")
    found = find(lambda root: (root / NEW).write_bytes(make_images.blank_jpeg()), policy=policy)
    assert found == {"left_out": f"1 image was left out: left out by the quarantine file: blurred {NEW}"}


# Faults that stop the run at once, each with a text that names the place.
REFUSED = {
    "an empty class folder": (lambda root: (root / "train" / "owl").mkdir(), {}, "class folder .*train/owl is empty"),
    "no class folders": (
        lambda root: [shutil.rmtree(root / part) for part in ("train", "val", "test")],
        {},
        "no class folders",
    ),
    "no folder at all": (shutil.rmtree, {}, "there is no folder"),
    "one bad file, policy fail": (
        lambda root: (root / NEW).write_bytes(b""),
        {"policy": c.Ingest(policy="fail")},
        f"{NEW}: the file is empty",
    ),
    "too many bad files": (
        lambda root: (root / NEW).write_bytes(b""),
        {"policy": c.Ingest(max_bad_fraction=0.01)},
        rf"1 of 73 images cannot be used \(1.4%; the limit is 1.0%\)(.|\n)*{NEW}: the file is empty",
    ),
    "no test image can be used": (
        lambda root: [file.write_bytes(b"") for file in (root / "test").rglob("*.jpg")],
        {},
        "no image is left for the test split",
    ),
    "no quarantine file": (lambda root: None, {"policy": c.Ingest(quarantine_file=Path("gone.csv"))}, "gone.csv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_go_on_is_refused_with_the_place(name, find):
    change, choices, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        find(change, **choices)


def test_what_is_saved_of_it_is_a_verdict(find, clean, tmp_path):
    from kerasvision.data.validating.anomalies import save_anomalies

    save_anomalies(find_anomalies(clean.statistics, clean.schema, images=clean.images), tmp_path / "anomalies.json")
    assert json.loads((tmp_path / "anomalies.json").read_text()) == {
        "verdict": "pass",
        "counts": {"error": 0, "warning": 0, "info": 0},
        "anomalies": [],
    }
