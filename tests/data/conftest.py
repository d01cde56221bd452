"""What the tests of the data share: examples on disk from arrays."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.sources.arrays import encode_png


@pytest.fixture(scope="session")
def make_examples():
    """(folder, split=[(id, uint8 pixels, class name), ...], ...) -> the ExampleSet of them, as PNG."""

    def make(folder, **splits):
        encoded = {
            split: [(name, encode_png(np.asarray(pixels, np.uint8)), label) for name, pixels, label in rows]
            for split, rows in splits.items()
        }
        classes = sorted({label for rows in splits.values() for _, _, label in rows})
        write_examples(lambda split: encoded[split], splits=encoded, classes=classes, folder=folder)
        return ExampleSet(folder)

    return make


@pytest.fixture(scope="session")
def manifest_of():
    """(ExampleSet, extra rows) -> the manifest that ingest would have written for grey or colour PNG."""

    def make(examples, extra=()):
        rows = []
        for split in examples.splits:
            for example in examples.dataset(split).as_numpy_iterator():
                width, height, _, colour = np.frombuffer(example["image"][16:26], ">u4,>u4,u1,u1")[0]
                rows.append(
                    {"id": example["id"].decode(), "path": "", "split": split, "size": len(example["image"]),
                     "label": examples.classes[example["label"]], "width": int(width), "height": int(height),
                     "sha256": hashlib.sha256(example["image"]).hexdigest(), "format": "PNG",
                     "mode": {0: "L", 2: "RGB"}[int(colour)], "notes": "", "fault": ""}
                )  # fmt: skip
        return pd.DataFrame([*rows, *extra])

    return make
