"""How many captions of unseen scenes of shapes are true, and whether the network looks at the shapes that it names.

    python tests/benchmarks/caption_truth.py pipelines/shapes_captioner.py --seeds 3
    python tests/benchmarks/caption_truth.py pipelines/shapes_captioner.py --seeds 1 --set training.epochs=2

Each seed is one run of the pipeline. The first run starts from an empty root, so its seconds are those of the whole
pipeline; the others share the data stages. The captions are those that the evaluator got from the SavedModel for the test
split. A caption is true if `kerasvision.data.sources.shape_truth` finds it true for the scene of its example's number; a
caption that it cannot parse is false. The interval is Wilson's, over the scenes, at 95 %.

`attention`: for each word that names a shape ("star" in "a small red star"), the share of the attention on the visible
pixels of that shape, and the share of the image that these pixels cover. Printed are the means of both over all
these words, and the ratio of the first to the second.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.stats import binomtest

from kerasvision.config.loading import experiment_of, load_pipeline_module
from kerasvision.config.sources import Shapes
from kerasvision.data.examples import ExampleSet
from kerasvision.data.sources.shape_scenes import Scene, Shape, make_scene
from kerasvision.data.sources.shape_truth import is_true, shape_called
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import load_pipeline
from kerasvision.served.model import ServedModel

# Names in the evaluation's scores that belong to single captions.
SCORES = ("bleu_1", "bleu_4", "rouge_l", "meteor", "cider_d", "perplexity", "exact_match", "distinct_captions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--show", type=int, default=0, help="print this many captions, the false ones first")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as root:
        for seed in range(arguments.first, arguments.seeds):
            rows.append(one_seed(arguments, [*arguments.overrides, f"training.seed={seed}"], Path(root)))
            print(f"seed {seed}: " + ", ".join(f"{name} {value:.4f}" for name, value in rows[-1].items()), flush=True)
    for name in (name for name in rows[0] if all(name in row for row in rows)):
        values = [row[name] for row in rows]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: {statistics.mean(values):.4f} +- {deviation:.4f} (n={len(values)})")


def one_seed(arguments: argparse.Namespace, overrides: list[str], root: Path) -> dict[str, float]:
    """The results of one run."""
    source = experiment_of(load_pipeline_module(arguments.pipeline), overrides=overrides).source
    began = time.monotonic()
    result = run(load_pipeline(arguments.pipeline, overrides=overrides), root=root)
    seconds = time.monotonic() - began
    evaluation = result.artifact("evaluator", "evaluation")
    scores = json.loads(evaluation.scores.read_text())["splits"]["test"]["scores"]
    answers = pd.read_parquet(evaluation.uri / "predictions.parquet")
    examples = ExampleSet(result.artifact("example_gen", "examples").data)
    attention = attention_on_shapes(ServedModel(result.artifact("exporter", "saved_model").saved_model), examples, source)
    found = {name: scores[name]["score"] for name in SCORES if name in scores}
    return {**truth(answers, source, show=arguments.show), **attention, **found, "seconds": seconds}


def truth(answers: pd.DataFrame, source: Shapes, *, show: int) -> dict[str, float]:
    """The share of true captions, and its interval; `answers` has the columns id and caption."""
    true = np.array(
        [is_true(caption, scene_of(name, source)) for name, caption in zip(answers["id"], answers["caption"], strict=True)]
    )
    for row in np.argsort(true, kind="stable")[:show]:
        print(f"    {'true ' if true[row] else 'FALSE'} {answers['id'][row]} {answers['caption'][row]}")
    ends = binomtest(int(true.sum()), len(true)).proportion_ci(0.95, method="wilson")
    return {"true": float(true.mean()), "low": float(ends.low), "high": float(ends.high), "scenes": float(len(true))}


def scene_of(name: str, source: Shapes) -> Scene:
    """The scene from which an example was made."""
    return make_scene(source, int(Path(name).stem))


def attention_on_shapes(model: ServedModel, examples: ExampleSet, source: Shapes) -> dict[str, float]:
    """Means over all words of the test split's captions that name a shape."""
    if "explain" not in model.signatures:
        return {}
    masses, areas = [], []
    for batch in examples.dataset("test").map(lambda example: {"image": example["image"], "id": example["id"]}).batch(64):
        answer = model("explain", image_bytes=batch["image"])
        for name, said, maps in zip(batch["id"].numpy(), answer["words"].numpy(), answer["attention"].numpy(), strict=True):
            scene = scene_of(name.decode(), source)
            for place, shape in named_shapes([word.decode() for word in said], scene):
                covered = shape_on_map(shape, maps.shape[1:])
                masses.append(float((maps[place] * covered).sum()))
                areas.append(float(covered.mean()))
    if not masses:
        return {"named": 0.0}
    mass, area = statistics.mean(masses), statistics.mean(areas)
    return {"attention": mass, "area": area, "ratio": mass / area, "named": float(len(masses))}


def named_shapes(said: list[str], scene: Scene) -> Iterator[tuple[int, Shape]]:
    """(position of the word, the shape that it names), for words that follow a colour and name a shape of that colour."""
    for place in range(1, len(said)):
        shape = shape_called(scene, f"a {said[place - 1]} {said[place]}") if said[place] else None
        if shape is not None:
            yield place, shape


def shape_on_map(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """float32 (h, w): the share of each cell of the map that the shape covers."""
    return tf.image.resize(shape.visible[..., None].astype(np.float32), size, method="area").numpy()[..., 0]


if __name__ == "__main__":
    main()
