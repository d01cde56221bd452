"""What is said about copies before a training: figures from the manifest alone, and the way to copies or without them."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.copy_advice import advice_on_copies
from kerasvision.data.copy_sizes import FOLDER, INFO, copy_sizes

USAGE = namedtuple("usage", "total used free")
# In docs/how-to/preparing.md.
SHOWN = """
note: transform will keep copies of 12 images, 12 of them reduced to a shorter side of 64: 200.1 kB on a disk with
22.2 GB free. Then each epoch reads 0.0435 megapixels instead of 24
"""
CROP = (c.RandomResizedCrop(),)


def training(**settings):
    augment = settings.pop("augment", ())
    return TrainerSettings(
        task=c.Classification(), model=c.Model(name="lenet5"), training=c.Training(epochs=2, **settings), augment=augment
    )


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Three photos of 2000 x 3000 to train on, a test photo, a small test image and a bad one, on a disk with 5 MB free.

    The files of the data set have 8,100,000 bytes: 2,000,000 for each photo, 10,000 for the small one, and 90,000 others.
    """
    folder, manifest = tmp_path / "data", tmp_path / "manifest.parquet"
    folder.mkdir()
    for number in range(3):
        (folder / f"examples-train.tfrecord-0000{number}-of-00003").write_bytes(bytes(2_700_000))
    photo = {"height": 2000, "width": 3000, "size": 2_000_000, "fault": ""}
    small = {"height": 90, "width": 50, "size": 10_000, "fault": "", "split": "test"}
    bad = {"height": 0, "width": 0, "size": 7, "fault": "truncated", "split": ""}
    rows = [*({**photo, "split": split} for split in ("train", "train", "train", "test")), small, bad]
    pd.DataFrame(rows).to_parquet(manifest)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(10**9, 0, 5_000_000))
    return folder, manifest


def said(photos, *, trainings=None, transform_file=None, stages=1, **settings):
    trainings = [training(augment=CROP)] if trainings is None else trainings
    wanted = c.Transform(**{"image_size": (32, 32), "working_side": 199} | settings)
    folder, manifest = photos
    return advice_on_copies(
        folder, manifest, settings=wanted, trainings=trainings, transform_file=transform_file, stages=stages
    )


def test_sizes_are_those_of_the_usable_images(photos):
    sizes = copy_sizes(*photos, working_side=199)
    # 2000 x 3000 becomes 199 x round(298.5) = 199 x 298, whose rows of 894 bytes are filled up to 896.
    assert sizes.stored == 90_000 + 10_000 + 4 * (54 + 199 * 896)
    assert (sizes.images, sizes.large, sizes.train_images) == (5, 4, 3)
    assert sizes.megapixels == pytest.approx(3 * 6)
    assert sizes.reduced_megapixels == pytest.approx(3 * 199 * 298 / 1e6)


