"""What the scores of the whole validation split add to an epoch of a small detector.

    python tests/benchmarks/epoch_scores.py

Network, task and training of `pipelines/shapes_detection.py` on 1,500 scenes of 96 x 96, with 300 scenes to validate. It
prints the processor seconds of the second epoch's steps, and of a validation with and without the scores: the smallest of
three, after one that builds the graph.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parent))

import tensorflow as tf
from detection import PIPELINE, SCENES, scenes

from kerasvision.config.loading import load_experiment
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.transform import ImageTransform
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.parts import make_parts

VALIDATIONS = 3


def main() -> None:
    experiment = load_experiment(PIPELINE)
    with tempfile.TemporaryDirectory() as folder:
        examples = scenes(Path(folder) / "data")
        images = examples.dataset("train").map(lambda one: one["image"])
        parts = make_parts(
            TrainerSettings(
                task=experiment.task,
                model=experiment.model,
                training=experiment.training,
                augment=experiment.augment,
            ),
            examples=examples,
            classes=SCENES.classes,
            transform=ImageTransform.fit(experiment.transform, images),
            strategy=tf.distribute.get_strategy(),
            workers=WorkerGroup(),
            policy="float32",
        )
        step, validation = parts.step, parts.validation
        iterator = iter(step.share_out(parts.batches(encode=parts.task.encode, start_step=0)))
        steps = seconds(lambda: step.run(iterator, parts.steps_per_epoch), times=1)
        plain = seconds(lambda: step.evaluate(validation, collects=False), times=VALIDATIONS)
        scored = seconds(lambda: step.evaluate(validation), times=VALIDATIONS)
    print(f"steps {steps:.2f} s, validation {plain:.2f} s, with scores {scored:.2f} s")
    print(f"the scores add {(scored - plain) / (steps + plain):.1%} to an epoch")


def seconds(run: Callable[[], object], *, times: int) -> float:
    """The smallest processor time of some calls, all threads together, after one that does not count."""
    found = []
    for _ in range(times + 1):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return min(found[1:])


if __name__ == "__main__":
    main()
