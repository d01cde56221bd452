"""A table of images is read as intended; faults of the table or of one row are reported before any image is read."""

import json
import os
import time
import tracemalloc

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from kerasvision.config.table_files import read_parquet
from kerasvision.config.table_source import Table
from kerasvision.data.sources.table import read_table
from kerasvision.errors import ConfigError, DataError


def make(folder, text, *names, **fields):
    """A table.csv with that text, next to image files of those names; the content of each file is its name."""
    (folder / "table.csv").write_text(text, encoding="utf-8")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return Table(path=folder / "table.csv", **fields)


def read(source):
    return list(read_table(source))


def labels(source):
    return {record.name: record.label for record in read(source)}


def faults(source):
    return {record.name: record.fault for record in read(source)}


# --- what a table says


def test_a_plain_table_needs_no_settings(tmp_path):
    source = make(tmp_path, "image,label\ncats/1.jpg,cat\ndogs/1.jpg,dog\n", "cats/1.jpg", "dogs/1.jpg")
    cat, dog = read(source)
    assert (cat.name, cat.label, cat.split, cat.group, cat.captions, cat.fault) == ("cats/1.jpg", "cat", None, "", (), "")
    assert (dog.name, dog.label) == ("dogs/1.jpg", "dog")
    assert dog.load() == b"dogs/1.jpg"


def test_every_column_has_its_place(tmp_path):
    text = "file,kind,part,person,de,en\n1.jpg,cat,Val,anna,Katze,a cat\n2.jpg,dog,,,Hund,\n"
    source = make(
        tmp_path, text, "1.jpg", "2.jpg", image="file", label="kind", split="part", group="person", captions=("en", "de")
    )
    one, two = read(source)
    assert (one.label, one.split, one.group, one.captions) == ("cat", "validation", "anna", ("a cat", "Katze"))
    assert (two.label, two.split, two.group, two.captions) == ("dog", None, "", ("", "Hund"))


def test_the_captions_of_an_image_on_several_rows_are_gathered_in_order(tmp_path):
    text = 'image,caption\n1.jpg,a dog\n2.jpg,a cat\n./1.jpg,"a dog, running"\n1.jpg,"a ""good"" dog"\n'
    source = make(tmp_path, text, "1.jpg", "2.jpg", label=None, captions=("caption",))
    assert [(record.name, record.captions, record.fault) for record in read(source)] == [
        ("1.jpg", ("a dog", "a dog, running", 'a "good" dog'), ""),
        ("2.jpg", ("a cat",), ""),
    ]


@pytest.mark.parametrize(
    ("rows", "fields", "fault"),
    [
        ("1.jpg,cat,train\n1.jpg,dog,train\n", {}, "its rows give it two labels: 'cat' and 'dog'"),
        ("1.jpg,cat,train\n1.jpg,cat,test\n", {"split": "part"}, "its rows give it two splits: 'train' and 'test'"),
        ("1.jpg,cat,anna\n1.jpg,cat,\n", {"group": "part"}, "its rows give it two groups: 'anna' and 'none'"),
    ],
)
def test_rows_that_disagree_about_an_image_are_its_fault_alone(rows, fields, fault, tmp_path):
    source = make(tmp_path, f"image,label,part\n{rows}2.jpg,cat,train\n", "1.jpg", "2.jpg", **fields)
    assert faults(source) == {"1.jpg": fault, "2.jpg": ""}


def test_labels_stay_as_they_are_written(tmp_path):
    text = "image,label\n1.jpg,1\n2.jpg,01\n3.jpg,NA\n4.jpg, größe \n5.jpg,1.50\n"
    source = make(tmp_path, text, *(f"{n}.jpg" for n in range(1, 6)))
    assert list(labels(source).values()) == ["1", "01", "NA", "größe", "1.50"]


