"""`new` writes a file that loads, for any names of folders."""

import ast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision import config as c
from kerasvision.data.first_look import look_at
from kerasvision.data.recipes import choose
from kerasvision.data.scaffold import pipeline_text

NAMES = [
    "photos",
    "C:\\Users\\ann",
    "old\\network",
    'say """hi"""',
    'ends with "',
    "it's",
    "\\",
    "\\'",
    "tab\\x",
    "a\nb",
    "${path}",
    "$",
    "{}",
    "größe",
    "猫",
    "\x1b[31m",
    "\u2028",
    "caf\udce9",
    "#",
    "%s",
]


def photos(folder, *places):
    for place in places:
        (folder / place).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (16, 16), (9, 9, number)).save(folder / place / f"{number}.png")
    return folder


def text_for(images):
    look = look_at(images)
    return pipeline_text("new", look=look, recipe=choose(look, network=None))


def loaded(source):
    """The docstring, and the experiment."""
    space = {}
    exec(compile(source, "new.py", "exec"), space)
    return ast.get_docstring(ast.parse(source), clean=False), space["EXPERIMENT"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_file_loads_and_means_the_folder(name, tmp_path):
    images = photos(tmp_path / name, "cat", "dog " + name)
    docstring, experiment = loaded(text_for(images))
    assert docstring == f"2 classes, 4 images in {images}. Written by `kerasvision new`; not measured yet."
    assert experiment.source == c.ImageFolder(path=images)
    assert experiment.name == "new"


file_names = st.text(st.characters(blacklist_characters="/\0"), min_size=1).filter(lambda name: name not in (".", ".."))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(file_names)
@example("\udce9")
def test_any_text_comes_back_from_between_the_quotes(name):
    from kerasvision.data.scaffold import escape_docstring

    assert ast.literal_eval(f'"""{escape_docstring(name)}"""') == name


def test_every_setting_has_a_reason_above_it_and_lines_are_short(tmp_path):
    lines = text_for(photos(tmp_path / "photos", "cat", "dog")).splitlines()
    settings = ["splits", "transform", "augment", "task", "model", "training", "gate"]
    for setting in settings:
        (place,) = [number for number, line in enumerate(lines) if line.startswith(f"    {setting}=")]
        assert lines[place - 1].startswith("    # "), setting
    # The path of the folder may have any length.
    assert all(len(line) <= 125 for line in lines if str(tmp_path) not in line)
