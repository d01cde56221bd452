"""The time for decoded images through a served model: by precision, with OpenVINO as its engine, and with OpenVINO alone.

    python tests/benchmarks/engines.py [--model resnet50] [--side 224] [--rounds 7] [--batches 1 32]

All ways take turns; the results are medians of processor time and of wall time for each image, and ratios to the last way.
"alone" is the same network without the functions of the SavedModel before and after it. The weights are random.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.fast_network import fast_network
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.export.writing.formats.openvino import write_openvino
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.export.writing.shared_network import SharedNetwork
from kerasvision.lookup import ENGINES
from kerasvision.served.engine import exported_mark, network_file
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import make_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    network = models.build(arguments.model, image_shape=shape, num_classes=1000)
    with tempfile.TemporaryDirectory() as scratch:
        ways = {}
        for precision in (None, "float32", "bfloat16"):
            folder = Path(scratch) / str(precision)
            export(network, folder, shape, precision)
            ways[f"precision={precision}"] = ask(ServedModel(folder))
        for engine in ENGINES:
            file = write_network(network, Path(scratch) / "None", shape, engine)
            ways[f"--engine {engine}"] = ask(ServedModel(Path(scratch) / "None", engine=engine))
            ways[f"{engine} alone"] = ENGINES.load(engine)(file)
        for count in arguments.batches:
            images = np.random.default_rng(0).uniform(0, 255, (count, *shape)).astype(np.float32)
            report(ways, images, arguments.rounds)


def export(network: keras.Model, folder: Path, shape: tuple[int, int, int], precision: str | None) -> None:
    """A SavedModel of a classifier of 1,000 classes, with the functions that an engine needs."""
    task = make_task(c.Classification(), tuple(f"class {number}" for number in range(1000)))
    transform = ImageTransform(c.Transform(image_size=shape[:2]), (0.0,) * 3, (1.0,) * 3)
    after = SharedNetwork(network, shape=shape).answers_of(task, temperature=1.0)
    fast = fast_network(network, precision=precision) if precision else None
    export_saved_model(network, task=task, transform=transform, folder=folder, after_network=after, fast=fast)


def write_network(network: keras.Model, saved_model: Path, shape: tuple[int, int, int], engine: str) -> Path:
    """The network for an engine, where a SavedModel has it; engines that share a file write it once."""
    file = network_file(saved_model, engine)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        shared = SharedNetwork(network, shape=shape)
        write_openvino(Exported(shared.numbered, shape, saved_model, lambda count: iter(())), file, kind=engine)
    exported_mark(saved_model, engine).touch()
    return file


def ask(served: ServedModel):
    """The model as a function of pixels float32 (N, H, W, C)."""
    return lambda images: served("serve_tensor", image=tf.constant(images))["scores"].numpy()


def report(ways: dict, images: np.ndarray, rounds: int) -> None:
    """Asks all ways in turns, and prints milliseconds for each image, and the ratios to the last way."""
    wall, processor = ({name: [] for name in ways} for _ in range(2))
    for _ in range(rounds + 2):
        for name, answer in ways.items():
            began = time.perf_counter(), time.process_time()
            answer(images)
            wall[name].append(1000 * (time.perf_counter() - began[0]) / len(images))
            processor[name].append(1000 * (time.process_time() - began[1]) / len(images))
    last = [*ways][-1]
    for name in ways:
        both = [np.median(measured[name][2:]) for measured in (processor, wall)]
        ratios = [value / np.median(measured[last][2:]) for value, measured in zip(both, (processor, wall), strict=True)]
        print(
            f"{len(images):3} images  {name:30} processor {both[0]:7.2f} ms ({ratios[0]:.2f}x)"
            f"   wall {both[1]:7.2f} ms ({ratios[1]:.2f}x)"
        )


if __name__ == "__main__":
    main()
