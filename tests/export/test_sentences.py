"""A captioner's SavedModel answers with the network's sentences: in another process, at the command line, in a server."""

import base64
import json
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from kerasvision import config as c
from kerasvision import models
from kerasvision.cli import app
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.evaluation.predictions import predict_split_from_bytes
from kerasvision.export.proof import parity
from kerasvision.export.proof.canary import answers, expected_answers
from kerasvision.export.proof.contract import check_contract
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.served.model import ServedModel
from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import ServedVersion
from kerasvision.serving.protocol import read_request
from kerasvision.tasks.base import make_task
from kerasvision.tasks.captioning.tokens import SPECIAL

WORDS = ("a", "red", "dog", "über", "the", "left")
NAMES = (*SPECIAL, *WORDS)
LENGTH = 4


def task_of(decoding, **fields):
    return make_task(c.Captioning(max_length=LENGTH, decoding=decoding, **fields), NAMES)


@pytest.fixture(scope="module")
def network():
    """A network with random weights, larger than initial ones, so that its answers differ between images."""
    keras.utils.set_random_seed(3)
    made = models.build(
        "show_attend_tell",
        image_shape=(32, 32, 3),
        num_classes=len(NAMES),
        backbone="resnet9",
        width=0.125,
        max_length=LENGTH,
        embedding=8,
        units=8,
        attention=8,
    )
    random = np.random.default_rng(1)
    for layer in made.layers:
        if layer.name.startswith("decoder") or layer.name == "logits":
            # The initial states depend on the image, which matters most.
            size = 5 if layer.name in ("decoder_h1", "decoder_c1") else 1
            layer.set_weights([random.normal(0, size, one.shape) * (one.ndim > 1) for one in layer.get_weights()])
    return made


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(2)
    pixels = [(random.integers(0, 256, (40, 30, 3)) // (1 + number % 4)).astype(np.uint8) for number in range(8)]
    return [tf.io.encode_png(one).numpy() for one in pixels]


@pytest.fixture(scope="module")
def exported(network, images, tmp_path_factory):
    """The network as a SavedModel that answers with the two best captions of a beam."""
    folder = tmp_path_factory.mktemp("sentences") / "1"
    task = task_of(c.BeamSearch(width=3), captions=2)
    transform = ImageTransform(c.Transform(image_size=(32, 32)), (0.0,) * 3, (1.0,) * 3)
    described = export_saved_model(network, task=task, transform=transform, folder=folder)
    proof = expected_answers(task, network, images, transform)
    return SimpleNamespace(
        folder=folder, task=task, transform=transform, described=described, expected=proof.of_bytes, proof=proof
    )


@pytest.fixture(scope="module")
def served(exported):
    return ServedModel(exported.folder)


def texts(rows):
    return [[text.decode() for text in row] for row in rows]


def test_the_network_says_different_things_of_different_images(exported):
    said = texts(exported.expected["captions"])
    assert len({row[0] for row in said}) > 1
    assert {word for row in said for text in row for word in text.split()} <= set(WORDS)
    assert (np.diff(exported.expected["scores"], axis=1) <= 0).all()


# Other tests compare the sentences of `served`, and tests of parity ask another process.
@pytest.mark.slow
def test_another_process_gives_the_same_sentences(exported, images, forked_process, monkeypatch):
    monkeypatch.setattr(parity, "take", forked_process)
    pixels = np.stack([exported.transform.pixels(image).numpy() for image in images])
    settings = c.Serving(latency_queries=5)
    certificate = parity.prove(exported.folder, images=images, expected=exported.proof, pixels=pixels, settings=settings)
    assert (certificate.complaints, certificate.blessed) == ((), True)
    assert certificate.found["rest"] == {"instances": 0.0, "inputs": 0.0}


def test_the_signatures_are_those_of_the_contract(exported):
    complaints, signatures = check_contract(exported.folder)
    assert complaints == []
    assert signatures["serving_default"]["outputs"] == {
        "captions": ("string", [None, 2]),
        "scores": ("float32", [None, 2]),
        "valid": ("bool", [None]),
    }
    assert signatures["score_captions"] == {
        "inputs": {"captions": ("string", [None, None]), "image_bytes": ("string", [None])},
        "outputs": {
            "log_likelihoods": ("float32", [None, None]),
            "tokens": ("int32", [None, None]),
            "valid": ("bool", [None]),
        },
    }
    assert signatures["explain"]["outputs"]["words"] == ("string", [None, LENGTH + 1])
    meanings = [
        one["meaning"] for signature in exported.described.values() for part in signature.values() for one in part.values()
    ]
    assert all(meanings)


def test_a_loaded_model_gives_the_same_sentences(served, exported, images):
    found = served("serving_default", image_bytes=tf.constant(images))
    assert texts(found["captions"].numpy()) == texts(exported.expected["captions"])
    np.testing.assert_allclose(found["scores"], exported.expected["scores"], rtol=1e-5)


def test_a_row_that_is_no_image_has_empty_sentences(served, exported, images):
    found = served("serving_default", image_bytes=tf.constant([images[0], b"none", images[1]]))
    assert found["valid"].numpy().tolist() == [True, False, True]
    assert texts(found["captions"].numpy())[1] == ["", ""]
    assert texts(found["captions"].numpy())[::2] == texts(exported.expected["captions"][:2])
    scored = served(
        "score_captions", image_bytes=tf.constant([b"none", images[1]]), captions=tf.constant([["a red dog"]] * 2)
    )
    assert (scored["tokens"].numpy().tolist(), scored["valid"].numpy().tolist()) == ([[0], [4]], [False, True])


def test_the_score_of_a_sentence_is_its_likelihood_over_its_length(served, exported, images):
    captions = tf.constant(np.concatenate([exported.expected["captions"], np.full((len(images), 1), b"")], axis=1))
    found = served("score_captions", image_bytes=tf.constant(images), captions=captions)
    told, tokens = found["log_likelihoods"].numpy(), found["tokens"].numpy()
    assert (told[:, 2].tolist(), tokens[:, 2].tolist()) == ([0] * 8, [0] * 8)
    np.testing.assert_allclose(told[:, :2] / tokens[:, :2] ** 0.7, exported.expected["scores"], rtol=1e-5)


@pytest.mark.slow
def test_the_words_are_explained_by_places_of_the_image(served, exported, images):
    found = served("explain", image_bytes=tf.constant(images))
    words = texts(found["words"].numpy())
    assert [" ".join(filter(None, row)) for row in words] == [row[0] for row in texts(exported.expected["captions"])]
    shares = found["attention"].numpy().sum(axis=(2, 3))
    np.testing.assert_allclose(shares, [[float(bool(word)) for word in row] for row in words], atol=1e-5)


# tests/tasks/captioning/test_decoding.py compares images alone and among others without a network.
@pytest.mark.slow
def test_samples_are_the_same_whether_an_image_is_alone_or_not(network, images, exported):
    sample = task_of(c.Sample(temperature=1.5, top_k=4, seed=3))
    predict = tf.function(
        sample.predictor(network), autograph=False, input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.float32)]
    )
    together = answers(lambda pixels, _: predict(pixels), images, exported.transform)
    alone = [answers(lambda pixels, _: predict(pixels), [image], exported.transform) for image in images]
    assert texts(together["captions"]) == [texts(one["captions"])[0] for one in alone]
    assert len({row[0] for row in texts(together["captions"])}) > 1


