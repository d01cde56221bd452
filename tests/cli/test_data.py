"""`kerasvision data`: what is in the images, what is wrong with them, and how fast they are read."""

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.pipeline.artifacts import ExampleAnomalies, Examples, ExampleStatistics
from kerasvision.pipeline.scan import Scan

PIPELINE = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="photos",
    source=c.ImageFolder(path="photos"),
    transform=c.Transform(image_size=(16, 16), fit="crop", crop_fraction=0.875, scale="whiten"),
    augment=(c.RandomResizedCrop(), c.RandomFlip()),
    task=c.Classification(top_k=2),
    model=c.Model(name="resnet20"),
    training=c.Training(epochs=2, plain_epochs=1, batch_size=8),
)
"""


def write_photos(folder, numbers):
    """Class folders of 40 x 32 images: even numbers are cats, odd numbers dogs."""
    for number in numbers:
        path = folder / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), np.uint8)
        Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def photos(tmp_path, make_images):
    """Class folders of images: one image is blank, one is truncated, and one has two labels."""
    folder = tmp_path / "photos"
    write_photos(folder, range(60))
    Image.new("RGB", (40, 32), (90, 120, 80)).save(folder / "cat" / "blank.png")
    (folder / "dog" / "cut.jpg").write_bytes(make_images.truncated_jpeg())
    shutil.copy(folder / "cat" / "00.png", folder / "dog" / "copy.png")
    return folder


def test_scan_of_a_folder_names_what_is_wrong_and_what_to_leave_out(kerasvision, photos, tmp_path):
    done = kerasvision("data", "scan", photos, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"warning blank_image: .*\n    cat/blank.png", done.stdout)
    assert re.search(r"warning corrupt: .*\n    dog/cut.jpg", done.stdout)
    assert "warning contradiction" in done.stdout
    assert "warn: 62 images to use, 1 left out" in done.stdout
    quarantine = re.search(r"--set (ingest.quarantine_file=\S+)", done.stdout)[1]
    clean = kerasvision("data", "scan", photos, "--set", quarantine, cwd=tmp_path)
    assert "warning blank_image" not in clean.stdout
    assert "warning contradiction" not in clean.stdout
    assert "left out by the quarantine file: blank_image" in clean.stdout


def test_scan_that_finds_an_error_exits_3(kerasvision, photos, tmp_path):
    shutil.rmtree(photos / "dog")
    done = kerasvision("data", "scan", photos, cwd=tmp_path)
    assert done.returncode == 3
    assert "error one_class: there must be at least two classes, and only 'cat' has images" in done.stdout
    assert re.search(r"^fail: \d+ images to use, 0 left out$", done.stdout, flags=re.MULTILINE)


@pytest.mark.slow
def test_show_reads_new_images_alone(kerasvision, tmp_path):
    (tmp_path / "photos.py").write_text(PIPELINE)
    write_photos(tmp_path / "photos", range(16))
    first = kerasvision("data", "show", "photos.py", cwd=tmp_path)
    assert "span 1: 16 images, the first ones read here" in first.stdout, first.stderr
    assert re.search(r"^ all +\d+ +\d+ +\d+", first.stdout, flags=re.MULTILINE)
    write_photos(tmp_path / "photos", range(16, 24))
    second = kerasvision("data", "show", "photos.py", cwd=tmp_path).stdout
    assert "span 2: 8 added; 16 unchanged" in second
    rows = re.findall(r"^ +([12])((?: +\d+)+) *$", second, flags=re.MULTILINE)
    assert [(span, sum(map(int, counts.split()))) for span, counts in rows] == [("1", 16), ("2", 8)]
    newest = kerasvision("data", "show", "photos.py", "--set", "ingest.last_spans=1", cwd=tmp_path).stdout
    assert re.search(r"^ added in span +train +validation +test +left out", newest, flags=re.MULTILINE)
    (first_span, second_span), (old, new) = (
        [
            [int(count) for count in row]
            for row in re.findall(r"^ +[12] +(\d+) +(\d+) +(\d+) *(\d*)", shown, flags=re.MULTILINE)
        ]
        for shown in (re.sub(r"(?m)^( +[12](?: +\d+){3}) *$", r"\1 0", second), newest)
    )
    # The training images of the first span are left out, and all others stay where they were.
    assert old == [0, *first_span[1:3], first_span[0]]
    assert new == second_span


@pytest.mark.slow
def test_show_with_embed_writes_a_page_and_names_what_is_left_out(kerasvision, photos, tmp_path):
    asked = ("--clusters", 2, "--features", "hog", "--neighbours", "dog/copy.png", "--projector", "projector", "--most", 40)
    done = kerasvision("data", "show", photos, "--embed", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "62 images described by histograms of oriented gradients, 40 x 40, colour" in done.stdout
    # The copy has the other label.
    assert re.search(r"^ nearest to dog/copy.png +label +split +distance", done.stdout, flags=re.MULTILINE), done.stdout
    assert re.search(r"^ cat/00.png +cat +\w+ +0", done.stdout, flags=re.MULTILINE)
    page = tmp_path / re.search(r"page with the map: (\S+)", done.stdout)[1]
    text = page.read_text(encoding="utf-8")
    assert "1 image is left out because it cannot be used: dog/cut.jpg (" in text
    assert "The map shows 40 of them" in text
    assert (tmp_path / "projector" / "projector_config.pbtxt").is_file()
    quarantine = re.search(r"--set (ingest.quarantine_file=\S+)", done.stdout)[1]
    assert kerasvision("data", "scan", photos, "--set", quarantine, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clusters", "3"), "--clusters requires --embed"),
        (("--model", "resnet50"), "--model requires --embed"),
        (("--embed", "--clusters", "1"), "--clusters must be at least 2; received 1"),
        (("--embed", "--most", "10001"), "--most must lie in [2, 10,000]; received 10001"),
        (("--embed", "--features", "sift"), "--features must be one of pixels, hog; received 'sift'"),
        (("--embed", "--features", "hog", "--model", "resnet50"), "--features and --model exclude each other"),
        (("--embed", "--seed", "-1"), "--seed must be at least 0"),
        (("--embed", "--model", "resnet19"), "no model is named 'resnet19'"),
        (("--augmented", "a.png"), "--augmented requires a pipeline file"),
    ],
)
def test_options_of_show_are_checked_before_any_image_is_read(kerasvision, tmp_path, options, message):
    write_photos(tmp_path / "photos", range(1))
    done = kerasvision("data", "show", "photos", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "runs").exists()


def scanned(folder, statistics):
    """What a scan of images with these statistics leaves behind."""
    found = Scan("photos", Examples(folder), ExampleStatistics(folder), ExampleAnomalies(folder))
    found.statistics.summary.write_text(json.dumps(statistics))
    found.examples.span.write_text(json.dumps({"span": 1, "added": 9}))
    pq.write_table(pa.table({"id": ["a.png"]}), found.examples.manifest)
    return found


def shown(monkeypatch, found):
    monkeypatch.setattr("kerasvision.pipeline.scan.scan", lambda *_, **__: found)
    done = CliRunner().invoke(app, ["data", "show", str(found.statistics.uri)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_show_counts_tags_and_the_images_without_any(monkeypatch, tmp_path):
    tags = {"images": {"train": {"sea": 4, "[sun]": 1}, "test": {"sea": 2, "[sun]": 0}}, "without": {"train": 3, "test": 0}}
    lines = shown(monkeypatch, scanned(tmp_path, {"counts": {}, "images": {"train": 7, "test": 2}, "tags": tags}))
    assert lines[:6] == [
        "tag train test",
        "sea 4 2",
        "[sun] 1 0",
        "(no tag) 3 0",
        "all 7 2",
        "span 1: 9 images, the first ones read here",
    ]


def test_show_counts_objects_and_what_maps_show(monkeypatch, tmp_path):
    objects = {"by_split": {"train": {"cat": 12}}, "without": {"train": 2}}
    maps = {"images": {"train": {"road": 6}}}
    lines = shown(monkeypatch, scanned(tmp_path, {"images": {"train": 7}, "objects": objects, "maps": maps}))
    assert lines[:4] == ["objects of train", "cat 12", "(no object) 2", "all images 7"]
    assert lines[4:7] == ["images that show train", "road 6", "all 7"]


def test_show_counts_images_that_have_neither(monkeypatch, tmp_path):
    assert shown(monkeypatch, scanned(tmp_path, {"images": {"train": 7, "test": 2}}))[:2] == ["images train test", "all 7 2"]


# By default, test_pages.py types --augmented and the bench for the digits, and test_bench.py measures a random crop.
@pytest.mark.slow
def test_show_and_bench_of_a_pipeline(kerasvision, tmp_path):
    write_photos(tmp_path / "photos", range(60))
    (tmp_path / "photos.py").write_text(PIPELINE)
    shown = kerasvision("data", "show", "photos.py", "--augmented", "augmented.png", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"^ all +\d+ +\d+ +\d+", shown.stdout, flags=re.MULTILINE)
    assert "span 1: 60 images, the first ones read here" in shown.stdout
    with Image.open(tmp_path / "augmented.png") as picture:
        assert len(set(picture.convert("RGB").get_flattened_data())) > 1000
    measured = kerasvision("data", "bench", "photos.py", "--seconds", "0.1", cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr
    for step in ("reading", "decoding, random crop", "batching", "2. RandomFlip", "scaling"):
        assert re.search(rf"^ {step} +\d+\.\d+ ", measured.stdout, flags=re.MULTILINE), measured.stdout
    assert re.search(r"the slowest step is .+: \d+% of \d+\.\d+ ms of one core per image", measured.stdout)
    assert re.search(r"trains on 3,000 images/s needs \d+\.\d cores like these", measured.stdout)
    write_photos(tmp_path / "photos", range(60, 70))
    more = kerasvision("data", "show", "photos.py", cwd=tmp_path)
    assert "span 2: 10 added; 60 unchanged" in more.stdout