def test_tabs_semicolons_and_marks_of_byte_order_are_understood(tmp_path):
    (tmp_path / "1.jpg").touch()
    (tmp_path / "a.tsv").write_text("image\tlabel\n1.jpg\ta, b\n", encoding="utf-8-sig")
    (tmp_path / "a.txt").write_text("image; label \r\n1.jpg; cat\r\n\r\n", encoding="utf-8")
    assert labels(Table(path=tmp_path / "a.tsv")) == {"1.jpg": "a, b"}
    assert labels(Table(path=tmp_path / "a.txt", separator=";")) == {"1.jpg": "cat"}


def test_paths_start_from_the_root_where_one_is_given(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"here")
    source = make(tmp_path, "image,label\n1.jpg,cat\n", root=tmp_path / "photos")
    assert read(source)[0].load() == b"here"
    assert sorted(source.files()) == [("1.jpg", tmp_path / "photos" / "1.jpg"), ("table.csv", tmp_path / "table.csv")]


# --- Parquet


def make_parquet(folder, *, metadata=None, **columns):
    table = pyarrow.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    parquet.write_table(table, folder / "table.parquet", row_group_size=3)
    return folder / "table.parquet"


def test_parquet_with_paths_and_a_list_of_captions(tmp_path):
    (tmp_path / "1.jpg").touch()
    # In a column with gaps, pandas reads whole numbers as floats.
    path = make_parquet(tmp_path, image=["1.jpg", "2.jpg"], label=[1.0, None], caption=[["a", "b"], []])
    one, two = read(Table(path=path, captions=("caption",)))
    assert (one.label, one.captions, one.fault) == ("1", ("a", "b"), "")
    assert (two.label, two.captions, two.fault) == ("", (), "there is no such file")


@pytest.mark.parametrize("plain", [True, False])
def test_images_in_the_table_are_read_on_demand_in_any_order(plain, tmp_path):
    data = [bytes([number]) * 4 for number in range(250)]
    images = data if plain else [{"bytes": item, "path": None} for item in data]
    path = make_parquet(tmp_path, image=images, label=[str(number) for number in range(250)])
    records = read(Table(path=path))
    assert [record.name for record in records[:2]] == ["000000", "000001"]
    order = [*range(250), 0, 249, 120, 119, 7]
    assert [records[number].load() for number in order] == [data[number] for number in order]
    assert list(Table(path=path).files()) == [("table.parquet", path)]


def test_images_of_one_large_row_group_are_not_all_in_memory(tmp_path):
    image = os.urandom(100_000)
    table = pyarrow.table({"image": [image] * 600})
    parquet.write_table(table, tmp_path / "table.parquet", use_dictionary=False, write_batch_size=16)
    records = read(Table(path=tmp_path / "table.parquet", label=None))
    pool = pyarrow.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for record in records:
        assert record.load() == image
        most = max(most, pool.bytes_allocated() - before)
    assert most < 30_000_000  # of 60,000,000 bytes


def test_hugging_face_class_names_are_used(tmp_path):
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    images = [{"bytes": b"x", "path": "1.jpg"}] * 3
    path = make_parquet(tmp_path, metadata=names, image=images, label=[1, 0, -1])
    assert [(record.label, record.fault) for record in read(Table(path=path))] == [
        ("dog", ""),
        ("cat", ""),
        ("", "no label"),
    ]


def test_a_row_without_bytes_cannot_be_read_and_says_so(tmp_path):
    path = make_parquet(tmp_path, image=[b"x", None])
    records = read(Table(path=path, label=None))
    assert records[0].load() == b"x"
    with pytest.raises(OSError, match="the row has no bytes"):
        records[1].load()


def test_a_column_of_numbers_holds_no_images(tmp_path):
    with pytest.raises(ConfigError, match="column 'image' of .* must contain paths or encoded images; received 'int64'"):
        read(Table(path=make_parquet(tmp_path, image=[1, 2], label=["a", "b"])))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"image,label\n1.jpg,cat\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_told(data, tmp_path):
    (tmp_path / "table.parquet").write_bytes(data)
    for reading in (read, lambda source: list(source.files())):
        with pytest.raises(DataError, match="table.parquet is not a Parquet file"):
            reading(Table(path=tmp_path / "table.parquet"))


