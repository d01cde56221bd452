"""A plan says what copies of large photos save once the images are known, and nothing before."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision import config as c
from kerasvision.cli import app
from kerasvision.disk import readable_size
from kerasvision.pipeline import local
from kerasvision.pipeline.artifacts import Examples, ExampleStatistics, TransformGraph
from kerasvision.pipeline.copy_notes import copy_notes
from kerasvision.pipeline.local import run
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.standard import load_pipeline, standard_pipeline
from kerasvision.pipeline.tables import LIVE

PIPELINE = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="photos",
    source=c.ImageFolder(path="photos"),
    splits=c.Splits(stratify=True),
    transform=c.Transform(image_size=(16, 16), working_side=24),
    augment=(c.RandomResizedCrop(),),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    training=c.Training(epochs=1, batch_size=4),
)
"""


def pipeline_of(**transform):
    """An experiment whose source does not exist: nothing of it is read here."""
    folds = transform.pop("folds", None)
    return standard_pipeline(
        c.Experiment(
            name="photos",
            source=c.ImageFolder(path="photos"),
            splits=c.Splits(folds=folds),
            transform=c.Transform(image_size=(32, 32), **transform),
            augment=(c.RandomResizedCrop(),),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
            training=c.Training(epochs=1),
        )
    )


@pytest.fixture
def known(tmp_path):
    """The artifacts of example_gen and statistics_gen, with ten training photos of 1500 x 2000."""
    examples, statistics = tmp_path / "examples", tmp_path / "statistics"
    (examples / "data").mkdir(parents=True)
    (examples / "data" / "records").write_bytes(bytes(10_000_000))
    row = {"height": 1500, "width": 2000, "size": 900_000, "split": "train", "fault": ""}
    pd.DataFrame([row] * 10).to_parquet(examples / "manifest.parquet")
    statistics.mkdir()
    (statistics / "statistics.json").write_text(json.dumps({"max_side": 2000}))

    def record(kind, folder):
        return ArtifactRecord(1, kind.TYPE_NAME, folder, LIVE, "", {})

    return {
        "example_gen": {"examples": record(Examples, examples)},
        "statistics_gen": {"statistics": record(ExampleStatistics, statistics)},
    }


def test_nothing_is_said_before_the_images_are_known():
    assert copy_notes(pipeline_of(working_side=64), {}) == {}


@pytest.mark.parametrize("settings", [{"working_side": 64}, {"working_side": 64, "keep_copies": False}, {}])
def test_what_copies_save_is_said_of_the_transform(settings, known):
    notes = copy_notes(pipeline_of(**settings), known)
    assert list(notes) == ["transform"]
    # 64 x 85 pixels instead of 1500 x 2000, ten times.
    assert notes["transform"].endswith("each epoch reads 0.0544 megapixels instead of 30")


def test_copies_of_all_folds_are_counted(known):
    # Each row of 85 pixels takes 256 bytes.
    one, all_ = (copy_notes(pipeline_of(working_side=64, folds=folds), known)["transform"] for folds in (None, 4))
    size = 1_000_000 + 10 * (54 + 64 * 256)
    assert f": {readable_size(size)} on a disk" in one
    assert f": {readable_size(4 * size)} in 4 stages on a disk" in all_


def test_the_manifest_of_small_images_is_not_read(known, tmp_path):
    (tmp_path / "examples" / "manifest.parquet").write_text("not a table")
    (tmp_path / "statistics" / "statistics.json").write_text(json.dumps({"max_side": 999}))

    def unread(*_, **__):
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyarrow.parquet.ParquetFile", unread)
        assert copy_notes(pipeline_of(), known) == {}
        (tmp_path / "statistics" / "statistics.json").write_text(json.dumps({"max_side": 1000}))
        with pytest.raises(AssertionError):
            copy_notes(pipeline_of(), known)


@pytest.mark.parametrize("file", ["examples/manifest.parquet", "statistics/statistics.json"])
@pytest.mark.parametrize("content", [None, "{}"])
def test_a_missing_or_damaged_file_stops_no_plan(file, content, known, tmp_path):
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    assert copy_notes(pipeline_of(), known) == {}


@pytest.mark.parametrize(("is_here", "said"), [(True, "transform kept no copies"), (False, "")])
def test_a_transform_that_an_object_store_has_may_have_copies(is_here, said, known, tmp_path):
    if is_here:
        (tmp_path / "transform.json").touch()
    known["transform"] = {"transform_graph": ArtifactRecord(2, TransformGraph.TYPE_NAME, tmp_path, LIVE, "", {})}
    assert copy_notes(pipeline_of(working_side=64), known).get("transform", "")[:24] == said


def test_plan_prints_the_note_after_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "copy_notes", lambda *_: {"transform": "copies save time"})
    done = CliRunner().invoke(app, ["plan", "pipelines/digits.py", "--root", str(tmp_path)], catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == "note: copies save time"


# By default, the tests above check the sentences, and test_bench.py what is measured.
@pytest.mark.slow
def test_plan_and_bench_say_what_copies_of_photos_save(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos.py").write_text(PIPELINE)
    random = np.random.default_rng(0)
    for number in range(12):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(file)

    def asked(*words):
        done = CliRunner().invoke(app, [*words, "photos.py"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    pipeline = load_pipeline(tmp_path / "photos.py")
    assert "note:" not in asked("plan")
    run(pipeline, root=tmp_path, until="example_validator")
    planned = asked("plan").splitlines()[-1]
    assert re.search(r"note: transform will keep copies of 12 images, 12 of them reduced to a shorter side of 24: ", planned)
    assert planned.endswith("Then each epoch reads 0.00614 megapixels instead of 0.0246")  # 8 times 24 x 32 of 48 x 64
    measured = asked("data", "bench", "--seconds", "0.01")
    took = re.search(
        r"reduced copies: reading and decoding one takes (\S+) ms, and its photo (\S+) ms, (\S+) times", measured
    )
    copy, photo, ratio = map(float, took.groups())
    assert copy > 0
    assert photo / copy == pytest.approx(ratio, abs=0.5)
    (copies,) = tmp_path.glob("runs/artifacts/photos/transform/*/*/copies")
    size = readable_size(sum(file.stat().st_size for file in copies.iterdir()))
    assert f"note: transform keeps copies of 12 images, 12 of them reduced to a shorter side of 24: {size} on" in measured
    assert measured.splitlines()[-1] == asked("plan").splitlines()[-1]
