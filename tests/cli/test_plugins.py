"""A user's own source, network, augmentation, metric and stage, by their paths, with no change to the toolkit."""

import re

MODULE = '''
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import keras
import numpy as np

from kerasvision import config as c
from kerasvision.data.records import Record
from kerasvision.data.png import encode_png
from kerasvision.pipeline.artifacts import Examples, Out, Schema


class Halves(c.Source):
    """Images that are bright above or bright below."""

    implementation: ClassVar[str] = "mine:read_halves"
    count: int = 60


def read_halves(settings: Halves) -> Iterator[Record]:
    random = np.random.default_rng(0)
    for number in range(settings.count):
        pixels = random.integers(0, 100, (16, 16), dtype=np.uint8)
        above = number % 2 == 0
        pixels[slice(0, 8) if above else slice(8, 16)] += 120
        yield Record(f"{number}.png", partial(encode_png, pixels), "above" if above else "below")


class Darken(c.Augmentation):
    implementation: ClassVar[str] = "mine:darken"
    factor: float = 0.9


def darken(batch, *, numbers, settings):
    return {**batch, "image": batch["image"] * settings.factor}


def one_layer(*, image_shape, num_classes):
    image = keras.Input(image_shape)
    return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(image)))


def count_files(examples: Examples, schema: Out[Schema]) -> None:
    schema.properties["files"] = len(list(examples.uri.rglob("*")))
'''

METRIC = """
def hits(truth, scores, weights):
    return (scores.argmax(axis=1) == truth) @ weights / weights.sum(axis=0)
"""

PIPELINE = """
from kerasvision import config as c
from kerasvision.pipeline.standard import standard_pipeline

EXPERIMENT = c.Experiment(
    name="halves",
    source={"kind": "mine:Halves", "count": 120},
    transform=c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize"),
    augment=({"kind": "mine:Darken", "factor": 0.95},),
    task=c.Classification(top_k=2, metrics=("my_metric:hits",)),
    model=c.Model(name="mine:one_layer"),
    training=c.Training(epochs=5, batch_size=8),
    gate=c.Gate(c.AtLeast("hits", 0.9)),
    serving=c.Serving(latency_queries=5, canary_examples=12),
    simple_models=None,
)


def pipeline(experiment):
    made = standard_pipeline(experiment)
    made.add("mine:count_files", examples=made.node("example_gen").examples)
    return made
"""


def test_own_parts_are_found_used_and_watched_for_changes(kerasvision, tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "my_metric.py").write_text(METRIC)
    (tmp_path / "halves.py").write_text(PIPELINE)
    done = kerasvision("run", "halves.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "count_files ran" in re.sub(r"\s+", " ", done.stderr)
    assert (tmp_path / "saved_models" / "halves" / "1" / "saved_model.pb").is_file()
    assert "0 of 11 stages executed" in kerasvision("run", "halves.py", cwd=tmp_path).stdout
    (tmp_path / "my_metric.py").write_text(METRIC.replace("argmax", "argmin"))
    planned = kerasvision("plan", "halves.py", cwd=tmp_path).stdout
    assert re.search(r"evaluator\s+run\s+source file my_metric: content changed", planned)
    assert set(re.findall(r"(\w+)\s+reuse\b", planned)) >= {"example_gen", "trainer", "exporter"}
    (tmp_path / "mine.py").write_text(MODULE.replace("* settings.factor", "* settings.factor + 1"))
    planned = kerasvision("plan", "halves.py", cwd=tmp_path).stdout
    assert re.search(r"example_gen\s+run\s+source file mine: content changed", planned)
