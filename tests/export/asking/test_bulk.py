"""For three images or a hundred thousand, the file has a row for each, even after runs that were killed."""

import csv
import io
import json
import shutil
import signal
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kerasvision.config.inference import Listed, Predict, asked_for
from kerasvision.config.runners import LOCAL
from kerasvision.data.mapping.chunks import ChunkedMapper, run_chunk
from kerasvision.errors import ConfigError, DataError, ExportError
from kerasvision.export.asking import bulk
from kerasvision.export.asking.bulk import predict_to_file
from kerasvision.export.asking.columns import Columns
from kerasvision.export.asking.predict import ImagePredictor

TOP = {"top_classes": ("string", (2,)), "top_scores": ("float32", (2,))}


@pytest.fixture(scope="module")
def model(brightness, tmp_path_factory):
    return brightness.saved(tmp_path_factory.mktemp("saved") / "1")


def png(value):
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path):
    """Ten images in two folders, and three bad files: a truncated image, a text, a GIF that the model cannot read."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(10):
        (folder / ("more" if number > 6 else "") / f"{number}.png").write_bytes(png(25 * number))
    (folder / "3a.png").write_bytes(png(0)[:-30])
    (folder / "5a.txt").write_text("hello")
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4)).save(buffer, "GIF")
    (folder / "6a.gif").write_bytes(buffer.getvalue())
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of three images."""
    monkeypatch.setattr(bulk, "PART_ROWS", 3)


def listed(folder):
    return Predict(path=folder).listed


def test_every_file_gets_a_row_with_answer_or_fault(model, photos, tmp_path):
    summary = predict_to_file(model, listed(photos), out=tmp_path / "answers.parquet")
    table = pd.read_parquet(tmp_path / "answers.parquet").set_index("path")
    assert list(table.index) == [
        "0.png",
        "1.png",
        "2.png",
        "3.png",
        "3a.png",
        "4.png",
        "5.png",
        "5a.txt",
        "6.png",
        "6a.gif",
        "more/7.png",
        "more/8.png",
        "more/9.png",
    ]
    assert table["fault"][table["fault"] != ""].to_dict() == {
        "3a.png": "truncated or corrupt PNG",
        "5a.txt": "not an image in a known format",
        "6a.gif": "the saved model cannot decode it",
    }
    assert (summary.images, summary.faults) == (13, 3)
    assert dict(summary.named) == table["fault"][table["fault"] != ""].to_dict()
    # 25 of 255 is 0.098, so the darkness is 0.902.
    row = table.loc["1.png"]
    assert (row["label"], row["label_2"]) == ('dunkel, "schwarz"', "hell")
    assert row["score"] == pytest.approx(1 - 25 / 255) and row["score_2"] == pytest.approx(25 / 255)
    assert list(row["captions"]) == ['dunkel, "schwarz"', "ganz hell"]
    assert row["scores"] == pytest.approx([1 - 25 / 255, 25 / 255])
    # An output whose name could be confused with one of our columns.
    assert row["output_label_count"] == 2
    assert table.loc["5a.txt"].drop("fault").isna().all()
    assert not (tmp_path / "answers.parquet.parts").exists()


def test_answers_beside_the_images_are_none_of_them(model, photos):
    out = photos / "answers.csv"
    summaries = [predict_to_file(model, listed(photos), out=out) for _ in range(2)]
    assert [(summary.images, summary.faults) for summary in summaries] == [(13, 3)] * 2


