"""What ingest keeps of a source in addition to the images, what it leaves out by which rule, and what it reports as new."""

import os
import tracemalloc
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.ingesting.quarantine import write_quarantine
from kerasvision.data.ingesting.spans import PreviousExamples
from kerasvision.data.png import encode_png
from kerasvision.data.records import OUTSIDE, UNLISTED, Object, Record
from kerasvision.data.validating.images import fault_code
from kerasvision.errors import ConfigError, DataError, StageError


class Own(c.Source):
    """A user's source that yields `RECORDS`."""

    implementation: ClassVar[str] = f"{__name__}:read_own"


RECORDS: list[Record] = []


def read_own(settings):
    yield from RECORDS


def png(number, size=(12, 20)):
    return encode_png(np.full(size, number, np.uint8))


def record(number, label="x", **fields):
    return Record(f"{number:02d}", partial(png, number), label, **fields)


def run(records, folder, *, splits=None, previous=None, **policy):
    """The result of an ingest of these records into a new folder, and its manifest by id."""
    RECORDS[:] = records
    folder.mkdir(parents=True, exist_ok=True)
    done = ingest(
        Own(),
        splits=splits or c.Splits(),
        policy=c.Ingest(**policy),
        data=folder / "data",
        manifest=folder / "manifest.parquet",
        span=folder / "span.json",
        previous=previous,
    )
    return done, done.manifest.set_index("id")


def previous(folder):
    return PreviousExamples(folder / "manifest.parquet", folder / "span.json")


def written(folder):
    """id -> example of everything that was written."""
    examples = ExampleSet(folder / "data")
    found = (example for split in examples.splits for example in examples.dataset(split).as_numpy_iterator())
    return {example["id"].decode(): example for example in found}


# --- What is kept


def test_captions_boxes_and_masks_are_kept_and_what_is_wrong_with_them_is_noted(tmp_path):
    mask, thin = png(255), png(255, size=(12, 19))
    records = [record(number) for number in range(20)]
    records[3] = record(3, captions=("a cat", "", "two cats"), objects=(Object((3, 5, 9, 15), "cat", mask),))
    records[4] = record(4, objects=(Object((-3, 0, 6, 20), "dog", lambda: thin), Object((1, 1, 1, 9), "cat")))
    _, manifest = run(records, tmp_path)
    found = written(tmp_path)
    assert ExampleSet(tmp_path / "data").object_classes == ("cat", "dog")
    assert found["03"]["captions"].tolist() == [b"a cat", b"two cats"]
    assert found["03"]["objects"]["bbox"].tolist() == [[0.25, 0.25, 0.75, 0.75]]
    assert found["03"]["objects"]["mask"].tolist() == [mask]
    assert found["04"]["objects"]["bbox"].tolist() == [[0.0, 0.0, 0.5, 1.0]]
    assert found["04"]["objects"]["mask"].tolist() == [png(0)]
    assert found["05"]["captions"].size == found["05"]["objects"]["bbox"].size == 0
    assert manifest.loc["03", "notes"] == "an empty caption was left out"
    assert manifest.loc["04", "notes"].split("; ") == [
        "a box reaches beyond the image, and was clipped",
        "a box without any area inside the image was left out",
        "a mask of another size than the image was left out",
    ]
    assert manifest.loc[["03", "04", "05"], ["captions", "objects"]].to_numpy().tolist() == [[2, 1], [0, 1], [0, 0]]


def test_images_without_labels_make_a_data_set_without_labels(tmp_path):
    _, manifest = run([record(number, label="") for number in range(20)], tmp_path, max_bad_fraction=0.0)
    assert ExampleSet(tmp_path / "data").classes == ()
    assert all(set(example) == {"id", "image"} for example in written(tmp_path).values())
    assert set(manifest["fault"]) == {""}


def test_an_image_without_a_label_among_others_with_one_is_left_out(tmp_path):
    records = [record(number, label="" if number == 7 else "x") for number in range(20)]
    _, manifest = run(records, tmp_path, max_bad_fraction=0.05)
    assert manifest.loc["07", "fault"] == "no label"
    assert ExampleSet(tmp_path / "data").classes == ("x",)