def test_parquet_that_was_damaged_in_the_middle_is_told(tmp_path):
    path = make_parquet(tmp_path, image=[f"{number}.jpg" for number in range(500)], label=["x"] * 500)
    data = bytearray(path.read_bytes())
    data[8:2000] = b"\xff" * 1992
    path.write_bytes(data)
    with pytest.raises(DataError, match="table.parquet cannot be read after row 0"):
        read(Table(path=path))


def damaged_images(path):
    """A table of 900 images in three row groups; the second group is damaged."""
    random = np.random.default_rng(0)
    images = [random.bytes(50) for _ in range(900)]
    parquet.write_table(pyarrow.table({"image": images}), path, row_group_size=300, use_dictionary=False)
    at = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[at : at + 400] = b"\xff" * 400
    path.write_bytes(data)
    return images


def test_images_behind_a_damaged_place_are_told_and_those_of_other_row_groups_are_read(tmp_path):
    images = damaged_images(tmp_path / "table.parquet")
    records = read(Table(path=tmp_path / "table.parquet", label=None))
    for _ in range(2):
        for number in (0, 299, 600, 899):
            assert records[number].load() == images[number]
        for number in (300, 599, 301):
            with pytest.raises(OSError, match="the table is damaged after row 300: "):
                records[number].load()


# --- small files that expand to large data


def repeated(value, count):
    """`count` times one value, kept once."""
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * count, pyarrow.int32()), pyarrow.array([value]))


def packed_table(path, **options):
    def write(**columns):
        parquet.write_table(pyarrow.table(columns), path, compression="zstd", dictionary_pagesize_limit=1 << 30, **options)
        assert path.stat().st_size < 10_000
        return path

    return write


@pytest.mark.parametrize("column", ["label", "caption", "list"])
def test_a_long_text_that_a_dictionary_repeats_is_refused_before_it_is_unpacked(column, tmp_path):
    texts = repeated("x" * 3_000_000, 1000)
    said = pyarrow.ListArray.from_arrays(pyarrow.array(range(1001), pyarrow.int32()), texts) if column == "list" else texts
    label = texts if column == "label" else ["a"] * 1000
    path = packed_table(tmp_path / "table.parquet")(image=["1.jpg"] * 1000, label=label, caption=said)
    pool = pyarrow.default_memory_pool()
    before = pool.bytes_allocated()
    with pytest.raises(
        DataError,
        match=r"column '(label|caption)(.list.element)?' of .* must have values of at most "
        r"1,000,000 bytes; one has 3,000,000",
    ):
        read(Table(path=path, captions=() if column == "label" else ("caption",)))
    assert pool.bytes_allocated() - before < 10_000_000


def test_a_long_text_that_is_spelt_by_the_one_before_is_refused_with_its_row(tmp_path):
    write = packed_table(tmp_path / "table.parquet", use_dictionary=False, column_encoding={"label": "DELTA_BYTE_ARRAY"})
    path = write(label=["x" * 2_000_000] * 50)
    pool = pyarrow.default_memory_pool()
    before = pool.bytes_allocated()
    with pytest.raises(DataError, match=r"table.parquet, row 0 has 2,000,000 bytes in a text column"):
        list(read_parquet(path, columns=["label"]))
    assert pool.bytes_allocated() - before < 20_000_000


def test_a_column_that_unpacks_a_thousandfold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasvision.config.parquet_batches.SUSPECT_BYTES", 1_000_000)
    path = packed_table(tmp_path / "table.parquet", use_dictionary=False)(image=[b"\0" * 900_000] * 30)
    with pytest.raises(
        OSError,
        match=r"column 'image' of .* must not decompress to more than 1,000 times its size; [0-9,]+ "
        r"bytes decompress to 27,",
    ):
        read(Table(path=path, label=None))[0].load()