def test_csv_says_the_same_as_parquet(model, photos, tmp_path):
    for name in ("answers.parquet", "answers.csv"):
        predict_to_file(model, listed(photos), out=tmp_path / name)
    expected = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [row["path"] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row["fault"] == wanted["fault"]
        assert row["label"] == (wanted["label"] or "")
        if not wanted["fault"]:
            assert json.loads(row["captions"]) == wanted["captions"]
            assert np.float32(json.loads(row["scores"])).tolist() == wanted["scores"]
            assert np.float32(row["score"]).item() == wanted["score"]


class Backwards(ChunkedMapper):
    """Another runner, whose workers do the last part first and one part twice."""

    def run_chunks(self, folder, count):
        for number in [*reversed(range(count)), 0]:
            run_chunk(folder, number)


def test_another_runner_writes_the_same_bytes_and_asks_for_missing_parts_only(model, photos, tmp_path, small_parts):
    predict_to_file(model, listed(photos), out=tmp_path / "here.parquet")
    out, mapper = tmp_path / "there.parquet", Backwards(LOCAL, tmp_path / "scratch")
    with pytest.MonkeyPatch.context() as patch:
        dies_at(patch, 7)
        with pytest.raises(Killed):
            predict_to_file(model, listed(photos), out=out)
    begun = sorted((tmp_path / "there.parquet.parts").glob("*.parquet"))
    asked = []
    mapper.run_chunks = lambda folder, count: (asked.append(count), Backwards.run_chunks(mapper, folder, count))
    summary = predict_to_file(model, listed(photos), out=out, mapper=mapper)
    assert (summary.went_on_from, asked) == (3 * len(begun), [5 - len(begun)])
    assert 0 < len(begun) < 5
    assert out.read_bytes() == (tmp_path / "here.parquet").read_bytes()


class Killed(BaseException):
    """Ends a run as a kill does: none of our code catches it."""


def dies_at(monkeypatch, step):
    """Kills the run at a write: before it if `step` is even, after it if odd."""
    whole, steps = bulk.write_whole, count()

    def write(file, content, **options):
        if next(steps) == step:
            raise Killed
        whole(file, content, **options)
        if next(steps) == step:
            raise Killed

    monkeypatch.setattr(bulk, "write_whole", write)


def test_killed_anywhere_the_next_run_ends_with_the_same_bytes(model, photos, tmp_path, monkeypatch, small_parts):
    loaded = ImagePredictor(model)
    monkeypatch.setattr(bulk, "ImagePredictor", lambda _: loaded)
    expected = tmp_path / "expected.parquet"
    predict_to_file(model, listed(photos), out=expected)
    out, died = tmp_path / "answers.parquet", 0
    for step in count():
        out.unlink(missing_ok=True)
        with monkeypatch.context() as patched:
            dies_at(patched, step)
            try:
                predict_to_file(model, listed(photos), out=out)
                break
            except Killed:
                died += 1
        # The file exists only after the join, and then it is complete.
        assert not out.exists() or out.read_bytes() == expected.read_bytes()
        summary = predict_to_file(model, listed(photos), out=out)
        # Two writes at the start; after that, each complete part is not answered again.
        assert summary.went_on_from == min(13, 3 * max(0, (step + 1) // 2 - 1))
        assert out.read_bytes() == expected.read_bytes()
        assert not Path(f"{out}.parts").exists()
    assert died == 2 * (1 + 5 + 1)


def test_kill_9_in_the_middle_loses_one_part_at_most(model, photos, tmp_path, small_parts, warm):
    out = tmp_path / "answers.parquet"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from kerasvision.export.asking import bulk\n"
        "bulk.PART_ROWS = 3\n"
        "whole, written = bulk.write_whole, []\n"
        "def write(file, content, **options):\n"
        "    whole(file, content, **options)\n"
        "    written.append(file)\n"
        "    if len(written) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "bulk.write_whole = write\n"
        "bulk.predict_to_file(Path(sys.argv[1]), bulk_images, out=Path(sys.argv[3]))\n"
    ).replace("bulk_images", "__import__('kerasvision.config.inference').config.inference.Predict(path=sys.argv[2]).listed")
    done = warm.run(code, model, photos, out)
    assert done.returncode == -signal.SIGKILL, done.stderr
    summary = predict_to_file(model, listed(photos), out=out)
    assert summary.went_on_from == 9
    predict_to_file(model, listed(photos), out=tmp_path / "expected.parquet")
    assert out.read_bytes() == (tmp_path / "expected.parquet").read_bytes()


@pytest.mark.parametrize("change", ["model", "file", "batch_size"])
def test_what_changed_since_is_begun_anew_and_told(
    change, model, brightness, photos, tmp_path, monkeypatch, capsys, small_parts
):
    out, asked = tmp_path / "answers.parquet", {"batch_size": 2}
    chosen = shutil.copytree(model, tmp_path / "model" / "1")
    with monkeypatch.context() as patched:
        dies_at(patched, 6)
        with pytest.raises(Killed):
            predict_to_file(chosen.parent, listed(photos), out=out, **asked)
    if change == "model":
        brightness.saved(chosen.parent / "2", strength=0.5)
    elif change == "file":
        (photos / "0.png").write_bytes(png(200))
    else:
        asked = {"batch_size": 3}
    summary = predict_to_file(chosen.parent, listed(photos), out=out, **asked)
    assert summary.went_on_from == 0
    named = {"model": "model", "file": "files", "batch_size": "batch_size"}[change]
    assert f"since the last, unfinished run, this changed: {named}" in capsys.readouterr().err
    predict_to_file(chosen.parent, listed(photos), out=tmp_path / "expected.parquet", **asked)
    assert out.read_bytes() == (tmp_path / "expected.parquet").read_bytes()


def test_a_part_that_was_damaged_is_answered_again(model, photos, tmp_path, monkeypatch, small_parts):
    out = tmp_path / "answers.parquet"
    with monkeypatch.context() as patched:
        dies_at(patched, 8)
        with pytest.raises(Killed):
            predict_to_file(model, listed(photos), out=out)
    first = Path(f"{out}.parts") / "000000.parquet"
    first.write_bytes(first.read_bytes()[:-9])
    assert predict_to_file(model, listed(photos), out=out).went_on_from == 6
    assert pq.read_metadata(out).num_rows == 13


def test_images_are_listed_as_they_are_needed(model, photos):
    """So 100,000 images take the memory of a few."""
    pulled = 0

    def images():
        nonlocal pulled
        for pulled in range(1, 1001):
            yield Listed(str(pulled), photos / "0.png")

    for answered, _ in enumerate(ImagePredictor(model).rows(images(), batch_size=8)):
        assert pulled - answered <= 8 + 2 * 8


def test_a_batch_of_large_images_ends_early(model, photos, monkeypatch):
    asked = []
    served = ImagePredictor(model)
    ask = served._ask
    monkeypatch.setattr(served, "_ask", lambda images: asked.append(len(images)) or ask(images))
    monkeypatch.setattr("kerasvision.export.asking.predict.MOST_BATCH_PIXELS", 3 * 5 * 4)
    images = [Listed(str(number), photos / "0.png") for number in range(7)]
    assert len(list(served.rows(images, batch_size=5))) == 7
    assert asked == [3, 3, 1]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("pipe", "not a regular file"),
        ("missing.png", "cannot be read: No such file or directory"),
        ("large.png", "the file has 60,000,000,000 bytes, over the limit of 864,000,000 for an image of 100,000,000 pixels"),
        ("bomb.png", "the header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 100,000,000"),
        ("a\0b", "cannot be read: the path is not valid text"),
    ],
)
def test_what_must_not_be_read_is_told(name, fault, model, tmp_path, make_images):
    import os

    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    elif name == "large.png":
        with path.open("wb") as file:
            file.truncate(60_000_000_000)
    elif name == "bomb.png":
        path.write_bytes(make_images.giant_header_png())
    (row,) = ImagePredictor(model).rows([Listed(name, path)])
    assert (row.outputs, row.fault) == (None, fault)


