"""A captioner runs through the same pipeline as a classifier, from a source to a model that writes sentences."""

import json

import pandas as pd
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import standard_pipeline

pytestmark = pytest.mark.slow

# The captions are longer, and are truncated.
LONGEST = 3


# By default, tests/cli/test_pages.py types the page about captioners, and tests/export/test_sentences.py exports one.
NETWORKS = {
    "show_and_tell": {"backbone": "lenet5", "embedding": 8, "units": 8, "dropout": 0.0},
    "show_attend_tell": {"backbone": "resnet9", "width": 0.05, "embedding": 8, "units": 8, "attention": 8, "dropout": 0.0},
}


def experiment(network):
    return c.Experiment(
        name="tiny",
        source=c.Shapes(count=60, image_size=(32, 32)),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Captioning(vocabulary=c.Words(min_count=2), max_length=LONGEST, decoding=c.BeamSearch(width=2), captions=2),
        model=c.Model(name=network, options=NETWORKS[network]),
        training=c.Training(
            epochs=1,
            batch_size=8,
            optimizer=c.Adam(learning_rate=1e-2),
            precision="bfloat16" if network == "show_attend_tell" else "float32",
        ),
        evaluation=c.Evaluation(resamples=100, splits=("test",)),
        serving=c.Serving(canary_examples=16, latency_queries=5),
        gate=c.Gate(c.AtLeast("bleu_4", 0.0), c.AtMost("perplexity", 1e6)),
    )


@pytest.fixture(scope="module", params=NETWORKS)
def pipeline(request):
    return standard_pipeline(experiment(request.param))


@pytest.fixture(scope="module")
def root(tmp_path_factory, pipeline):
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture(scope="module")
def result(pipeline, root):
    return run(pipeline, root=root, until="evaluator")


@pytest.fixture(scope="module")
def exported(result):
    return tf.saved_model.load(str(result.artifact("exporter", "saved_model").saved_model))


def test_the_exported_model_says_two_sentences_of_each_image(result, exported):
    examples = ExampleSet(result.artifact("example_gen", "examples").data)
    images = [example["image"] for example in examples.dataset("test")]
    answer = exported.signatures["serving_default"](image_bytes=tf.stack(images))
    assert answer["captions"].shape == answer["scores"].shape == (len(images), 2)
    assert answer["captions"].dtype == tf.string
    assert (answer["scores"].numpy()[:, 0] >= answer["scores"].numpy()[:, 1]).all()


def test_what_is_judged_is_what_the_exported_model_says(result, exported):
    examples = ExampleSet(result.artifact("example_gen", "examples").data)
    rows = pd.read_parquet(result.artifact("evaluator", "evaluation").uri / "predictions.parquet").set_index("id")
    for example in examples.dataset("test"):
        said = exported.signatures["serving_default"](image_bytes=example["image"][None])["captions"][0, 0]
        row = rows.loc[example["id"].numpy().decode()]
        assert row["caption"] == said.numpy().decode()
        assert row["captions"] == " | ".join(caption.decode() for caption in example["captions"].numpy())


@pytest.mark.slow  # tests/faults/test_bad_folder.py pushes a classifier, and the last two stages treat every task alike
def test_the_pushed_model_is_blessed_and_is_the_exported_one(pipeline, root, result):
    whole = run(pipeline, root=root)
    assert whole.artifact("infra_validator", "blessing").properties["blessed"] == 1
    exported = result.artifact("exporter", "saved_model").saved_model
    pushed = root / "saved_models" / "tiny" / "1"
    for file in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        assert (pushed / file).read_bytes() == (exported / file).read_bytes()


def test_the_words_are_those_of_the_training_captions(result):
    examples = ExampleSet(result.artifact("example_gen", "examples").data)
    names = json.loads(result.artifact("transform", "transform_graph").file.with_name("names.json").read_text())
    captions = [text.decode() for example in examples.dataset("train") for text in example["captions"].numpy()]
    said = {word.strip(",:") for caption in captions for word in caption.split()}
    assert names[:4] == ["[padding]", "[unknown]", "[start]", "[end]"]
    assert set(names[4:]) <= said


def test_a_second_run_executes_nothing(pipeline, root, result):
    again = run(pipeline, root=root, until="evaluator")
    assert [stage.node for stage in again.stages if not stage.reused] == []
