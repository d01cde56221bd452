"""Faults planted in a clean CSV of images: each is found and named, and the other rows are used."""

import random
import time

import pytest

from kerasvision import config as c
from kerasvision.config.table_source import Table
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.errors import ConfigError, DataError


def table_of(root):
    return Table(path=root / "table.csv", split="split", group="person", captions=("caption",))


@pytest.fixture(scope="module")
def find(planted):
    """(how to plant) -> what is found."""

    def run(change, **choices):
        return planted("clean_table", table_of, change, **choices)

    return run


def test_the_clean_table_raises_nothing(clean_set):
    clean = clean_set("clean_table", table_of)
    assert find_anomalies(clean.statistics, clean.schema, images=clean.images) == []
    assert len(clean.images) == 72


# Rows after the good ones, their names, and what must be found, each with a text. They are planted
# together: each is looked for by its name. `@` is the number of a fresh image.
ROWS = {
    "a missing file": ("images/gone.jpg,cat,train,,a cat", "images/gone.jpg", {"unreadable": "there is no such file"}),
    "an empty path": (",cat,train,,a cat", "row 75", {"unreadable": "the path is empty"}),
    "an address": ("https://example.org/a.jpg,cat,train,,a cat", "https://example.org/a.jpg", {"unreadable": "download"}),
    "a folder": ("images,cat,train,,a cat", "images", {"unreadable": "not a regular file"}),
    "a Windows path": (
        "C:\\images\\000.jpg,cat,train,,a cat", "C:/images/000.jpg", {"unreadable": "a drive letter belongs to a Windows"},
    ),
    "a path upwards": ("../secret.jpg,cat,train,,a cat", "../secret.jpg", {"path_outside": "leads out of"}),
    "an absolute path": ("/etc/passwd,cat,train,,a cat", "/etc/passwd", {"path_outside": "leads out of"}),
    "a link that leads out": ("images/link.jpg,cat,train,,a cat", "images/link.jpg", {"path_outside": "leads out of"}),
    "no label": ("images/200.jpg,,train,,a cat", "images/200.jpg", {"no_label": "no label"}),
    "two labels": (
        "images/201.jpg,cat,train,,a cat\nimages/201.jpg,dog,train,,a dog", "images/201.jpg",
        {"conflicting_rows": "two labels: 'cat' and 'dog'"},
    ),
    "two splits": (
        "images/202.jpg,cat,train,,a cat\nimages/202.jpg,cat,test,,a cat", "images/202.jpg",
        {"conflicting_rows": "two splits: 'train' and 'test'"},
    ),
    "an empty caption": (
        "images/203.jpg,cat,train,, ", "images/203.jpg",
        {"empty_caption": "an empty caption was left out", "few_captions": "1 image has fewer captions than 1"},
    ),
    "a very long caption": (
        f"images/204.jpg,cat,train,,{'a cat and ' * 60}", "images/204.jpg", {"long_caption": "a caption has 180 words"},
    ),
    "an unseen label": ("images/205.jpg,owl,train,,an owl", "images/205.jpg", {"unseen_label": "label 'owl'"}),
    "a label in capitals": ("images/206.jpg,CAT,train,,a cat", "images/206.jpg", {"unseen_label": "label 'CAT'"}),
    "a person of another split": (
        "images/207.jpg,cat,train,person 35,a cat", "images/207.jpg", {"leakage_removed": "its group is in test"},
    ),
}  # fmt: skip
# Consequences for the data set: few images of the new labels, none in some splits, and two spellings of one label.
ALSO = {"label_variants", "too_few_examples", "label_missing_in_split", "imbalance"}


@pytest.fixture(scope="module")
def spoilt(find, make_images):
    def change(root):
        for number in range(200, 208):
            make_images.scene(number).save(root / f"images/{number}.jpg", "JPEG", quality=90)
        make_images.scene(300).save(root.parent / "secret.jpg", "JPEG")
        (root / "images/link.jpg").symlink_to(root.parent / "secret.jpg")
        with (root / "table.csv").open("a") as table:
            table.writelines(f"{row}\n" for row, _, _ in ROWS.values())

    return find(change)


