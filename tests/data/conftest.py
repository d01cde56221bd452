"""Fixtures of the data tests: examples on disk from arrays."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png


@pytest.fixture(scope="session")
def make_examples():
    """(folder, split=[(id, pixels, class name, captions, objects, map, values), ...], ...) -> the ExampleSet, as PNG.

    Pixels are uint8, or the bytes of a file.
    The class name and what follows may be left out; objects are as `kerasvision.data.examples.ExampleObject` says, and
    without `crowd` and `area` they are no crowds and 1 pixel large. With `map_classes`, the map is uint8 (H, W).
    """

    def file(pixels):
        return pixels if isinstance(pixels, bytes) else encode_png(np.asarray(pixels, np.uint8))

    def make(folder, map_classes=(), value_names=(), **splits):
        encoded = {
            split: [Example(name, file(pixels), *said) for name, pixels, *said in rows] for split, rows in splits.items()
        }
        if map_classes:
            encoded = {
                split: [row._replace(label_map=encode_png(np.asarray(row.label_map, np.uint8))) for row in rows]
                for split, rows in encoded.items()
            }
        encoded = {
            split: [row._replace(objects=[{"crowd": False, "area": 1.0, **thing} for thing in row.objects]) for row in rows]
            for split, rows in encoded.items()
        }
        examples = [example for rows in encoded.values() for example in rows]
        objects = [thing for example in examples for thing in example.objects]
        write_examples(
            lambda split: encoded[split],
            splits=encoded,
            classes=sorted({example.label for example in examples} - {""}),
            object_classes=sorted({thing["label"] for thing in objects}),
            captions=any(example.captions for example in examples),
            masks=any("mask" in thing for thing in objects),
            map_classes=map_classes,
            value_names=value_names,
            folder=folder,
        )
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
                    {
                        "id": example["id"].decode(),
                        "path": "",
                        "split": split,
                        "size": len(example["image"]),
                        "label": examples.classes[example["label"]] if examples.classes else "",
                        "group": "",
                        "width": int(width),
                        "height": int(height),
                        "sha256": hashlib.sha256(example["image"]).hexdigest(),
                        "format": "PNG",
                        "mode": {0: "L", 2: "RGB"}[int(colour)],
                        "notes": "",
                        "fault": "",
                        "captions": len(example.get("captions", ())),
                        "objects": len(example["objects"]["label"]) if "objects" in example else 0,
                        "map_classes": 1 if "label_map" in example else 0,
                        "values": int(np.isfinite(example.get("values", ())).sum()),
                    }
                )
        return pd.DataFrame([*rows, *extra])

    return make
