"""What class weights and balanced sampling are worth when some classes have few photos: macro F1 on photos of all classes.

    python tests/benchmarks/uneven_classes.py --train flowers/train --judge flowers/val --seeds 3
    python tests/benchmarks/uneven_classes.py --train flowers/train --judge flowers/val --network none --epochs 4

Of the class folders of TRAIN, in alphabetical order, the first 80, 80, 40, 20 and 10 photos are taken. `kerasvision new`
writes the pipeline, which is trained three times with each seed: without any balance, with `class_weights="balanced"`, and
with `sampling="balanced"`. The SavedModels answer all photos of JUDGE. Means have 95 % intervals of Student's t over the
seeds, and so have the differences from the training without any balance.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flowers_defaults
import numpy as np
import tensorflow as tf
from localization import interval
from sklearn.metrics import f1_score

from kerasvision.config.sources import ImageFolder
from kerasvision.data.first_look import look_at
from kerasvision.data.recipes import PRETRAINED, choose, installed_network
from kerasvision.data.scaffold import pipeline_text
from kerasvision.data.sources.image_folder import read_image_folder
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import load_pipeline

PHOTOS = (80, 80, 40, 20, 10)
WAYS = {
    "neither": ("task.class_weights=null", "training.sampling=all"),
    "class weights": ("task.class_weights=balanced", "training.sampling=all"),
    "balanced sampling": ("task.class_weights=null", "training.sampling=balanced"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="by default those of the recipe")
    parser.add_argument(
        "--network", choices=("none", *PRETRAINED), help="whose weights are used; by default those that `new` uses"
    )
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as scratch:
        few = uneven(arguments.train, Path(scratch) / "photos")
        look = look_at(few)
        network = installed_network() if arguments.network is None else arguments.network
        recipe = choose(look, network=None if network == "none" else network, epochs=arguments.epochs)
        file = Path(scratch) / "uneven.py"
        file.write_text(pipeline_text("uneven", look=look, recipe=recipe))
        for seed in range(arguments.seeds):
            for way, overrides in WAYS.items():
                pipeline = load_pipeline(file, overrides=[*overrides, "training.final=null", f"training.seed={seed}"])
                began = flowers_defaults.processor_seconds()
                saved = run(pipeline, root=scratch, until="exporter").artifact("exporter", "saved_model").saved_model
                seconds = flowers_defaults.processor_seconds() - began
                found[way].append(macro_f1(saved, arguments.judge))
                print(f"{way}, seed {seed}: {found[way][-1]:.4f}, {seconds:.0f} processor seconds", flush=True)
    first = np.array(found["neither"])
    for way, values in found.items():
        print(f"{way}: macro F1 {interval(np.array(values))}; more than neither: {interval(np.array(values) - first)}")


def uneven(train: Path, folder: Path) -> Path:
    """Class folders with links to the first photos of each class."""
    for number, label in zip(PHOTOS, sorted(path for path in train.iterdir() if path.is_dir()), strict=True):
        (folder / label.name).mkdir(parents=True)
        for photo in sorted(label.iterdir())[:number]:
            (folder / label.name / photo.name).symlink_to(photo.resolve())
    return folder


def macro_f1(saved: Path, images: Path) -> float:
    """Of a SavedModel's answers for a folder of class folders."""
    answer = tf.saved_model.load(saved).signatures["serving_default"]
    records = [record for record in read_image_folder(ImageFolder(path=images)) if not record.fault]
    answered = [answer(image_bytes=tf.constant([one.load()]))["classes"].numpy()[0].decode() for one in records]
    return float(f1_score([one.label for one in records], answered, average="macro"))


if __name__ == "__main__":
    main()
