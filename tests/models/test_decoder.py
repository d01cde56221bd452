"""Word by word a captioner gives the same logits as for a whole caption at once, also when loaded from its file."""

import keras
import numpy as np
import pytest

from kerasvision.models import build
from kerasvision.models.decoder import Decoder, taught

WORDS, STEPS = 9, 5
KINDS = [
    pytest.param(("show_and_tell", {}), marks=pytest.mark.slow),
    pytest.param(("show_and_tell", {"cell": "gru", "layers": 2}), marks=pytest.mark.slow),
    ("show_attend_tell", {"attention": 7, "attention_maps": True}),
    ("show_attend_tell", {"attention": 7, "cell": "rnn", "layers": 2}),
]


def captioner(name, **options):
    keras.utils.set_random_seed(0)
    return build(
        name,
        image_shape=(16, 24, 3),
        num_classes=WORDS,
        backbone="resnet9",
        width=0.125,
        max_length=STEPS - 1,
        embedding=6,
        units=5,
        **{"dropout": 0.0, **options},
    )


@pytest.fixture(scope="module", params=KINDS, ids=str)
def network(request):
    """A captioner of each kind, which no test changes."""
    name, options = request.param
    return captioner(name, **options)


@pytest.fixture
def inputs():
    random = np.random.default_rng(0)
    images = random.normal(size=(3, 16, 24, 3)).astype("float32")
    return [images, random.integers(WORDS, size=(3, 2, STEPS), dtype="int32")]


class TrueWord(keras.layers.Layer):
    def call(self, inputs):
        return inputs[0]


class LikeliestWord(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.cast(keras.ops.argmax(inputs[1], axis=-1), "int32")


def logits_of(answers):
    return answers["logits"] if isinstance(answers, dict) else answers


def test_steps_of_a_loaded_network_equal_the_whole_caption(network, inputs, tmp_path):
    network.save(tmp_path / "captioner.keras")
    decoder = Decoder(keras.saving.load_model(tmp_path / "captioner.keras"))
    images, tokens = inputs
    told = network(inputs)
    # Each row is a caption: the rows of an image are repeated for its two captions.
    memory = tuple(np.repeat(part, 2, axis=0) for part in decoder.encode(images))
    states = decoder.start(memory)
    for number, words in enumerate(tokens.reshape(6, STEPS).T):
        logits, states, attention = decoder.step(memory, words, states)
        np.testing.assert_allclose(logits, np.reshape(logits_of(told), (6, STEPS, WORDS))[:, number], rtol=0, atol=1e-5)
        if isinstance(told, dict):
            expected = np.reshape(told["attention"], (6, STEPS, 2, 3))[:, number]
            np.testing.assert_allclose(attention, expected, rtol=0, atol=1e-5)
    assert (attention is not None) == decoder.attends == (network.name == "show_attend_tell")
    assert (decoder.max_length, decoder.num_classes) == (STEPS - 1, WORDS)


def test_rows_go_on_alike_in_another_order(network, inputs):
    decoder, order = Decoder(network), [2, 0, 0, 1]
    memory = decoder.encode(inputs[0])
    _, states, _ = decoder.step(memory, np.array([1, 2, 3], "int32"), decoder.start(memory))
    there, _, _ = decoder.step(memory, np.array([4, 4, 5], "int32"), states)
    memory, states = (tuple(np.asarray(part)[order] for part in parts) for parts in (memory, states))
    here, _, _ = decoder.step(memory, np.array([5, 4, 4, 4], "int32"), states)
    np.testing.assert_allclose(here, np.asarray(there)[order], rtol=0, atol=1e-6)


def test_taught_the_true_words_it_is_the_captioner_itself(network, inputs):
    answers, expected = taught(network, TrueWord())(inputs), network(inputs)
    for answer, same in zip(keras.tree.flatten(answers), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(answer, same, rtol=0, atol=1e-5)


def test_taught_by_its_likeliest_words_it_goes_on_from_them(network, inputs):
    images, tokens = inputs
    told = logits_of(taught(network, LikeliestWord())([images, tokens]))
    decoder = Decoder(network)
    memory = tuple(np.repeat(part, 2, axis=0) for part in decoder.encode(images))
    states, words = decoder.start(memory), tokens.reshape(6, STEPS)[:, 0]
    for number in range(STEPS):
        logits, states, _ = decoder.step(memory, words, states)
        np.testing.assert_allclose(np.reshape(told, (6, STEPS, WORDS))[:, number], logits, rtol=0, atol=1e-5)
        words = np.argmax(logits, axis=-1).astype("int32")


def test_taught_it_has_the_same_weights_and_no_others(network):
    weights = {id(weight) for weight in network.weights}
    assert {id(weight) for weight in taught(network, TrueWord()).weights} == weights
