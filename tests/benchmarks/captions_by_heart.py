"""Whether a captioner can memorize a few photos: its caption of each must be one of the photo's own captions.

    python tests/benchmarks/captions_by_heart.py ../shared/data/coco-open
    python tests/benchmarks/captions_by_heart.py ../shared/data/coco-open --network show_and_tell

It uses the first photos with captions of a folder in COCO's format, all five captions of each in every step, and the
vocabulary of these captions. The trained network captions them with beam search in float32, as in serving. It prints a line
per photo and how many captions are exact; it exits 1 if one is not.
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.sources.coco import read_coco
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import make_task
from kerasvision.tasks.captioning.text import words_of
from kerasvision.tasks.captioning.vocabulary import fit_words
from kerasvision.training.fit import fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--network", default="show_attend_tell")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--steps", type=int, default=150)
    arguments = parser.parse_args()
    began = time.process_time()
    settings = TrainerSettings(
        task=c.Captioning(vocabulary=c.Words(min_count=1), max_length=30),
        model=c.Model(
            name=arguments.network,
            options={"backbone": arguments.backbone, "embedding": 128, "units": 256, "dropout": 0.0},
        ),
        training=c.Training(
            epochs=arguments.steps, batch_size=arguments.photos, optimizer=c.Adam(learning_rate=1e-3), clip_norm=5.0
        ),
        augment=(),
    )
    with tempfile.TemporaryDirectory() as folder:
        exact = learned(settings, read(arguments.path, arguments.photos, Path(folder) / "data"), side=arguments.side)
    seconds = time.process_time() - began
    print(f"{exact} of {arguments.photos} exact after {arguments.steps} steps, {seconds:.0f} s of processor time")
    sys.exit(exact < arguments.photos)


def read(path: Path, count: int, folder: Path) -> ExampleSet:
    """The first photos with captions, all for training."""
    records = (record for record in read_coco(c.Coco(path=path, annotations=("captions",))) if record.captions)
    rows = [Example(record.name, record.load(), captions=record.captions) for record in itertools.islice(records, count)]
    write_examples(lambda _: rows, splits=("train",), classes=(), folder=folder, captions=True)
    return ExampleSet(folder)


def learned(settings: TrainerSettings, examples: ExampleSet, *, side: int) -> int:
    """For how many photos the trained network's caption equals one of the photo's captions, word by word."""
    images = examples.dataset("train").map(lambda example: example["image"])
    transform = ImageTransform.fit(c.Transform(image_size=(side, side), fit="crop", scale="standardize"), images)
    names = fit_words(settings.task.vocabulary, examples)
    network = fit(settings, examples=examples, classes=names, transform=transform).model
    predict = make_task(settings.task, names).predictor(network)
    exact = 0
    for example in examples.dataset("train"):
        pixels = transform.scaled(transform.pixels(example["image"])[None])
        said = predict(pixels)["captions"][0, 0].numpy().decode()
        known = [" ".join(words) for words in as_words(example["captions"], settings)]
        exact += said in known
        print(f"{'exact' if said in known else 'OTHER'}  {example['id'].numpy().decode()}  {said}")
    return exact


def as_words(captions: tf.Tensor, settings: TrainerSettings) -> list[list[str]]:
    """The words of each caption as the vocabulary splits them."""
    return [[word.decode() for word in words] for words in words_of(captions, settings.task.vocabulary).to_list()]


if __name__ == "__main__":
    main()
