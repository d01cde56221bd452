#!/usr/bin/env bash
# The average precision of the same boxes depends on the order in which the file lists the annotations: pycocotools 2.0.11.
#
# COCOeval gives each detection the object that it overlaps most. If it overlaps two objects equally, it takes the one that
# the file lists last, though the other one may be the only object that no later detection fits. Nothing in COCO's format gives
# the order of "annotations" a meaning, and tools that write such files sort them by id, by area or not at all. Boxes on a
# grid, of documents or of generated scenes, overlap equally more often than those of photos.
#
# Observed with pycocotools 2.0.11 and numpy 2.4.6. Objects A (x from 0 to 12) and B (x from 8 to 20), all boxes 10 high. The
# first detection (x from 4 to 16) overlaps both by 0.5, the second one is B itself:
#     annotations A, B:  AP50 0.505  (the first detection takes B, nothing is left for the second one)
#     annotations B, A:  AP50 1.000
# The ids of the annotations stay the same; only their places in the list differ.
#
# Exits with 0 if pycocotools still does so, and with 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pycocotools==2.0.11 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

A, B = [0, 0, 12, 10], [8, 0, 12, 10]
OBJECTS = [
    {"id": number, "image_id": 1, "category_id": 1, "bbox": box, "area": 120, "iscrowd": 0}
    for number, box in ((1, A), (2, B))
]
DETECTIONS = [
    {"image_id": 1, "category_id": 1, "bbox": [4, 0, 12, 10], "score": 0.9},
    {"image_id": 1, "category_id": 1, "bbox": B, "score": 0.8},
]


def average_precision(objects):
    """AP at an IoU of 0.5, of the same detections."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": 1, "width": 32, "height": 32}],
            "categories": [{"id": 1, "name": "thing"}],
            "annotations": objects,
        }
        truth.createIndex()
        evaluated = COCOeval(truth, truth.loadRes([dict(one) for one in DETECTIONS]), "bbox")
        evaluated.evaluate()
        evaluated.accumulate()
        evaluated.summarize()
    return round(float(evaluated.stats[1]), 3)


print("pycocotools", version("pycocotools"), "numpy", version("numpy"))
found = {"A, B": average_precision(OBJECTS), "B, A": average_precision(OBJECTS[::-1])}
for order, value in found.items():
    print(f"annotations {order}: AP50 {value:.3f}")
if found != {"A, B": 0.505, "B, A": 1.0}:
    sys.exit("changed: the order of the annotations no longer decides as described above")
PYTHON