def test_a_name_that_is_no_text_gets_a_row(model, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "caf\udce9.png").write_bytes(png(0))
    predict_to_file(model, listed(folder), out=tmp_path / "answers.parquet")
    (row,) = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    assert (row["path"], row["fault"]) == (r"caf\udce9.png", "")


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.parquet", "list.jsonl"])
def test_a_table_gives_a_row_for_each_of_its_rows(name, model, photos, tmp_path):
    cells = ["photos/9.png", "./photos//1.png", "../secret.png", "photos/1.png", str(photos / "2.png"), ""]
    (photos / "9.png").write_bytes(png(225))
    table, file = pd.DataFrame({"id": range(6), "image": cells}), tmp_path / name
    if name.endswith("parquet"):
        table.to_parquet(file)
    elif name.endswith("jsonl"):
        table.to_json(file, orient="records", lines=True)
    else:
        table.to_csv(file, sep="\t" if name.endswith("tsv") else ",", index=False)
    predict_to_file(model, lambda: asked_for([file]), out=tmp_path / "answers.parquet")
    answers = pd.read_parquet(tmp_path / "answers.parquet")
    assert answers["path"].tolist() == cells
    assert answers["fault"].tolist() == ["", "", f"the path leads out of {tmp_path}", "", "", "the path is empty"]
    assert answers["label"].tolist()[:2] == ["hell", 'dunkel, "schwarz"']


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("id,name\n1,a.png\n", ConfigError, "must have a column path, image or file. Say which column contains the paths"),
        ("path\n", DataError, "has no files to predict"),
        ("path\na.png,b.png\n", DataError, "line 2, has 2 values"),
        ("", DataError, "is empty"),
    ],
)
def test_a_table_that_is_none_is_told(content, kind, message, model, tmp_path):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(kind, match=message):
        predict_to_file(model, lambda: asked_for([tmp_path / "list.csv"]), out=tmp_path / "answers.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv"]


