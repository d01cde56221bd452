"""Shared by the tests of evaluation: the manifest that ingest would have written for `stripes`."""

import io

import pandas as pd
import pytest
from PIL import Image


def manifest_of(examples):
    """A row per example, as ingest writes it."""
    rows = []
    for split in examples.splits:
        for example in examples.dataset(split).as_numpy_iterator():
            width, height = Image.open(io.BytesIO(example["image"])).size
            rows.append(
                {
                    "id": example["id"].decode(),
                    "path": "",
                    "split": split,
                    "label": examples.classes[example["label"]],
                    "group": "",
                    "sha256": example["id"].decode(),
                    "size": len(example["image"]),
                    "width": width,
                    "height": height,
                    "format": "PNG",
                    "mode": "L",
                    "notes": "",
                    "fault": "",
                    "captions": 0,
                    "objects": 0,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def manifest(trained):
    """The manifest of `stripes`."""
    return manifest_of(trained.examples)
