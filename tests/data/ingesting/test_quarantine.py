"""A quarantine file names images by content or by id; a malformed file is rejected with the number of the line."""

import pandas as pd
import pytest

from kerasvision.data.ingesting.quarantine import Quarantine, read_quarantine, write_quarantine
from kerasvision.errors import DataError

A, B = "a" * 64, "b" * 64


def read(tmp_path, text):
    file = tmp_path / "quarantine.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_quarantine(file)


def test_an_entry_with_a_sha256_counts_by_it_and_one_without_by_its_id(tmp_path):
    found = read(tmp_path, f"id,sha256,reason\n1.jpg,{A},blurred\n2.jpg,,\n")
    assert found == Quarantine({A: "blurred"}, {"2.jpg": ""})


@pytest.mark.parametrize(
    "text",
    [
        f"sha256\n{A}\n",
        f"\ufeffSHA256 , note\r\n{A.upper()},x\r\n\r\n",
        f"note,sha256\n,{A}\n,\n",
    ],
)
def test_a_column_is_enough_however_a_spreadsheet_writes_it(tmp_path, text):
    assert read(tmp_path, text) == Quarantine({A: ""}, {})


def test_a_mended_image_is_no_longer_left_out():
    quarantine = Quarantine({A: "blurred"}, {})
    ids = pd.Series(["1.jpg"])
    assert quarantine.faults(ids, pd.Series([A])).tolist() == ["left out by the quarantine file: blurred"]
    assert quarantine.faults(ids, pd.Series([B])).tolist() == [""]


def test_what_matches_nothing_is_told():
    quarantine = Quarantine({A: "", B: ""}, {"2.jpg": "", "1.jpg": ""})
    assert quarantine.unmatched(pd.Series(["2.jpg"]), pd.Series([B])) == ["1.jpg", A]


def test_what_is_written_is_sorted_and_can_be_read(tmp_path):
    rows = pd.DataFrame(
        {"reason": ["a; b", 'says "no", twice', ""], "id": ["2, two.jpg", "1.jpg", "é.jpg"], "sha256": [B, A, ""], "more": 1}
    )
    write_quarantine(rows, tmp_path / "file.csv")
    text = (tmp_path / "file.csv").read_text()
    assert text == f'id,sha256,reason\n1.jpg,{A},"says ""no"", twice"\n"2, two.jpg",{B},a; b\né.jpg,,\n'
    assert read_quarantine(tmp_path / "file.csv") == Quarantine({A: 'says "no", twice', B: "a; b"}, {"é.jpg": ""})


def test_nothing_to_leave_out_is_a_file_too(tmp_path):
    write_quarantine(pd.DataFrame(columns=["id", "sha256", "reason"]), tmp_path / "file.csv")
    assert read_quarantine(tmp_path / "file.csv") == Quarantine({}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a column 'id' or 'sha256'; received ''"),
        ("path,why\na,b\n", "needs a column 'id' or 'sha256'; received 'path, why'"),
        (f"id;sha256\n1;{A}\n", "needs a column 'id' or 'sha256'; received 'id;sha256'"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "cannot be read: it is not a CSV text in UTF-8"),
        ('id\n"1\n', "cannot be read: it is not a CSV text in UTF-8"),
        ("id\n" + "x" * 200_000, "cannot be read: it is not a CSV text in UTF-8"),
        ("id,sha256\n1,abc\n", "line 2: a sha256 must have 64 hexadecimal digits; received 'abc'"),
        ("sha256,reason\n,why\n", "line 2: an entry needs an id or a sha256"),
        ("id\n1\na,b\n", "line 3, has 2 cells under 1 columns. Put a text with a comma into double quotes"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, text, message):
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    assert message in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"quarantine file .*none.csv cannot be read: No such file"):
        read_quarantine(tmp_path / "none.csv")