@pytest.mark.parametrize("line", ["[1]", "{", '{"name": "a.png"}'])
def test_a_line_that_is_no_object_with_a_path_is_told_by_its_number(line, model, tmp_path):
    (tmp_path / "list.jsonl").write_text('{"path": "a.png"}\n\n' + line)
    with pytest.raises(DataError, match="line 3, "):
        list(Predict(path=tmp_path / "list.jsonl").listed())


def test_an_empty_folder_is_told_and_leaves_nothing(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no files to predict"):
        predict_to_file(model, listed(tmp_path / "empty"), out=tmp_path / "answers.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_where_no_file_can_be_used_it_is_an_error_and_the_reasons_are_written(model, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DataError, match=r"none of 1 files can be used, such as .*a\.txt: not an image in a known format"):
        predict_to_file(model, lambda: asked_for([tmp_path / "a.txt"]), out=tmp_path / "answers.csv")
    assert "not an image in a known format" in (tmp_path / "answers.csv").read_text()


def test_two_at_once_do_not_write_one_file(model, photos, tmp_path):
    out = tmp_path / "answers.parquet"

    def images():
        with pytest.raises(ConfigError, match=r"another process is writing .*answers\.parquet"):
            predict_to_file(model, listed(photos), out=out)
        yield from listed(photos)()

    predict_to_file(model, images, out=out)
    assert pq.read_metadata(out).num_rows == 13


def test_where_nothing_can_be_written_it_is_told(model, photos, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="answers.csv cannot be written: Not a directory"):
        predict_to_file(model, listed(photos), out=tmp_path / "file" / "answers.csv")


@pytest.mark.parametrize("out", ["answers.txt", "answers"])
def test_a_file_that_is_no_table_is_told_before_the_model_is_loaded(out, tmp_path):
    with pytest.raises(ConfigError, match="ends in .parquet or .csv"):
        predict_to_file(tmp_path / "no model", list, out=tmp_path / out)


def test_fewer_of_the_best_labels_on_request_and_never_more_than_there_are():
    assert Columns.of(TOP, top=1).schema.names == ["path", "label", "score", "fault"]
    with pytest.raises(ConfigError, match="gives 2 labels for an image; received top=3"):
        Columns.of(TOP, top=3)
    with pytest.raises(ConfigError, match="gives no list of the best labels; .* Leave top out"):
        Columns.of({"captions": ("string", (3,))}, top=1)


def test_every_other_output_is_a_column_of_its_type():
    schema = Columns.of({"captions": ("string", (None,)), "boxes": ("float32", (9, 4)), "count": ("int64", ())}).schema
    assert schema.field("captions").type == pa.list_(pa.string())
    assert schema.field("boxes").type == pa.list_(pa.list_(pa.float32()))
    assert schema.field("count").type == pa.int64()
    with pytest.raises(ExportError, match="a table cannot contain output 'phase' of type complex64"):
        Columns.of({"phase": ("complex64", ())})


def test_a_folder_is_listed_by_name_and_without_what_is_hidden(photos):
    (photos / ".git").mkdir()
    (photos / ".git" / "0.png").write_bytes(b"")
    (photos / "loop").symlink_to(photos)
    names = [image.name for image in Predict(path=photos, recursive=False).listed()]
    assert names == ["0.png", "1.png", "2.png", "3.png", "3a.png", "4.png", "5.png", "5a.txt", "6.png", "6a.gif"]
    looped = {image.name: image.fault for image in Predict(path=photos).listed()}["loop"]
    assert looped == "cannot be read: the link leads back to a folder above it"
    assert [image.name for image in asked_for([photos])][-1] == str(photos / "more" / "9.png")


def test_the_content_of_the_images_is_in_the_fingerprint_and_their_place_is_not(photos, tmp_path):
    moved = shutil.copytree(photos, tmp_path / "moved")
    here, there = Predict(path=photos), Predict(path=moved)
    assert here.identity() == there.identity()
    assert [name for name, _ in here.files()] == [name for name, _ in there.files()]
    assert ("images/more/9.png", photos / "more" / "9.png") in list(here.files())