@pytest.mark.parametrize("plain", [True, False])
def test_one_image_on_a_thousand_rows_takes_the_memory_of_a_few(plain, tmp_path):
    image = repeated(b"x" * 3_000_000, 1000)
    paths = pyarrow.nulls(1000, pyarrow.string())
    column = image if plain else pyarrow.StructArray.from_arrays([image, paths], ["bytes", "path"])
    records = read(Table(path=packed_table(tmp_path / "table.parquet")(image=column), label=None))
    pool = pyarrow.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for record in records[::50]:
        assert len(record.load()) == 3_000_000
        most = max(most, pool.bytes_allocated() - before)
    assert most < 150_000_000  # of 3,000,000,000 bytes


# --- paths that must not be followed


@pytest.fixture
def hostile(tmp_path):
    """A folder `data` with a table, and a secret file next to the folder."""
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "data" / "good.jpg").write_bytes(b"good")
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    (tmp_path / "data" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "data" / "near.jpg").symlink_to("good.jpg")
    (tmp_path / "data" / "broken.jpg").symlink_to("gone.jpg")
    (tmp_path / "data" / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "data" / "pipe.jpg")
    return tmp_path / "data"


PATHS = {
    "../secret.jpg": "the path leads out of {root}",
    "in/../../secret.jpg": "the path leads out of {root}",
    "/etc/hostname": "the path leads out of {root}",
    "out/secret.jpg": "the path leads out of {root}",
    "link.jpg": "the path leads out of {root}",
    "..": "the path leads out of {root}",
    "in/../good.jpg": "",
    "near.jpg": "",
    "good.jpg": "",
    "gone.jpg": "there is no such file",
    "broken.jpg": "there is no such file",
    "good.jpg/1.jpg": "there is no such file",
    "loop.jpg": "cannot be read: Too many levels of symbolic links",
    "x" * 300 + ".jpg": "cannot be read: File name too long",
    "a\0b.jpg": "the path contains a NUL character",
    "in": "not a regular file",
    "pipe.jpg": "not a regular file",
    "https://example.org/1.jpg": "the path is a network address: download the image first",
    "": "the path is empty",
    " ": "the path is empty",
}


def test_a_path_that_leads_out_or_nowhere_is_a_fault_of_its_image(hostile):
    text = "image,label\n" + "".join(f'"{path}",cat\n' for path in PATHS if not path.isspace())
    told = [record.fault for record in read(make(hostile, text))]
    # Two images are there in two spellings.
    again = ("in/../../secret.jpg", "good.jpg", " ")
    assert told == [fault.format(root=hostile) for path, fault in PATHS.items() if path not in again]


@pytest.mark.parametrize(("path", "fault"), PATHS.items(), ids=range(len(PATHS)))
def test_parquet_paths_are_held_to_the_same(path, fault, hostile):
    source = Table(path=make_parquet(hostile, image=[path]), label=None)
    assert [record.fault for record in read(source)] == [fault.format(root=hostile)]


def test_whole_paths_below_the_folder_and_backslashes_are_read_like_others(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    written = [
        f"{tmp_path}/img/0.jpg",
        f"{tmp_path}/link/img/1.jpg",
        "img\\2.jpg",
        ".\\img\\3.jpg",
        "img/a\\b.jpg",
        f"{tmp_path}/x/../img/4.jpg",
    ]
    names = ["img/0.jpg", "img/1.jpg", "img/2.jpg", "img/3.jpg", "img/a\\b.jpg", "img/4.jpg"]
    source = make(tmp_path, "image,label\n" + "".join(f"{path},cat\n" for path in written), *names)
    assert faults(source) == dict.fromkeys(names, "")
    assert [record.load().decode() for record in read(source)] == names
    assert [name for name, _ in source.files()] == ["table.csv", *names]


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("..\\secret.jpg", "the path leads out of {root}"),
        ("near\\..\\..\\secret.jpg", "the path leads out of {root}"),
        ("{root}/../secret.jpg", "the path leads out of {root}"),
        ("{root}x/secret.jpg", "the path leads out of {root}"),
        ("/etc/hostname", "the path leads out of {root}"),
        ("{root}", "not a regular file"),
        (
            "C:\\photos\\1.jpg",
            "there is no such file (a drive letter belongs to a Windows machine: write the path below the folder)",
        ),
    ],
)
def test_whole_paths_and_backslashes_lead_no_further_than_others(path, fault, hostile):
    path = path.format(root=hostile)
    (record,) = read(make(hostile, f"image,label\n{path},cat\n"))
    assert record.fault == fault.format(root=hostile)


