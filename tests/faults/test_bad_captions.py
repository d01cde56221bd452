"""A table of images with every kind of odd caption, up to the vocabulary: captions are kept, cut, or rejected by name."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import standard_pipeline

ODD = {
    "empty": ["", "a dog"],
    "long": ["very " * 1000, "a dog"],
    "chinese": ["一只狗", "一只狗"],
    "never_seen": ["zyzzyva", "a dog"],
}


def table(folder, rows):
    """images.csv with two columns of captions, and its images."""
    random = np.random.default_rng(0)
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "split", "first", "second"])
        for number, (name, captions) in enumerate(rows):
            picture = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(picture, "PNG")
            (folder / f"{name}.png").write_bytes(picture.getvalue())
            split = ("train", "validation", "test")[number % 3 if name.isdecimal() else 0]
            writer.writerow([f"{name}.png", split, *captions])
    return folder / "images.csv"


def to_the_vocabulary(folder, rows):
    experiment = c.Experiment(
        name="odd",
        source=c.Table(path=table(folder, rows), label=None, split="split", captions=("first", "second")),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Captioning(vocabulary=c.Words(min_count=2)),
        model=c.Model(name="show_and_tell"),
    )
    return run(standard_pipeline(experiment), root=folder / "runs", until="transform")


PLAIN = [(str(number), ["A dog.", "a Dog"]) for number in range(9)]


@pytest.mark.slow
def test_odd_captions_are_words_like_others(tmp_path):
    to_the_vocabulary(tmp_path, [*PLAIN, *ODD.items()])
    (file,) = (tmp_path / "runs").rglob("names.json")
    names = json.loads(file.read_text(encoding="utf-8"))
    assert names[:4] == ["[padding]", "[unknown]", "[start]", "[end]"]
    assert sorted(names[4:]) == sorted(["a", "dog", "very", "一", "只", "狗"])


@pytest.mark.slow
def test_an_image_without_captions_is_named_before_anything_is_trained(tmp_path):
    with pytest.raises(DataError, match=r"1 have none: lost\.png.*ingest\.quarantine_file"):
        to_the_vocabulary(tmp_path, [*PLAIN, ("lost", ["", ""])])