def test_an_evaluation_asks_for_the_likelihood_of_what_people_wrote(served, exported, images, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasvision.evaluation.predictions.BATCH_SIZE", 2)
    truth = [("a dog",), ("red", "the red dog"), (), (), ("left",) * 3, ("a",)]
    rows = [(f"{number}", images[number], "", list(captions)) for number, captions in enumerate(truth)]
    write_examples(lambda split: rows, splits=["test"], classes=(), folder=tmp_path / "data", captions=True)
    found = predict_split_from_bytes(ExampleSet(tmp_path / "data"), split="test", task=exported.task, saved_model=served)
    assert dict(zip(found.ids, found.truth, strict=True)) == {f"{number}": one for number, one in enumerate(truth)}
    counts = dict(zip(found.ids, found.predictions["tokens"].tolist(), strict=True))
    width = len(counts["0"])
    assert counts == {
        f"{number}": [len(one.split()) + 1 for one in captions] + [0] * (width - len(captions))
        for number, captions in enumerate(truth)
    }
    assert ((found.predictions["log_likelihoods"] < 0) == (found.predictions["tokens"] > 0)).all()
    said = dict(zip(found.ids, texts(found.predictions["captions"]), strict=True))
    assert [said[f"{number}"] for number in range(6)] == texts(exported.expected["captions"][:6])


def test_a_vocabulary_that_is_not_the_networks_is_refused(network):
    larger = make_task(c.Captioning(max_length=LENGTH), (*NAMES, "more"))
    with pytest.raises(ConfigError, match="has 10 tokens, and this vocabulary has 11. Use the transform of the run"):
        larger.predictor(network)
    with pytest.raises(ConfigError, match="captions of at most 4 tokens; received 9. Set task.max_length to 4"):
        make_task(c.Captioning(max_length=9), NAMES).extra_signatures(network)


# --- At the command line


@pytest.fixture
def photo(images, tmp_path):
    (tmp_path / "photo.png").write_bytes(images[0])
    return tmp_path / "photo.png"


def predict(*arguments):
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made_by_hand(tmp_path_factory):
    """A SavedModel that says the same two sentences of every image, counts words, and loads at once."""
    module = tf.Module()
    module.scores = tf.Variable([[-0.5, -0.75]])

    def say(image_bytes):
        rows = tf.shape(image_bytes)[0]
        captions = tf.tile([["a red dog", "über the dog"]], [rows, 1])
        return {"captions": captions, "scores": tf.tile(module.scores, [rows, 1]), "valid": tf.fill([rows], True)}

    def score(image_bytes, captions):
        spaces = tf.strings.length(captions) - tf.strings.length(tf.strings.regex_replace(captions, " ", ""))
        return {"tokens": tf.reshape(spaces + 2, [tf.size(image_bytes), -1])}

    specs = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    more = [*specs, tf.TensorSpec([None, None], tf.string, name="captions")]
    signatures = {
        "serving_default": tf.function(say, input_signature=specs),
        "score_captions": tf.function(score, input_signature=more),
    }
    folder = tmp_path_factory.mktemp("made_by_hand")
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def test_a_line_holds_the_sentences_of_an_image(made_by_hand, photo):
    assert "a red dog | über the dog" in " ".join(predict(made_by_hand, photo).split())


def test_json_holds_all_sentences_and_scores(made_by_hand, photo):
    answer = json.loads(predict(made_by_hand, photo, "--json"))
    assert (answer["captions"], answer["scores"]) == (["a red dog", "über the dog"], [-0.5, -0.75])


@pytest.mark.slow
def test_json_holds_the_sentences_and_scores_of_the_network(exported, photo):
    answer = json.loads(predict(exported.folder, photo, "--json"))
    assert answer["captions"] == texts(exported.expected["captions"])[0]
    np.testing.assert_allclose(answer["scores"], exported.expected["scores"][0], rtol=1e-5)


def test_a_table_holds_all_sentences_and_scores(made_by_hand, photo, tmp_path):
    predict(made_by_hand, photo, "--out", tmp_path / "answers.parquet")
    (row,) = pd.read_parquet(tmp_path / "answers.parquet").to_dict("records")
    assert (row["captions"].tolist(), row["scores"].tolist()) == (["a red dog", "über the dog"], [-0.5, -0.75])
    assert row.keys() == {"path", "captions", "scores", "fault"}


# --- In a server


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(params=["made by hand", pytest.param("network", marks=pytest.mark.slow)])
def scoring(request):
    """The folder of a SavedModel that scores captions; both give them one token for each word and one for the end."""
    if request.param == "network":
        return request.getfixturevalue("exported").folder
    return request.getfixturevalue("made_by_hand")


def test_a_server_scores_sentences_whatever_they_begin_with(scoring, images):
    signatures = ServedVersion(scoring, version=1).signatures
    rows = [{"image_bytes": b64(images[0]), "captions": ["BM is a dog", "a dog"]}]
    body = json.dumps({"signature_name": "score_captions", "instances": rows}).encode()
    asked = read_request(body, signatures, Limits())
    # Only the image's 40 x 30 pixels count, although "BM" is how a bitmap begins.
    assert (asked.pixels, asked.columns["captions"].tolist()) == ((1200,), [[b"BM is a dog", b"a dog"]])
    assert asked.signature(asked.columns)["tokens"].tolist() == [[5, 3]]
    with pytest.raises(Refused, match="unequal lengths"):
        read_request(body.replace(b"]}]", b']}, {"image_bytes": "", "captions": []}]'), signatures, Limits())