def test_images_that_the_source_does_not_mean_are_neither_bad_nor_part_of_the_whole(tmp_path):
    meant = [record(number, fault="the file is empty" if number == 3 else "") for number in range(20)]
    others = [record(number, fault=(OUTSIDE, UNLISTED)[number % 2]) for number in range(20, 80)]
    run(meant + others, tmp_path / "at", max_bad_fraction=0.05)
    with pytest.raises(DataError, match=r"1 of 20 images cannot be used \(5.0%"):
        run(meant + others, tmp_path / "below", max_bad_fraction=0.04)


def test_labels_survive_as_tfds_keeps_them(tmp_path):
    labels = [" sun\nflower ", "sun flower", "x"]
    run([record(number, label=labels[number % 3]) for number in range(30)], tmp_path)
    assert ExampleSet(tmp_path / "data").classes == ("sun flower", "x")


# --- What cannot be read


def test_what_the_source_faults_is_never_read(tmp_path):
    def never():
        raise AssertionError("read")

    records = [record(number) for number in range(20)]
    records[4] = Record("04", never, "x", fault="the path leads out of /photos")
    _, manifest = run(records, tmp_path, max_bad_fraction=0.05)
    assert (manifest.loc["04", "fault"], manifest.loc["04", "sha256"]) == ("the path leads out of /photos", "")


def test_pipes_folders_and_devices_are_named_and_nothing_waits_for_them(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    paths = [tmp_path / name for name in ("pipe.jpg", "folder.jpg", "device.jpg", "none.jpg")]
    records = [record(number) for number in range(20)] + [Record(path.name, path, "x") for path in paths]
    _, manifest = run(records, tmp_path / "out", policy="report")
    assert manifest["fault"].iloc[-4:].tolist() == [
        "cannot be read: it is a pipe, a socket or a device",
        "cannot be read: Is a directory",
        "cannot be read: it is a pipe, a socket or a device",
        "cannot be read: No such file or directory",
    ]


def test_a_file_larger_than_any_image_of_the_allowed_size_is_named_and_never_read(tmp_path, monkeypatch):
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(60_000_000_000)  # without a block on the disk
    real, read = Path.read_bytes, []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or real(path))
    records = [record(number) for number in range(20)] + [Record("huge.png", tmp_path / "huge.png", "x")]
    _, manifest = run(records, tmp_path / "out", policy="report")
    assert "huge.png" not in read
    assert (manifest.loc["huge.png", "fault"], manifest.loc["huge.png", "sha256"]) == (
        "the file has 60,000,000,000 bytes, over the limit of 864,000,000 for an image of 100,000,000 pixels",
        "",
    )
    assert fault_code(manifest.loc["huge.png", "fault"]) == "oversized"


def test_a_file_name_that_is_no_text_is_kept_escaped(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(png(77))
    records = [record(number) for number in range(20)] + [Record("caf\udce9.png", tmp_path / "caf\udce9.png", "x")]
    run(records, tmp_path / "out", max_bad_fraction=0.0)
    assert written(tmp_path / "out")[r"caf\udce9.png"]["image"] == png(77)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "the source holds no images. Check where it reads from"),
        ([record(1), record(2), record(1)], "repeated names: 1, such as '01'"),
    ],
)
def test_a_source_without_images_or_with_two_of_a_name_is_refused(tmp_path, records, message):
    with pytest.raises(DataError, match=message):
        run(records, tmp_path)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"name": "1.png"}], "must yield Records, see kerasvision.data.records; received 'dict'. Correct "),
        ([Record("1.png", np.zeros((4, 4)))], "content of the Record '1.png' must be a Path, or a function .* 'ndarray'"),
    ],
)
def test_a_source_that_gives_no_records_is_refused(tmp_path, records, message):
    with pytest.raises(ConfigError, match=message):
        run(records, tmp_path)


def test_a_source_whose_function_returns_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.read_own", lambda settings: None)
    with pytest.raises(ConfigError, match="a source's function must yield Records; received 'NoneType'"):
        run([], tmp_path)


@pytest.mark.parametrize("second", [list(range(19)), [*range(20), 20], [*range(18), 19, 18]])
def test_a_source_that_lists_other_images_the_second_time_is_refused(tmp_path, second, monkeypatch):
    lists = iter([range(20), second])
    monkeypatch.setattr(f"{__name__}.read_own", lambda settings: map(record, next(lists)))
    with pytest.raises(StageError, match="it now lists other images. Run again"):
        run([], tmp_path)


# --- Policy and quarantine