def test_only_files_inside_the_folder_count_for_the_fingerprint(hostile):
    text = "image,label\n" + "".join(f'"{path}",cat\n' for path in PATHS)
    files = list(make(hostile, text).files())
    assert [name for name, _ in files] == ["table.csv", "good.jpg", "near.jpg"]
    assert all(path.is_file() for _, path in files)


def test_half_a_character_in_a_path_or_caption_does_no_harm(tmp_path):
    # A Python string can contain this text, but a file name cannot.
    from kerasvision.config.image_files import ImageFiles
    from kerasvision.data.sources.text import replace_surrogates

    assert ImageFiles(tmp_path).fault("a\udcff.jpg") in ("there is no such file", "the path is not valid text")
    assert ImageFiles(tmp_path).fault("a\ud83d.jpg") == "the path is not valid text"
    assert replace_surrogates("a\ud83d") == "a\ufffd"


def test_a_missing_label_is_a_fault_of_its_image(tmp_path):
    source = make(tmp_path, 'image,label\n1.jpg,cat\n2.jpg,\n3.jpg,"  "\n', "1.jpg", "2.jpg", "3.jpg")
    assert faults(source) == {"1.jpg": "", "2.jpg": "no label", "3.jpg": "no label"}


# --- tables that cannot be read


@pytest.mark.parametrize(
    ("text", "fields", "error", "message"),
    [
        ("image,labels\n1.jpg,cat\n", {}, ConfigError, r"has no column 'label'; did you mean 'labels'\?"),
        ("image\n1.jpg\n", {}, ConfigError, "has no column 'label'; choose from image"),
        ("image,label\n", {"captions": ("txt",)}, ConfigError, "has no column 'txt'"),
        ("image,label,label\n1.jpg,a,b\n", {}, ConfigError, "has 2 columns named 'label'. Rename all but one"),
        ("image,label,part\n1.jpg,cat,holdout\n", {"split": "part"}, DataError, "row 2: no split is named 'holdout'"),
        ("image,label,part\n1.jpg,cat,tset\n", {"split": "part"}, DataError, r"named 'tset'; did you mean 'test'\?"),
        ("", {}, DataError, "is empty. Its first line must name the columns"),
        ("\n\n", {}, DataError, "is empty"),
        ("image,label\n", {}, DataError, "names its columns, but has no rows"),
        ("image,label\n1.jpg\n", {}, DataError, "line 2, has 1 values, but the header names 2 columns"),
        ("image,label\n1.jpg,cat\n2.jpg,a,b\n", {}, DataError, "line 3, has 3 values, but the header names 2"),
        ('image,label\n1.jpg,"cat\n2.jpg,dog\n', {}, DataError, "line 3, cannot be read as CSV: unexpected end of data"),
        ('image,label\n1.jpg,"cat"s\n', {}, DataError, "line 2, cannot be read as CSV: ',' expected after"),
    ],
)
def test_a_table_that_does_not_fit_is_told_with_its_line(text, fields, error, message, tmp_path):
    with pytest.raises(error, match=message):
        read(make(tmp_path, text, "1.jpg", **fields))


def test_a_column_without_use_may_be_there_twice(tmp_path):
    assert labels(make(tmp_path, "image,,,label\n1.jpg,,,cat\n", "1.jpg")) == {"1.jpg": "cat"}


def test_a_table_that_is_missing_is_told(tmp_path):
    for reading in (read, lambda source: list(source.files())):
        with pytest.raises(DataError, match=r"there is no file .*nothing.csv .* Set source.path to an existing file"):
            reading(Table(path=tmp_path / "nothing.csv"))