@pytest.mark.parametrize("fault", ROWS)
def test_a_bad_row_is_found_and_named(fault, spoilt):
    _, name, expected = ROWS[fault]
    found = {one.code: one.message for one in spoilt if name in one.examples}
    assert found.keys() == expected.keys()
    for code, text in expected.items():
        assert text in found[code]


def test_nothing_is_said_of_the_sound_rows_beside_them(spoilt):
    named = {name for one in spoilt for name in (*one.examples, *one.suspects)}
    assert named == {name for _, name, _ in ROWS.values()}
    assert {one.code for one in spoilt if not one.examples} == ALSO


def replaced(old, new):
    """Changes the text of the table."""

    def change(root):
        text = (root / "table.csv").read_text()
        assert old in text
        (root / "table.csv").write_text(text.replace(old, new))

    return change


def test_rows_without_a_split_among_others_are_told(find):
    (found,) = find(replaced("images/000.jpg,cat,train,", "images/000.jpg,cat,,"))
    assert (found.code, found.severity, found.examples) == ("split_missing", "warning", ("images/000.jpg",))
    assert found.message == (
        "1 image has no split in the source, where the others have one (test, train, validation); "
        "the setting `splits` assigns one"
    )


def test_captions_that_are_gone_are_told(find):
    def change(root):
        lines = (root / "table.csv").read_text().splitlines()
        (root / "table.csv").write_text("\n".join([lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])]) + "\n")

    found = {one.code: one.message for one in find(change)}
    assert found.pop("empty_caption") == "72 images: an empty caption was left out"
    assert found == {"few_captions": "no image has a caption; at least 1 expected of each"}


def garbage(kind, size=2_000_000):
    """This many bytes that are not a table."""
    return {
        "random bytes": random.Random(0).randbytes(size),
        "zeros": bytes(size),
        "one endless line": b"image,label,split,person,caption\n" + b"x" * size,
        "an endless header": b"image" * (size // 5),
        "a picture": b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(size),
        "a page": b"<html><body>404 Not Found</body></html>\n" * (size // 40),
        "UTF-16": ("image,label,split,person,caption\n" * 1000).encode("utf-16"),
        "an open quote": b'image,label,split,person,caption\n"' + b"images/1.jpg,cat\n" * (size // 17),
        "nothing": b"",
    }[kind]


GARBAGE = [
    "random bytes", "zeros", "one endless line", "an endless header", "a picture", "a page", "UTF-16", "an open quote",
    "nothing",
]  # fmt: skip


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_table_of_garbage_is_refused_by_its_name_within_seconds(kind, find):
    started = time.perf_counter()
    with pytest.raises((DataError, ConfigError), match="table.csv"):
        find(lambda root: (root / "table.csv").write_bytes(garbage(kind)))
    assert time.perf_counter() - started < 10


# How the text of the table is changed, and the message that rejects it.
REFUSED = {
    "a missing column": (replaced("image,label", "image,lable"), ConfigError, "no column 'label'.*did you mean 'lable'"),
    "a column twice": (replaced("person,caption", "label,caption"), ConfigError, "label"),
    "no rows": (
        lambda root: (root / "table.csv").write_text("image,label,split,person,caption\n"),
        DataError,
        "has no rows",
    ),
    "a ragged row": (replaced("person 3,", "person 3,,,"), DataError, "line 8, has 7 values, .* names 5 columns"),
    "an unknown split": (replaced("cat,val", "cat,vall"), DataError, "row 50: no split is named 'vall'; did you mean 'val'"),
    "no table": (lambda root: (root / "table.csv").unlink(), DataError, "there is no file .*table.csv"),
    "another folder": (lambda root: (root / "images").rename(root / "photos"), DataError, "no image is left for the train"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_table_that_cannot_be_read_is_refused_with_the_place(fault, find):
    change, error, message = REFUSED[fault]
    with pytest.raises(error, match=message):
        find(change, policy=c.Ingest(policy="report"))