def with_bad(count, bad):
    """`count` records; the first `bad` ones are empty files."""
    return [record(number) if number >= bad else Record(f"{number:02d}", bytes, "x") for number in range(count)]


@pytest.mark.parametrize(
    ("policy", "bad", "message"),
    [
        ({"policy": "fail"}, 1, r"1 of 40 images cannot be used \(2.5%; the limit is 0.0%\).*set ingest.policy"),
        ({"policy": "quarantine", "max_bad_fraction": 0.05}, 3, "the limit is 5.0%.*or raise ingest.max_bad_fraction"),
        ({"policy": "fail"}, 0, None),
        ({"policy": "quarantine", "max_bad_fraction": 0.05}, 2, None),
        ({"policy": "report"}, 20, None),
    ],
)
def test_policy_decides_how_many_bad_images_are_borne(tmp_path, policy, bad, message):
    if message:
        with pytest.raises(DataError, match=message):
            run(with_bad(40, bad), tmp_path, **policy)
    else:
        _, manifest = run(with_bad(40, bad), tmp_path, **policy)
        assert (manifest["fault"] != "").sum() == bad


def test_what_the_quarantine_file_names_is_left_out_and_does_not_count_as_bad(tmp_path):
    records = with_bad(20, 1)
    _, manifest = run(records, tmp_path / "first", policy="report")
    chosen = manifest.reset_index().loc[[0, 5, 9], ["id", "sha256"]].assign(reason=["empty", "blurred", ""])
    write_quarantine(chosen, tmp_path / "quarantine.csv")
    with (tmp_path / "quarantine.csv").open("a") as file:
        file.write("gone.jpg,,\n")
    done, manifest = run(records, tmp_path / "second", policy="fail", quarantine_file=tmp_path / "quarantine.csv")
    assert manifest.loc[["00", "05", "09"], "fault"].tolist() == [
        "left out by the quarantine file: empty",
        "left out by the quarantine file: blurred",
        "left out by the quarantine file",
    ]
    assert {"00", "05", "09"}.isdisjoint(written(tmp_path / "second"))
    assert done.unmatched == ["gone.jpg"]
    assert done.span.counts["added"] == 17


def test_leaving_an_image_out_moves_no_other(tmp_path):
    records = [record(number, group=f"g{number // 3}") for number in range(30)]
    _, before = run(records, tmp_path / "first")
    (tmp_path / "quarantine.csv").write_text("id\n03\n04\n17\n")
    _, after = run(records, tmp_path / "second", quarantine_file=tmp_path / "quarantine.csv")
    assert after["split"].equals(before["split"])


def test_a_test_copy_that_is_left_out_lets_its_train_copy_in(tmp_path):
    records = [record(number, split="test" if number < 5 else "train") for number in range(20)]
    records.append(Record("copy", partial(png, 0), "x", "train"))
    _, manifest = run(records, tmp_path / "first")
    assert manifest.loc["copy", "fault"] == "leakage: the same bytes are in test"
    (tmp_path / "quarantine.csv").write_text("id,reason\n00,wrong split\n")
    _, manifest = run(records, tmp_path / "second", quarantine_file=tmp_path / "quarantine.csv")
    assert manifest.loc["copy", "fault"] == ""


# --- Groups, shares, spans


def test_images_of_a_group_share_a_split_and_broken_files_tie_no_groups(tmp_path):
    records = [record(number, group=f"g{number % 8}") for number in range(40)]
    records += [Record(f"broken{number}", bytes, "x", group=f"g{number}") for number in range(8)]
    _, manifest = run(records, tmp_path, policy="report")
    assert manifest.groupby("group")["split"].nunique().eq(1).all()
    assert manifest["split"].nunique() > 1


def test_a_stratified_source_grows_and_keeps_both_its_shares_and_its_images(tmp_path):
    splits = c.Splits(stratify=True)
    records = [record(number, label="ab"[number % 2]) for number in range(40)]
    _, before = run(records, tmp_path / "first", splits=splits)
    assert before.groupby(["label", "split"]).size().to_dict() == {
        (label, split): count for label in "ab" for split, count in (("train", 12), ("validation", 4), ("test", 4))
    }
    records = [record(number, label="ab"[number % 2]) for number in range(60, 90)] + records
    done, after = run(records, tmp_path / "second", splits=splits, previous=previous(tmp_path / "first"))
    assert after.loc[before.index, "split"].equals(before["split"])
    assert after.groupby("split").size().to_dict() == {"train": 42, "validation": 14, "test": 14}
    assert done.span.counts == {"added": 30, "removed": 0, "changed": 0, "relabelled": 0, "unchanged": 40}


