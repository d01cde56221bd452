"""`new` writes a file that loads, for any names of folders."""

import ast
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision import config as c
from kerasvision.data.scaffold import write_pipeline_file
from kerasvision.errors import DataError

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
        Image.new("RGB", (16, 16), (9, 9, 9)).save(folder / place / "1.png")
    return folder


def loaded(file):
    """The docstring, and the experiment."""
    source = file.read_text(encoding="utf-8")
    space = {}
    exec(compile(source, "new.py", "exec"), space)
    return ast.get_docstring(ast.parse(source), clean=False), space["EXPERIMENT"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_file_loads_and_means_the_folder(name, tmp_path):
    images = photos(tmp_path / name, "cat", "dog " + name)
    docstring, experiment = loaded(write_pipeline_file("new", images=images, folder=tmp_path / "pipelines"))
    assert docstring == f"2 classes, 2 images in {images}. Written by `kerasvision new`; not measured yet."
    assert experiment.source == c.ImageFolder(path=images)


file_names = st.text(st.characters(blacklist_characters="/\0"), min_size=1).filter(lambda name: name not in (".", ".."))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(file_names)
@example("\udce9")
def test_any_text_comes_back_from_between_the_quotes(name):
    from kerasvision.data.scaffold import escape_docstring

    assert ast.literal_eval(f'"""{escape_docstring(name)}"""') == name


def test_folders_of_splits_without_classes_are_refused_in_words(tmp_path):
    with pytest.raises(DataError, match=r"contains no class folders in its split folders \(train, val\)"):
        write_pipeline_file("new", images=photos(tmp_path / "photos", "train", "val"), folder=tmp_path)
    assert not (tmp_path / "new.py").exists()


def test_images_that_no_class_folder_holds_are_not_counted(tmp_path):
    images = photos(tmp_path / "photos", "train/cat", "train/dog", "test")
    docstring, _ = loaded(write_pipeline_file("new", images=images, folder=tmp_path))
    assert docstring.startswith("2 classes, 2 images in")


def test_one_class_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must hold images of at least two classes; received \['cat'\]"):
        write_pipeline_file("new", images=photos(tmp_path / "photos", "cat"), folder=tmp_path)


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path, monkeypatch):
    images = photos(tmp_path / "photos", "cat", "dog")
    os.mkfifo(images / "cat" / "pipe.png")
    docstring, _ = loaded(write_pipeline_file("new", images=images, folder=tmp_path))
    assert docstring.startswith("2 classes, 3 images in")
