"""`kerasvision predict` with a model that gives each pixel a class: lines, tables, maps and painted pictures."""

import base64
import io
import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.data.class_colors import class_color
from kerasvision.errors import ConfigError

# The map of an image of 4 x 2 pixels; see tests/export/pixel_classes.py.
MAP = [[0, 0, 1, 1], [0, 0, 2, 2]]


@pytest.fixture
def photos(tmp_path):
    """a.png of 4 x 2 pixels, and b.png, which is not an image."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 2), (200, 200, 200)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "b.png").write_text("hello")
    return tmp_path / "photos"


@pytest.fixture
def predict(pixel_classes):
    def run(*arguments):
        return CliRunner().invoke(app, ["predict", str(pixel_classes.saved_model), *map(str, arguments)])

    return run


def pixels(data):
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened).tolist()


def test_a_line_has_the_classes_with_their_shares(predict, photos):
    lines = [" ".join(line.split()) for line in predict(photos / "a.png").stdout.splitlines()]
    assert lines == ["image share of the pixels", f"{photos}/a.png background 0.50, cat 0.25, 猫 0.25"]
    least = predict(photos / "a.png", "--least-score", 0.3).stdout.splitlines()[1]
    assert least.split("a.png")[1].strip() == "background 0.50"


def test_a_map_is_a_picture_whose_pixels_are_class_numbers_and_whose_palette_shows_them(predict, photos, tmp_path):
    done = predict(photos, "--masks", tmp_path / "maps", "--out", tmp_path / "answers.parquet")
    assert done.exit_code == 0, done.output
    assert f"maps in {tmp_path}/maps: 1" in done.stdout
    (file,) = (tmp_path / "maps").iterdir()
    assert file.name == "000001_a.png"
    with Image.open(file) as opened:
        assert (opened.mode, opened.size, np.asarray(opened).tolist()) == ("P", (4, 2), MAP)
        assert "#{:02x}{:02x}{:02x}".format(*opened.convert("RGB").getpixel((3, 0))) == class_color(1)


def test_a_map_has_the_same_bytes_when_a_table_is_written(predict, photos, tmp_path):
    predict(photos / "a.png", "--masks", tmp_path / "printed")
    predict(photos / "a.png", "--masks", tmp_path / "written", "--out", tmp_path / "answers.csv")
    first, second = ((tmp_path / folder / "000001_a.png").read_bytes() for folder in ("printed", "written"))
    assert first == second


@pytest.mark.parametrize("option", ["--overlay", "--draw"])
def test_a_picture_has_its_classes_painted_but_not_the_background(option, predict, photos, tmp_path):
    Image.new("RGB", (400, 200), (200, 200, 200)).save(photos / "a.png")
    assert predict(photos / "a.png", option, tmp_path / "drawn").exit_code == 0
    with Image.open(tmp_path / "drawn" / "000001_a.jpg") as opened:
        drawn = np.asarray(opened, int)
    cat = np.array(list(bytes.fromhex(class_color(1)[1:])))
    assert drawn.shape == (200, 400, 3)
    # Half of the grey photo, half of the colour; JPEG changes the values a little.
    assert np.abs(drawn[20:80, 220:380] - (200 + cat) / 2).max() <= 6
    assert np.abs(drawn[60:190, 20:180] - 200).max() <= 3


def test_json_holds_the_map_as_tensorflow_serving_sends_it(predict, photos):
    answer = json.loads(predict(photos / "a.png", "--json").stdout)
    assert pixels(base64.b64decode(answer["mask_png_bytes"]["b64"])) == MAP
    assert (answer["classes"], answer["shares"]) == (["background", "cat", "猫"], [0.5, 0.25, 0.25])


def test_a_table_holds_the_map_as_bytes_and_a_spreadsheet_as_text(predict, photos, tmp_path):
    predict(photos, "--out", tmp_path / "answers.parquet")
    first, second = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    assert pixels(first["mask_png_bytes"]) == MAP
    assert (second["mask_png_bytes"], second["fault"]) == (None, "not an image in a known format")
    predict(photos, "--out", tmp_path / "answers.csv")
    row = pyarrow.csv.read_csv(tmp_path / "answers.csv").to_pylist()[0]
    assert pixels(base64.b64decode(row["mask_png_bytes"])) == MAP


def test_a_table_may_have_a_row_for_each_class(predict, photos, tmp_path):
    assert predict(photos, "--out", tmp_path / "classes.csv", "--each").exit_code == 0
    assert (tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines() == [
        '"path","label","class_number","share","fault"',
        f'"{photos}/a.png","background",0,0.5,""',
        f'"{photos}/a.png","cat",1,0.25,""',
        f'"{photos}/a.png","猫",2,0.25,""',
        f'"{photos}/b.png",,,,"not an image in a known format"',
    ]


def test_results_of_single_objects_are_refused_before_any_image_is_read(predict, photos, tmp_path):
    done = predict(photos, "--coco", tmp_path / "results.json", "--out", tmp_path / "answers.csv")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).endswith("answers with a class for each pixel. Write its maps with --masks.")
    assert not (tmp_path / "answers.csv").exists()