def test_sizes_are_read_without_tensorflow_and_pandas(photos):
    """Either would take longer to import than all the rest of a plan."""
    code = (
        "import sys; from pathlib import Path; from kerasvision.data.copy_sizes import copy_sizes; "
        "assert copy_sizes(*map(Path, sys.argv[1:]), working_side=199).images == 5; "
        "found = {'tensorflow', 'keras', 'pandas'} & set(sys.modules); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code, *photos], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_copies_are_foreseen_with_the_disk_and_the_pixels_that_an_epoch_reads(photos):
    assert said(photos) == (
        "transform will keep copies of 5 images, 4 of them reduced to a shorter side of 199: 813.4 kB on a disk with 5.0 MB "
        "free. Then each epoch reads 0.178 megapixels instead of 18"
    )
    assert ": 4.1 MB in 5 stages on a disk with 5.0 MB free" in said(photos, stages=5)


def test_the_page_shows_what_a_plan_says(photos, monkeypatch):
    """Of twelve photos of 3 megapixels, in a data set whose files have 2,844 bytes in addition."""
    folder, manifest = photos
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(10**12, 0, 22_200_000_000))
    photo = {"height": 1500, "width": 2000, "size": (3 * 2_700_000 - 2844) // 12, "fault": ""}
    pd.DataFrame([{**photo, "split": "train" if number < 8 else "test"} for number in range(12)]).to_parquet(manifest)
    assert f"note: {said((folder, manifest), working_side=64)}" == " ".join(SHOWN.split())
    page = Path(__file__).parents[2] / "docs" / "how-to" / "preparing.md"
    assert SHOWN in page.read_text(encoding="utf-8")


def test_existing_copies_are_stated_with_their_real_size(photos, tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / INFO).write_bytes(bytes(1234))
    assert said(photos, transform_file=tmp_path / "transform.json") == (
        "transform keeps copies of 5 images, 4 of them reduced to a shorter side of 199: 1.2 kB on a disk with 5.0 MB "
        "free. So each epoch reads 0.178 megapixels instead of 18"
    )


def test_a_disk_that_is_too_small_is_stated_before_the_transform_runs_and_afterwards(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: USAGE(10**9, 10**9, 1000))
    lacks = "they need 813.4 kB, and 1.0 kB are free. With them, each epoch reads 0.178 megapixels instead of 18"
    assert said(photos) == f"transform will keep no copies, because the disk is too small: {lacks}"
    assert said(photos, transform_file=tmp_path / "transform.json") == (
        f"transform kept no copies, because the disk was too small: {lacks}. If they fit, `kerasvision run PIPELINE --only "
        "transform --force` makes them"
    )


def test_copies_that_are_off_are_stated_with_what_they_would_save(photos):
    assert said(photos, keep_copies=False) == (
        "transform.keep_copies is False. With copies, 813.4 kB on a disk with 5.0 MB free, each epoch reads 0.178 "
        "megapixels instead of 18"
    )


def test_a_working_side_is_suggested_for_large_photos_alone(photos):
    # Twice 32: 64 x 96 pixels of each photo.
    assert said(photos, working_side=None) == (
        "the training images have 6 megapixels on average. --set transform.working_side=64 reduces them once, and keeps "
        f"copies: {(100_000 + 4 * (54 + 64 * 288)) / 1e3:.1f} kB on a disk with 5.0 MB free. Then each epoch reads 0.0184 "
        "megapixels instead of 18"
    )
    folder, manifest = photos
    table = pd.read_parquet(manifest)
    table.assign(height=999, width=1000).to_parquet(manifest)
    assert said((folder, manifest), working_side=None) == ""
    table.assign(fault="truncated").to_parquet(manifest)
    assert said((folder, manifest), working_side=None) == ""
    # Copies of half of the side have a quarter of the pixels; those of 0.8 of it, more than half.
    assert "working_side=1000 reduces" in said(photos_of(photos, table), working_side=None, image_size=(500, 500))
    assert said(photos, working_side=None, image_size=(800, 800)) == ""
    assert said(photos, working_side=None, image_size=(4096, 4096), fit="crop", crop_fraction=0.9) == ""


def photos_of(photos, table):
    table.to_parquet(photos[1])
    return photos


def test_images_that_are_not_larger_than_the_working_side_get_no_copies(photos):
    assert said(photos, working_side=2000) == (
        "transform keeps no copies: 0 of 5 images are larger than transform.working_side=2000, and copies begin to pay at a "
        "tenth"
    )


@pytest.mark.parametrize(
    ("trainings", "what"),
    [
        # Three images of 32 x 32 x 3 take 37 kB when they are decoded.
        ([training()], "each training"),
        ([training(memory_budget_gb=36e-6)], "each epoch"),
        ([training(augment=CROP)], "each epoch"),
        ([training(augment=CROP), training()], "each epoch"),
        ([training(freeze="backbone", features="once")], "each training"),
        ([], "each epoch"),
    ],
)
def test_a_training_whose_decoded_images_fit_into_memory_reads_them_once(trainings, what, photos):
    assert f"{what} reads 0.178" in said(photos, trainings=trainings)
