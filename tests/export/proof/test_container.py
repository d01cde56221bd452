"""TensorFlow Serving in a container, with a replacement for docker that runs our own server."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import ExportError
from kerasvision.export.proof import container, parity
from kerasvision.export.proof.container import ask_container, why_no_container
from kerasvision.export.publishing.push import push

IMAGE = "tensorflow/serving"


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The folder of a `docker` command that comes first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = shutil.copy(Path(__file__).with_name("stand_in_engine.py"), folder)
    (folder / "docker").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_nothing_is_asked_without_an_engine_or_its_image(engine, monkeypatch):
    assert why_no_container(IMAGE) == ""
    assert why_no_container("another") == "docker has no image another"
    monkeypatch.setenv("PATH", str(engine / "empty"))
    assert why_no_container(IMAGE) == "neither docker nor podman is installed"


@pytest.mark.slow
def test_a_container_is_asked_about_every_image_and_stopped(engine, trained):
    images = [example["image"].numpy() for example in trained.examples.dataset("test").take(5)]
    received = ask_container(trained.saved_model, image=IMAGE, images=images)
    answers = trained.task.predictor(trained.network)(np.stack([trained.transform(image) for image in images]))
    np.testing.assert_allclose(received["scores"], answers["scores"], atol=1e-5)
    assert received["classes"].tolist() == [name.decode() for name in answers["classes"].numpy()]
    assert received["valid"].all()
    assert (engine / "stopped").exists()


def test_a_model_that_the_container_cannot_load_is_told(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(container, "SECONDS_TO_START", 0.5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match="tensorflow/serving did not load the model within 0.5 seconds"):
        ask_container(tmp_path / "empty", image=IMAGE, images=[b""])
    assert (engine / "stopped").exists()


def test_other_answers_of_the_container_are_complaints(monkeypatch):
    expected = {"scores": np.array([[0.25], [0.5]], np.float32)}
    monkeypatch.setattr(parity, "why_no_container", lambda image: "")
    monkeypatch.setattr(parity, "ask_container", lambda *_, **__: {"scores": expected["scores"] + 0.125})
    wanted = parity.Expected(expected, expected)
    said, complaints = parity._in_a_container(Path(), [b"", b""], wanted, c.Serving())
    assert said == "tensorflow/serving differs by 0.125 at most"
    assert complaints == ["in a container: scores differ by up to 0.125 (allowed: 1e-05)"]


def test_what_is_not_as_it_was_pushed_is_not_asked(engine, trained, tmp_path):
    version = tmp_path / "flowers" / str(push(trained.saved_model, folder=tmp_path / "flowers"))
    (version / "assets" / "labels.txt").write_text("other\n")
    with pytest.raises(ExportError, match="flowers/1 was changed or is half copied: assets/labels.txt has 6 bytes inst"):
        ask_container(version, image=IMAGE, images=[b""])
    assert not (engine / "state.json").exists()
