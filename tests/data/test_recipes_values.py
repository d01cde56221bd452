"""`new` recognises a table of images with numbers, and writes a pipeline file that estimates them."""

import numpy as np
import pytest
from PIL import Image

from kerasvision.cli.new_from_images import write_for_images
from kerasvision.config.loading import load_experiment
from kerasvision.config.number_tables import table_of_numbers
from kerasvision.data import recipes


@pytest.fixture
def people(tmp_path):
    """(header, row of a number) -> a folder with 40 images and a table of them."""

    def made(header, row, name="people.csv"):
        folder = tmp_path / "people"
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(0)
        for number in range(40):
            pixels = random.integers(0, 255, (40, 48, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
        lines = [header, *(row(number) for number in range(40))]
        (folder / name).write_text("\n".join(lines) + "\n")
        return folder

    return made


def test_a_table_with_fractions_becomes_a_regression(people, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipes, "installed_network", lambda: None)
    folder = people("id,Image,age,sex", lambda n: f"{n},photos/{n}.png,{'' if n == 3 else n + 0.5},{'f' if n % 2 else 'm'}")
    for place in (folder, folder / "people.csv"):
        source = table_of_numbers(place)
        assert (source.image, source.label, source.values) == ("Image", None, ("age",))
    write_for_images("people", images=folder, folder=tmp_path, minutes=None)
    experiment = load_experiment(tmp_path / "people.py")
    assert experiment.task.kind == "regression"
    assert experiment.source == source
    assert experiment.ingest.missing_values == "quarantine"  # the only number: its image is a bad image
    assert not experiment.augment[0].moves_things
    printed = capsys.readouterr().out
    assert "39 images with numbers, in colour; 1 cannot be used" in printed
    assert "estimate age at 64 x 64 pixels" in printed


def test_a_number_that_some_images_lack_is_ignored_there(people, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "installed_network", lambda: "efficientnet_lite0")
    folder = people("path\tx\ty\tsplit", lambda n: f"photos/{n}.png\t{n / 7}\t{'NA' if n == 3 else n / 3}\ttrain", "t.tsv")
    source = table_of_numbers(folder)
    assert (source.values, source.split) == (("x", "y"), "split")
    write_for_images("points", images=folder / "t.tsv", folder=tmp_path, minutes=None)
    text = (tmp_path / "points.py").read_text()
    assert "1 images lack y" in text
    assert load_experiment(tmp_path / "points.py").ingest.missing_values == "ignore"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image,grade", lambda n: f"photos/{n}.png,{n % 5}"),
        ("image,id", lambda n: f"photos/{n}.png,{n}"),
        ("image,name", lambda n: f"photos/{n}.png,person{n}"),
        ("image,age", lambda n: f"elsewhere/{n}.png,{n + 0.5}"),
        ("photo,age", lambda n: f"photos/{n}.png,{n + 0.5}"),
        ("image,age,age", lambda n: f"photos/{n}.png,{n + 0.5},{n}"),
    ],
    ids=["few whole numbers", "a counter", "texts", "paths that lead nowhere", "no column of paths", "a column twice"],
)
def test_other_tables_are_left_to_other_recipes(people, header, row):
    assert table_of_numbers(people(header, row)) is None


def test_what_is_no_table_is_none(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00image")
    assert table_of_numbers(tmp_path) is None
    assert table_of_numbers(tmp_path / "nowhere") is None
