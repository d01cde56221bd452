"""Faults planted in a clean folder of label maps: each is found and named, and the other images are used."""

import numpy as np
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.validating.validation import find_anomalies

NAMES = ("ground", "cup", "ball")


def masks_of(root):
    return c.Masks(path=root, class_names=NAMES)


@pytest.fixture(scope="module")
def find(planted):
    """(how to plant) -> what is found."""

    def run(change, **choices):
        return planted("clean_masks", masks_of, change, **choices)

    return run


def mask(root, number):
    return root / "masks" / ("train" if number < 24 else "test") / f"{number:03d}.png"


def repainted(number, change):
    """Replaces the map of an image by what `change` makes of its numbers."""

    def plant(root):
        with Image.open(mask(root, number)) as opened:
            numbers = np.asarray(opened)
        Image.fromarray(change(numbers)).save(mask(root, number))

    return plant


def all_repainted(change):
    def plant(root):
        for number in range(36):
            repainted(number, change)(root)

    return plant


def colour(numbers):
    return np.stack([numbers * 40, numbers, numbers * 0], axis=-1).astype(np.uint8)


def as_jpeg(root):
    with Image.open(mask(root, 5)) as opened:
        opened.save(mask(root, 5), "JPEG")


def cut_off(root):
    mask(root, 7).write_bytes(mask(root, 7).read_bytes()[:60])


# One image each: its number, how it is damaged, and what must be found.
IMAGES = {
    "a map of another size": (1, repainted(1, lambda numbers: numbers[:30, :40]), "40 x 30 pixels, and the image 48 x 40"),
    "a number beyond the names": (2, repainted(2, lambda numbers: numbers * (numbers < 3) * 7), "without a class name: "),
    "a map that says nothing": (3, repainted(3, lambda numbers: np.full_like(numbers, 255)), "every pixel is ignored"),
    "a colour map": (4, repainted(4, colour), "in a CSV with the columns r, g, b and name, and set source.table to it"),
    "a map as JPEG": (5, as_jpeg, "005.png is a JPEG, whose compression invents class numbers"),
    "a missing map": (6, lambda root: mask(root, 6).unlink(), "no label map: there is no masks/train/006.png"),
    "a map that is cut off": (7, cut_off, "007.png is a truncated or corrupt PNG"),
}


@pytest.fixture(scope="module")
def spoilt(find):
    def change(root):
        for _, plant, _ in IMAGES.values():
            plant(root)

    return find(change, spoilt=[f"images/train/{number:03d}.jpg" for number, _, _ in IMAGES.values()])


def test_the_clean_set_raises_nothing(clean_set):
    clean = clean_set("clean_masks", masks_of)
    assert find_anomalies(clean.statistics, clean.schema, images=clean.images) == []
    assert clean.schema.map_classes == NAMES
    shown = clean.statistics.maps["images"].values()
    assert {name: sum(of[name] for of in shown) for name in NAMES} == {"ground": 36, "cup": 18, "ball": 18}


@pytest.mark.parametrize("fault", IMAGES)
def test_a_bad_map_is_found_and_its_image_named(fault, spoilt):
    number, _, text = IMAGES[fault]
    (found,) = (one for one in spoilt if f"images/train/{number:03d}.jpg" in one.examples)
    assert (found.code, found.severity) == ("bad_label_map", "warning")
    assert text in found.message


# What must be found where all maps are changed. The classes of the schema remain those of the clean set.
ALL = {
    "one class": (lambda numbers: numbers * 0, {"one_map_class", "missing_map_class"}),
    "a binary map in which 255 was meant as the object": (
        lambda numbers: np.where(numbers == 0, 0, 255).astype(np.uint8),
        {"one_map_class", "missing_map_class"},
    ),
    "maps that mostly say nothing": (
        lambda numbers: np.where(numbers == 0, 255, numbers),
        {"missing_map_class", "mostly_ignored"},
    ),
}


@pytest.mark.parametrize("fault", ALL)
def test_maps_without_enough_to_learn_are_told(fault, find):
    change, codes = ALL[fault]
    assert {one.code for one in find(all_repainted(change))} - {"feature_drift_since_last_run"} == codes


def test_a_class_that_a_split_lacks_is_told(find):
    def change(root):
        for number in range(24, 36):
            repainted(number, lambda numbers: np.where(numbers == 2, 0, numbers))(root)

    found = {one.code: one.message for one in find(change)}
    assert found["map_class_missing_in_split"] == "no label map of the test split shows ball"