def test_a_header_that_does_not_fit_is_told_before_the_first_stage(tmp_path):
    with pytest.raises(ConfigError, match="has no column 'label'"):
        list(make(tmp_path, "image,labels\n1.jpg,cat\n").files())


def test_rows_that_do_not_fit_are_left_to_the_reading(tmp_path):
    source = make(tmp_path, "image,label\n1.jpg,cat\n2.jpg\n3.jpg,dog\n", "1.jpg", "2.jpg", "3.jpg")
    assert [name for name, _ in source.files()] == ["table.csv", "1.jpg"]


def test_a_wrong_root_is_told_after_a_thousand_rows(tmp_path):
    text = "image,label\n" + "".join(f"photos/{number}.jpg,cat\n" for number in range(2000))
    source = make(tmp_path, text)
    with pytest.raises(
        DataError,
        match=r"1,000 of the first 1,000 rows .* the first of them has 'photos/0.jpg': "
        r"there is no such file. Set source.root",
    ):
        read(source)
    assert len(list(source.files())) == 1


def test_a_thousand_missing_among_many_are_faults_of_their_own(tmp_path):
    text = "image,label\n" + "1.jpg,cat\n" * 2_000 + "".join(f"gone/{number}.jpg,cat\n" for number in range(1_500))
    assert sum(fault == "there is no such file" for fault in faults(make(tmp_path, text, "1.jpg")).values()) == 1_500


MEGABYTES = 20
GARBAGE = {
    "random bytes": (lambda: os.urandom(1_000_000), "is not a table: its line 1 is not UTF-8 text"),
    "zeros": (lambda: b"\0" * 1_000_000, "is not a table: its line 1 is longer than 1,000,000 bytes"),
    "one endless line": (lambda: b"image,label," * 80_000, "is not a table: its line 1 is longer than 1,000,000 bytes"),
    "UTF-16": (lambda: "image,label\n1.jpg,cat\n".encode("utf-16") * 20_000, "line 1 is not UTF-8 text .byte 0.. Save"),
    "prose": (lambda: b"lorem ipsum dolor\n" * 60_000, "has no column 'image'"),
    "old line breaks": (lambda: b"image,label\r1.jpg,cat\r" * 45_000, "line 1 is longer than 1,000,000 bytes"),
}
BEHIND_A_HEADER = {
    "random bytes": (lambda: os.urandom(1_000_000), "is not UTF-8 text|has . values|longer than|cannot be read as CSV"),
    "an endless line": (lambda: b"x" * 1_000_000, "its line 2 is longer than 1,000,000 bytes"),
    "an open quote": (lambda: b'"' + b"1.jpg,cat\n" * 100_000, "cannot be read as CSV: field larger than field limit"),
    "Latin-1": (lambda: "1.jpg,größe\n".encode("latin-1") * 80_000, "its line 2 is not UTF-8 text .byte 8.."),
    "prose": (lambda: b"lorem ipsum dolor\n" * 60_000, "line 2, has 1 values"),
    "prose with commas": (lambda: b"lorem ipsum, dolor\n" * 50_000, "1,000 of the first 1,000 rows"),
    "rows of nonsense": (lambda: b"".join(b"%d,x\n" % number for number in range(100_000)), "1,000 of the first 1,000"),
}
CASES = {name: (b"", *case) for name, case in GARBAGE.items()} | {
    f"{name} behind a header": (b"image,label\n", *case) for name, case in BEHIND_A_HEADER.items()
}


@pytest.mark.parametrize("case", CASES)
def test_much_garbage_is_told_at_once_and_takes_little_memory(case, tmp_path):
    header, block, message = CASES[case]
    block = block()
    with (tmp_path / "table.csv").open("wb") as file:
        file.write(header)
        for _ in range(MEGABYTES):
            file.write(block)
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises((DataError, ConfigError), match=message) as told:
        read(Table(path=tmp_path / "table.csv"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - began < 5
    assert peak < 10_000_000
    assert len(str(told.value)) < 600