def test_a_span_says_what_was_added_to_the_source(tmp_path):
    first, _ = run([record(number) for number in range(20)], tmp_path / "first")
    assert (first.span.number, first.span.counts["added"]) == (1, 20)
    second, _ = run([record(number) for number in range(2, 23)], tmp_path / "second", previous=previous(tmp_path / "first"))
    assert second.span.number == 2
    assert second.span.ids == {"added": ["20", "21", "22"], "removed": ["00", "01"], "changed": [], "relabelled": []}


def test_a_window_leaves_older_training_images_out_and_still_knows_them(tmp_path):
    records = [record(number) for number in range(20)]
    _, first = run(records, tmp_path / "first")
    records += [record(number) for number in range(20, 40)]
    done, second = run(records, tmp_path / "second", previous=previous(tmp_path / "first"), last_spans=1)
    older = second[(second["split"] == "train") & (second["span"] == 1)]
    assert len(older) == (first["split"] == "train").sum() > 0
    assert set(older["fault"]) == {"left out by ingest.last_spans=1: added in span 1"}
    assert {fault_code(fault) for fault in older["fault"]} == {"left_out"}
    assert set(written(tmp_path / "second")) == set(second.index) - set(older.index)
    # The whole source, and the same window again: nothing is new, and the spans are the same.
    everything, third = run(records, tmp_path / "third", previous=previous(tmp_path / "second"))
    assert everything.span == done.span
    assert (third["fault"] == "").all()
    assert third["span"].equals(second["span"])
    _, again = run(records, tmp_path / "again", previous=previous(tmp_path / "third"), last_spans=1)
    assert again.equals(second)


def test_a_window_does_not_slide_over_a_span_that_only_relabels_or_removes(tmp_path):
    records = [record(number) for number in range(20)]
    run(records, tmp_path / "first")
    relabelled = [record(0, "y"), *records[1:]]
    done, table = run(relabelled, tmp_path / "second", previous=previous(tmp_path / "first"), last_spans=1)
    assert (done.span.number, done.span.counts["relabelled"]) == (2, 1)
    assert (table["fault"] == "").all()
    done, table = run(relabelled[:-1], tmp_path / "third", previous=previous(tmp_path / "second"), last_spans=1)
    assert (done.span.number, done.span.counts["removed"]) == (3, 1)
    assert (table["fault"] == "").all()


def test_examples_from_before_there_were_spans_count_as_none(tmp_path):
    records = [record(number) for number in range(20)]
    run(records, tmp_path / "first")
    (tmp_path / "first" / "span.json").unlink()
    second, _ = run(records, tmp_path / "second", splits=c.Splits(stratify=True), previous=previous(tmp_path / "first"))
    assert (second.span.number, second.span.counts["added"]) == (1, 20)


# --- Memory


def test_images_do_not_stay_in_memory(tmp_path):
    def noise(number):
        return encode_png(np.random.default_rng(number).integers(0, 256, (100, 100, 3), dtype=np.uint8))

    records = [Record(f"{number:03d}", partial(noise, number), "x") for number in range(200)]  # 30 KB each
    tracemalloc.start()
    run(records, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_numbers_of_classes_in_the_sources_own_files_are_kept(tmp_path):
    """The least, if a class has several; those of an image that cannot be used do not count."""
    box = (0.0, 0.0, 5.0, 5.0)

    def objects(*numbers):
        return tuple(Object(box, label, category_id=number) for label, number in numbers)

    records = [
        record(1, split="train", objects=objects(("cat", 17), ("dog", 18))),
        record(2, split="train", objects=objects(("cat", 90), ("bird", None))),
        record(3, split="test", fault="broken", objects=objects(("cat", 1))),
        record(4, split="test", objects=objects(("dog", 18))),
    ]
    run(records, tmp_path, policy="report")
    assert ExampleSet(tmp_path / "data").category_ids == {"cat": 17, "dog": 18}


def test_classes_without_numbers_have_none(tmp_path):
    run([record(1, split="train"), record(2, split="test")], tmp_path)
    assert ExampleSet(tmp_path / "data").category_ids == {}
