"""Whether a detector can memorize photos: the average precision at an IoU of 0.5 on the photos that it learned.

    python tests/benchmarks/boxes_by_heart.py ../shared/data/coco-open --photos 16
    python tests/benchmarks/boxes_by_heart.py ../shared/data/coco-open --photos 144 --epochs 80 --least 0.9

It uses the first photos with objects of a folder in COCO's format, crowds included, without augmentation, and the network of
`pipelines/coco_detection.py` with its ImageNet weights. `SETTINGS` differ from that file: in 16 photos, 43 of 137 objects
are less than 8 pixels high or wide there, and 8 is the stride of its finest level. The trained network is exported, and the
SavedModel answers the encoded photos. The tests compare the same judgement with pycocotools. "s" is processor time. It
exits 1 below `--least`.
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

from kerasvision import config as c
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import load_experiment
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.ingesting.class_order import class_order
from kerasvision.data.inspecting.annotations import encode_objects, usable_annotations
from kerasvision.data.inspecting.inspection import inspect_image
from kerasvision.data.records import Record
from kerasvision.data.sources.coco import read_coco
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.predictions import predict_split_from_bytes
from kerasvision.export.writing.saved_model import MAX_PIXELS, export_saved_model
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import make_task
from kerasvision.training.fit import fit

SETTINGS = (
    "augment=[]",
    "transform.image_size=[448, 448]",
    "task.box_weight=2",
    "model.options.channels=64",
    "model.options.levels=p2-p6",
    "model.options.distances=exp",
    "training.batch_size=4",
    "training.precision=bfloat16",
    "training.optimizer.learning_rate=0.0015",
    "training.optimizer.weight_decay=0",
)
PIPELINE = Path(__file__).parents[2] / "pipelines" / "coco_detection.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=260)
    parser.add_argument("--least", type=float, default=0.95)
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="another setting, as in `run --set`")
    arguments = parser.parse_args()
    changes = [f"source.path={arguments.path}", f"training.epochs={arguments.epochs}", *SETTINGS, *arguments.overrides]
    experiment = load_experiment(PIPELINE, overrides=changes)
    with tempfile.TemporaryDirectory() as folder:
        examples = read(experiment.source, arguments.photos, Path(folder) / "data")
        began = time.process_time()
        saved_model = trained(experiment, examples, Path(folder) / "model")
        seconds = time.process_time() - began
        found = judged(experiment, examples, saved_model)
    print(f"{examples.count('train')} photos: AP50 {found:.3f} after {arguments.epochs} epochs, {seconds:.0f} s")
    sys.exit(found < arguments.least)


def read(source: c.Coco, count: int, folder: Path) -> ExampleSet:
    """The first photos with objects, all for training."""
    rows = [example(record) for record in itertools.islice((one for one in read_coco(source) if one.objects), count)]
    classes = class_order(thing["label"] for row in rows for thing in row.objects)
    write_examples(lambda _: rows, splits=("train",), classes=(), object_classes=classes, folder=folder)
    return ExampleSet(folder)


def example(record: Record) -> Example:
    data = record.load()
    facts = inspect_image(data, max_pixels=MAX_PIXELS)
    size = {"width": facts.width, "height": facts.height}
    objects, _ = encode_objects(usable_annotations(record, data, **size).objects, **size, masks=False)
    return Example(record.name, data, objects=objects)


def trained(experiment: Experiment, examples: ExampleSet, folder: Path) -> ServedModel:
    settings = TrainerSettings(task=experiment.task, model=experiment.model, training=experiment.training, augment=())
    transform = ImageTransform.fit(experiment.transform, examples.dataset("train").map(lambda example: example["image"]))
    names = examples.object_classes
    network = fit(settings, examples=examples, classes=names, transform=transform).model
    export_saved_model(network, task=make_task(settings.task, names), transform=transform, folder=folder)
    return ServedModel(folder)


def judged(experiment: Experiment, examples: ExampleSet, saved_model: ServedModel) -> float:
    task = make_task(experiment.task, examples.object_classes)
    answers = predict_split_from_bytes(examples, split="train", task=task, saved_model=saved_model)
    judgement = task.judge(ids=answers.ids, truth=answers.truth, predictions=answers.predictions)
    return judgement.scores["box_average_precision_50"]


if __name__ == "__main__":
    main()
