"""Work on single images gives the same bytes in the same order, wherever it is done."""

import hashlib
import io
import pickle
import sys
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting import manifest
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.ingesting.spans import PreviousExamples
from kerasvision.data.mapping.chunks import JOB, ChunkedMapper, _Loaded, run_chunk
from kerasvision.data.mapping.mapper import Here, mapper_of
from kerasvision.data.measuring import measurements
from kerasvision.data.measuring.statistics import compute_statistics, save_statistics_tables
from kerasvision.data.records import LabelMap, Object, Record
from kerasvision.errors import ConfigError, DataError, StageError


class Backwards(ChunkedMapper):
    """Does the last chunk first, and some twice, as a runner may."""

    def run_chunks(self, folder, count):
        for number in [*reversed(range(count)), 0]:
            run_chunk(folder, number)


def doubled(numbers):
    for number in numbers:
        yield 2 * number


def until_three(numbers):
    for number in numbers:
        if number >= 3:
            raise DataError(f"{number} is too large", hint="choose a smaller one")
        yield number


class Odd(Exception):
    """Cannot be unpickled, because it needs two arguments."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


def odd(numbers):
    raise Odd("odd", "a reason")
    yield


@pytest.fixture
def backwards(tmp_path):
    return Backwards(c.Local(), tmp_path / "scratch")


@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_results_come_in_the_order_of_the_items_and_no_file_is_left(count, backwards, tmp_path):
    expected = list(Here().map(doubled, range(count), chunk=3))
    assert list(backwards.map(doubled, iter(range(count)), chunk=3)) == expected == [2 * n for n in range(count)]
    assert not (tmp_path / "scratch").exists()


def test_the_first_error_in_the_order_of_the_items_is_raised_as_it_is_here(backwards, tmp_path):
    results = backwards.map(until_three, [1, 2, 4, 0, 5, 6], chunk=2)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(DataError, match="^4 is too large. Choose a smaller one.") as raised:
        next(results)
    assert "until_three" in raised.value.__notes__[0]
    assert not (tmp_path / "scratch").exists()


def test_an_error_that_cannot_be_sent_keeps_its_text(backwards):
    with pytest.raises(StageError, match="Odd: odd: a reason"):
        list(backwards.map(odd, [1], chunk=1))


def test_what_cannot_be_sent_is_refused_with_the_way_out(backwards):
    with pytest.raises(ConfigError, match="what can be pickled.*lambda.*a function of a module with functools.partial"):
        list(backwards.map(doubled, [lambda: 1], chunk=1))


def test_workers_that_see_another_folder_are_noticed(tmp_path):
    class Elsewhere(ChunkedMapper):
        def run_chunks(self, folder, count):
            run_chunk(folder, 0)

    with pytest.raises(StageError, match="no results of chunk 2 of 3 in .*a file system that all of them share"):
        list(Elsewhere(c.Local(), tmp_path).map(doubled, range(3), chunk=1))


def test_a_process_loads_the_function_of_a_job_once_and_works_in_its_folder(tmp_path, monkeypatch):
    """A worker of a cluster starts in another folder, and knows neither the modules nor the pipeline file."""
    (tmp_path / "here").mkdir()
    (tmp_path / "modules").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    (tmp_path / "here" / "file.py").write_text(
        "from pathlib import Path\n"
        "def named(numbers):\n"
        "    import of_user\n"
        "    for number in numbers:\n"
        "        yield Path.cwd().name, of_user.NAMES[number]\n"
    )
    (tmp_path / "modules" / "of_user.py").write_text("NAMES = ('zero', 'one')\n")
    from kerasvision.config.loading import load_pipeline_module

    module = load_pipeline_module(tmp_path / "here" / "file.py")
    loads = []

    class Elsewhere(ChunkedMapper):
        def run_chunks(self, folder, count):
            (tmp_path / "elsewhere").mkdir()
            monkeypatch.chdir(tmp_path / "elsewhere")
            monkeypatch.setattr(sys, "path", [place for place in sys.path if "modules" not in place])
            monkeypatch.delitem(sys.modules, module.__name__)
            read_bytes = Path.read_bytes
            monkeypatch.setattr(Path, "read_bytes", lambda file: (loads.append(file.name), read_bytes(file))[1])
            for number in range(count):
                run_chunk(folder, number)

    found = list(Elsewhere(c.Local(), tmp_path / "scratch").map(module.named, [1, 0], chunk=1))
    assert found == [("here", "one"), ("here", "zero")]
    assert loads.count(JOB) == 1
    assert _Loaded.function(iter(())) is not None


class Mine(c.Runner):
    """A runner of a user."""

    implementation: ClassVar[str] = f"{__name__}:Backwards"


def test_a_runner_of_the_settings_is_found_by_its_implementation(tmp_path):
    assert isinstance(mapper_of(Mine(), scratch=tmp_path), Backwards)
    assert isinstance(mapper_of(c.Local(), scratch=tmp_path), Here)


# Examples and statistics.


def png(number):
    """9 x 7 pixels that are different for each number."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (9, 7), (hashlib.sha256(bytes([number])).digest() * 6)[: 3 * 9 * 7]).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path):
    """24 images in two classes, of which two are equal; a broken one, a text, and a pipe to nowhere."""
    folder = tmp_path / "photos"
    for number in range(24):
        (folder / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (folder / "ab"[number % 2] / f"{number:02d}.png").write_bytes(png(number))
    (folder / "a" / "copy.png").write_bytes(png(2))
    (folder / "a" / "cut.png").write_bytes(png(1)[:-30])
    (folder / "b" / "text.png").write_text("hello")
    (folder / "b" / "gone.png").symlink_to(folder / "nowhere.png")
    return folder


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("kerasvision.data.ingesting.writing.CHUNK_IMAGES", 5)
    monkeypatch.setattr(manifest, "CHUNK_IMAGES", 5)


def bytes_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ingested(source, folder, mapper, previous=None, **policy):
    """The files of an ingest, by name."""
    folder.mkdir()
    before = previous and PreviousExamples(previous / "manifest.parquet", previous / "span.json")
    policy = c.Ingest(max_bad_fraction=0.5, **policy)
    places = {"data": folder / "data", "manifest": folder / "manifest.parquet", "span": folder / "span.json"}
    ingest(source, splits=c.Splits(validation=0), policy=policy, previous=before, mapper=mapper, **places)
    return bytes_in(folder)


def measured(folder, mapper):
    """The files of the statistics of an ingest, by name."""
    examples = ExampleSet(folder / "data")
    statistics, images = compute_statistics(examples, pd.read_parquet(folder / "manifest.parquet"), mapper=mapper)
    (folder / "tables").mkdir()
    statistics.save(folder / "statistics.json")
    images.to_parquet(folder / "images.parquet")
    save_statistics_tables(statistics, images, examples=examples, folder=folder / "tables")
    return bytes_in(folder)


def test_faults_copies_quarantine_and_spans_are_the_same_bytes(photos, small_chunks, backwards, tmp_path):
    (tmp_path / "quarantine.csv").write_text("id,reason\na/04.png,blurred\n")
    policy = {"quarantine_file": tmp_path / "quarantine.csv"}
    source = c.ImageFolder(path=photos)
    first = [ingested(source, tmp_path / name, made, **policy) for name, made in (("1", Here()), ("2", backwards))]
    assert first[0] == first[1]
    (photos / "b" / "new.png").write_bytes(png(99))
    (photos / "b" / "03.png").unlink()
    second = [
        ingested(source, tmp_path / f"then {name}", made, tmp_path / name, **policy)
        for name, made in (("1", Here()), ("2", backwards))
    ]
    assert second[0] == second[1]
    faults = pd.read_parquet(tmp_path / "then 2" / "manifest.parquet").set_index("id")["fault"]
    assert faults[faults != ""].to_dict() == {
        "a/04.png": "left out by the quarantine file: blurred",
        "a/cut.png": "truncated or corrupt PNG",
        "b/text.png": "not an image in a known format",
        "b/gone.png": "cannot be read: No such file or directory",
    }
    assert b'"added": 1,\n  "removed": 1' in second[1]["span.json"]


def annotated(settings):
    """Captions, tags, numbers, objects with masks, of which each image has some, and a label map."""
    for number in range(24):
        mask = partial(grey, 255)
        things = [Object((0, 0, 3, 4 + index), "cd"[index], mask, category_id=7 - index) for index in range(number % 3)]
        yield Record(
            f"{number}.png",
            partial(png, number),
            captions=tuple(f"number {number} {word}" for word in ("one", "two")[: number % 3]),
            objects=tuple(things),
            tags=("sea", "sun")[: number % 3],
            values={"age": number / 3, **({"height": 1.5} if number else {})},
            listed_classes=("c", "d", "e"),
            label_map=LabelMap(partial(sky_and_road, number), {0: "road", 5: "sky"}, frozenset({255})),
        )


def sky_and_road(number):
    numbers = np.full((7, 9), 5)
    numbers[: number % 7], numbers[-1, -1] = 0, 255
    return numbers


def grey(value):
    buffer = io.BytesIO()
    Image.new("L", (9, 7), value).save(buffer, "PNG")
    return buffer.getvalue()


class Annotated(c.Source):
    implementation: ClassVar[str] = f"{__name__}:annotated"


def test_annotations_are_the_same_bytes(small_chunks, backwards, tmp_path):
    source = Annotated()
    found = [
        ingested(source, tmp_path / name, made, missing_values="ignore") for name, made in (("1", Here()), ("2", backwards))
    ]
    assert found[0] == found[1]
    examples = ExampleSet(tmp_path / "2" / "data")
    assert (examples.map_classes, examples.object_classes, examples.tag_classes) == (
        ("road", "sky"),
        ("c", "d"),
        ("sea", "sun"),
    )
    assert measured(tmp_path / "1", Here()) == measured(tmp_path / "2", backwards)
    assert examples.has_captions and examples.has_masks and examples.value_names == ("age", "height")
    assert examples.category_ids == {"c": 7, "d": 6}


def test_images_that_change_between_the_readings_are_noticed_in_a_worker(photos, backwards, tmp_path, monkeypatch):
    reads = iter(range(2))
    once = lookup.load(c.ImageFolder.implementation)

    def changing(settings):
        if next(reads):
            (photos / "a" / "06.png").write_bytes(png(77))
        return once(settings)

    monkeypatch.setattr(lookup, "load", lambda path: changing)
    with pytest.raises(StageError, match="a/06.png changed while it was read. Run again."):
        ingested(c.ImageFolder(path=photos), tmp_path / "out", backwards)


def test_a_part_of_a_file_is_measured_as_the_whole(make_examples, manifest_of, backwards, monkeypatch, tmp_path):
    """In one process small PNG files are decoded by batches; other processes get too few for that."""
    monkeypatch.setattr("kerasvision.data.by_batches.FEWEST", 20)
    monkeypatch.setattr(measurements, "PART_IMAGES", 16)
    rows = [(f"{number}", png(number), "ab"[number % 2]) for number in range(30)]
    examples = make_examples(tmp_path / "data", train=rows)
    assert measurements.parts_of(examples) == ["train[0:15]", "train[15:30]"]
    ids = manifest_of(examples)["id"]
    whole, parts = (measurements.measure_examples(examples, ids, mapper=made) for made in (Here(), backwards))
    pd.testing.assert_frame_equal(whole.table, parts.table, check_exact=True)
    assert whole.hashes.tobytes() == parts.hashes.tobytes()
    assert whole.thumbnails.tobytes() == parts.thumbnails.tobytes()


def test_images_in_a_column_of_parquet_can_be_sent_and_are_read_from_their_row_group(tmp_path):
    """A worker begins anywhere in the table. It reads the rows of its chunk one after the other, from one open file."""
    images = [png(number) for number in range(30)]
    parquet.write_table(pyarrow.table({"image": images}), tmp_path / "table.parquet", row_group_size=10)
    source = c.Table(path=tmp_path / "table.parquet", label=None)
    sent = [pickle.loads(pickle.dumps(record)) for record in lookup.load(source.implementation)(source)]
    for number in (25, 26, 3, 4, 12, 29, 0):
        assert sent[number].load() == images[number]
    assert sent[0].content.func.__self__ is sent[29].content.func.__self__


@pytest.mark.parametrize("source", [c.Digits(), c.Shapes(count=1, image_size=(32, 32))])
def test_records_that_are_made_can_be_sent(source):
    record = next(iter(lookup.load(source.implementation)(source)))
    sent = pickle.loads(pickle.dumps(record))
    assert sent.load() == record.load()
    assert [one.mask() for one in sent.objects] == [one.mask() for one in record.objects]
