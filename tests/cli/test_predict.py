"""`kerasvision predict`: what it prints and writes, and the exit code of each kind of mistake."""

import json
import re

import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def model(brightness, tmp_path_factory):
    return brightness.saved(tmp_path_factory.mktemp("saved") / "1")


@pytest.fixture
def photos(tmp_path):
    """A dark and a light image; without escaping, `[red]` would colour the terminal."""
    (tmp_path / "photos").mkdir()
    for name, value in (("[red]dark", 0), ("light", 255)):
        Image.new("RGB", (5, 4), (value, value, value)).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def lines(text):
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]


def test_a_folder_gives_a_line_for_each_image(model, photos):
    done = predict(model, photos)
    assert done.exit_code == 0
    assert lines(done.stdout) == [
        "image label score then",
        f'{photos}/[red]dark.png dunkel, "schwarz" 1.0000 hell 0.0000',
        f'{photos}/light.png hell 1.0000 dunkel, "schwarz" 0.0000',
    ]


def test_only_the_best_label_on_request(model, photos):
    assert lines(predict(model, photos / "light.png", "--top", 1).stdout)[1] == f"{photos}/light.png hell 1.0000"


def test_json_holds_all_outputs(model, photos):
    (line,) = predict(model, photos / "light.png", "--json").stdout.splitlines()
    answer = json.loads(line)
    assert answer.pop("captions") == ["hell", 'ganz dunkel, "schwarz"']
    assert answer == {
        "path": f"{photos}/light.png",
        "classes": "hell",
        "scores": [0.0, 1.0],
        "top_classes": ["hell", 'dunkel, "schwarz"'],
        "top_scores": [1.0, 0.0],
        "label_count": 2,
        "fault": "",
    }


def test_json_holds_as_many_of_the_best_labels_as_asked_for(model, photos):
    (line,) = predict(model, photos / "light.png", "--json", "--top", 1).stdout.splitlines()
    answer = json.loads(line)
    assert (answer["top_classes"], answer["top_scores"]) == (["hell"], [1.0])
    assert (answer["classes"], answer["scores"]) == ("hell", [0.0, 1.0])


def test_a_bad_file_exits_3_when_printed_and_is_a_row_when_written(model, photos, tmp_path):
    (photos / "none.png").write_text("hello")
    printed = predict(model, photos)
    assert isinstance(printed.exception, DataError)
    assert "1 of 3 files cannot be used" in str(printed.exception) and "not an image in a known format" in str(
        printed.exception
    )
    written = predict(model, photos, "--out", tmp_path / "answers.csv")
    assert written.exit_code == 0
    assert lines(written.stdout) == [f"{tmp_path}/answers.csv: 2 of 3 images answered"]
    assert f"{photos}/none.png: not an image in a known format" in written.stderr
    strict = predict(model, photos, "--out", tmp_path / "answers.csv", "--strict")
    assert isinstance(strict.exception, DataError)
    assert (tmp_path / "answers.csv").read_text().count("\n") == 1 + 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "--out", "answers.csv"], "--json prints, but --out writes a file; use only one of them"),
        (["--strict"], "--strict requires --out"),
        (["--out", "answers.txt"], "ends in .parquet or .csv"),
        (["--top", "3"], "gives 2 labels for an image; received top=3"),
    ],
)
def test_options_that_do_not_fit_are_told(options, message, model, photos):
    done = predict(model, photos, *options)
    assert isinstance(done.exception, ConfigError)
    assert message in str(done.exception)
