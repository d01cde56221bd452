"""Captioners: each step agrees with the papers' equations and with Keras' own cells; no step depends on later words."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from kerasvision.errors import ConfigError
from kerasvision.models import build

SMALL = {"backbone": "resnet9", "width": 0.125, "max_length": 4, "embedding": 6, "units": 5, "dropout": 0.0}
IMAGE_SHAPE, WORDS = (16, 24, 3), 9
CAPTIONERS = ["show_and_tell", "show_attend_tell"]


@functools.cache
def captioner(name, **options):
    """A small captioner with no weight at its initial value. Tests share it and must not change it."""
    keras.utils.set_random_seed(0)
    attention = {"attention": 7} if name == "show_attend_tell" else {}
    model = build(name, image_shape=IMAGE_SHAPE, num_classes=WORDS, **{**SMALL, **attention, **options})
    random = np.random.default_rng(1)
    for layer in model.layers:
        for weight in layer.trainable_weights:
            weight.assign_add(random.normal(0, 0.3 if layer.name.startswith("decoder_") else 0.02, weight.shape))
    return model


def images_and_tokens(*, captions=2, count=3):
    random = np.random.default_rng(2)
    tokens = random.integers(WORDS, size=(count, captions, SMALL["max_length"] + 1), dtype="int32")
    return random.normal(size=(count, *IMAGE_SHAPE)).astype("float32"), tokens


def kernel_and_bias(model, name):
    return [ops.convert_to_numpy(weight) for weight in model.get_layer(f"decoder_{name}").weights]


def keras_layer(model, cell):
    """Keras' own recurrent layer with the decoder's weights. Its gates have another order: i, f, c, o; and z, r, h."""
    (kernel, bias), (state, *state_bias) = kernel_and_bias(model, f"{cell}1_input"), kernel_and_bias(model, f"{cell}1_state")
    units = SMALL["units"]
    if cell == "lstm":
        bias = bias + np.repeat([0, 1, 0, 0], units)  # the forget gate's 1 is a weight there
        gates = [np.split(part, 4, axis=-1) for part in (kernel, state, bias)]
        weights = [np.concatenate([i, f, g, o], axis=-1) for i, f, o, g in gates]
        layer = keras.layers.LSTM(units, return_sequences=True)
    elif cell == "gru":
        layer, weights = keras.layers.GRU(units, return_sequences=True), [kernel, state, np.stack([bias, *state_bias])]
    else:
        layer, weights = keras.layers.SimpleRNN(units, return_sequences=True), [kernel, state, bias]
    layer.build((None, None, SMALL["embedding"]))
    layer.set_weights(weights)
    return layer


@pytest.mark.parametrize("cell", ["lstm", "gru", pytest.param("rnn", marks=pytest.mark.slow)])
def test_show_and_tell_is_keras_own_cell_over_image_and_words(cell):
    model = captioner("show_and_tell", cell=cell)
    images, tokens = images_and_tokens()
    seen = keras.Model(model.inputs[0], model.get_layer("decoder_image").output)(images)
    words = model.get_layer("decoder_words")(tokens.reshape(6, 5))
    sequence = np.concatenate([np.repeat(seen, 2, axis=0)[:, None], words], axis=1)
    expected = model.get_layer("logits")(keras_layer(model, cell)(sequence)[:, 1:])
    np.testing.assert_allclose(np.reshape(model([images, tokens]), expected.shape), expected, rtol=0, atol=1e-5)


def test_the_image_is_the_mean_over_the_last_map():
    model = captioner("show_and_tell")
    images, _ = images_and_tokens()
    backbone = keras.Model(model.inputs[0], model.get_layer("layer3_add").output)
    kernel, bias = kernel_and_bias(model, "image")
    seen = keras.Model(model.inputs[0], model.get_layer("decoder_image").output)(images)
    np.testing.assert_allclose(seen, np.mean(backbone(images), axis=(1, 2)) @ kernel + bias, rtol=0, atol=1e-4)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def attended_by_hand(model, places, words):
    """(logits (T, V), attention (T, L)) of one caption, from equations 1 to 9 and section 4.2.1 of Xu et al., in NumPy."""
    dense = {
        name: kernel_and_bias(model, name)
        for name in (
            "h1",
            "c1",
            "keys",
            "query",
            "gate",
            "attention",
            "words",
            "lstm1_input",
            "lstm1_context",
            "lstm1_state",
            "state_output",
            "context_output",
        )
    }
    logits_kernel, logits_bias = (ops.convert_to_numpy(weight) for weight in model.get_layer("logits").weights)
    mean = places.mean(axis=0)
    h, c = (np.tanh(mean @ dense[name][0] + dense[name][1]) for name in ("h1", "c1"))
    logits, attention = [], []
    for word in words:
        embedded = dense["words"][0][word]
        energy = np.tanh(places @ dense["keys"][0] + dense["keys"][1] + h @ dense["query"][0]) @ dense["attention"][0]
        alpha = np.exp(energy - energy.max())
        alpha /= alpha.sum()
        context = sigmoid(h @ dense["gate"][0] + dense["gate"][1]) * (alpha @ places)
        gates = embedded @ dense["lstm1_input"][0] + dense["lstm1_input"][1] + context @ dense["lstm1_context"][0]
        i, f, o, g = np.split(gates + h @ dense["lstm1_state"][0], 4)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        deep = embedded + h @ dense["state_output"][0] + context @ dense["context_output"][0]
        logits.append(deep @ logits_kernel + logits_bias)
        attention.append(alpha)
    return np.array(logits), np.array(attention)


def test_show_attend_tell_is_what_the_papers_equations_give_by_hand():
    model = captioner("show_attend_tell", attention_maps=True, level="c2")
    images, tokens = images_and_tokens()
    places = keras.Model(model.inputs[0], model.get_layer("decoder_annotations").output)(images)
    answers = model([images, tokens])
    assert answers["attention"].shape == (3, 2, 5, 4, 6)  # 16 x 24 pixels at stride 4
    for image in range(3):
        for caption in range(2):
            logits, attention = attended_by_hand(model, np.asarray(places[image]), tokens[image, caption])
            np.testing.assert_allclose(answers["logits"][image, caption], logits, rtol=0, atol=1e-4)
            np.testing.assert_allclose(
                np.reshape(answers["attention"][image, caption], (5, 24)), attention, rtol=0, atol=1e-5
            )


@pytest.mark.parametrize("level", ["c3", "c0"])
def test_attention_of_a_step_sums_to_one_over_the_places_of_its_level(level):
    model = captioner("show_attend_tell", attention_maps=True, level=level)
    attention = model(list(images_and_tokens()))["attention"]
    stride = 2 ** int(level[1])
    assert attention.shape[3:] == (16 // stride, 24 // stride)
    np.testing.assert_allclose(np.sum(attention, axis=(3, 4)), 1, atol=1e-5)


@pytest.mark.parametrize("name", CAPTIONERS)
@pytest.mark.parametrize("options", [pytest.param({}, marks=pytest.mark.slow), {"cell": "gru", "layers": 2}], ids=str)
def test_a_word_changes_the_steps_from_its_own_on_and_none_before(name, options):
    model = captioner(name, **options)
    images, tokens = images_and_tokens()
    before = model([images, tokens])
    tokens[:, :, 2] = (tokens[:, :, 2] + 1) % WORDS
    changed = np.abs(before - model([images, tokens])).max(axis=(0, 1, 3)) > 1e-6
    assert changed.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("name", CAPTIONERS)
def test_a_caption_is_told_alike_beside_any_number_of_others(name):
    model = captioner(name, layers=2)
    images, tokens = images_and_tokens(captions=3)
    together = model([images, tokens])
    for caption in range(3):
        alone = model([images, tokens[:, caption : caption + 1]])
        np.testing.assert_allclose(alone[:, 0], together[:, caption], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CAPTIONERS)
def test_dropout_drops_in_training_alone(name):
    model = captioner(name, dropout=0.5)
    inputs = list(images_and_tokens())
    told = [np.asarray(model(inputs, training=training)) for training in (False, False, True, True)]
    assert (told[0] == told[1]).all()
    assert (told[2] != told[3]).any()


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("show_and_tell", "mixed_float16"),
        ("show_attend_tell", "mixed_bfloat16"),
        pytest.param("show_and_tell", "mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("show_attend_tell", "mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_logits_and_attention_are_float32_where_the_cells_compute_in_16_bits(name, policy):
    options = {"attention_maps": True} if name == "show_attend_tell" else {}
    keras.config.set_dtype_policy(policy)
    try:
        model = captioner.__wrapped__(name, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("decoder_lstm1_state").compute_dtype == policy.removeprefix("mixed_")
    for answer in keras.tree.flatten(model(list(images_and_tokens()))):
        assert answer.dtype == "float32"
        assert np.isfinite(answer).all()


def test_without_words_it_is_the_backbone_with_its_options():
    backbone = build("show_and_tell", image_shape=IMAGE_SHAPE, num_classes=None, **SMALL)
    own = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125)
    assert [layer.get_config()["name"] for layer in backbone.layers] == [layer.name for layer in own.layers]
    assert backbone.count_params() == own.count_params()


def test_a_backbone_without_normalisation_is_not_told_to_synchronise_it():
    options = {**SMALL, "backbone": "vgg11", "width": 0.0625, "synchronized": True}
    assert build("show_and_tell", image_shape=(32, 32, 3), num_classes=WORDS, **options).name == "show_and_tell"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("show_and_tell", {"cell": "lsmt"}, "a captioner has no cell 'lsmt'; did you mean 'lstm'?"),
        ("show_and_tell", {"units": 0}, "units must be a positive integer; received 0"),
        ("show_and_tell", {"layers": 1.5}, "layers must be a positive integer; received 1.5"),
        ("show_and_tell", {"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ("show_and_tell", {"level": "c2"}, "show_and_tell has no option 'level'"),
        ("show_and_tell", {"backbone": "resnet81"}, "no model is named 'resnet81'"),
        ("show_and_tell", {"backbone": "resnet20"}, "resnet20 has no option 'width'"),
        ("show_and_tell", {"backbone": "show_attend_tell"}, "must not be built on another backbone"),
        ("show_attend_tell", {"level": "c7"}, "the backbone has no level 'c7'; choose from c0, c1, c2, c3"),
        ("show_attend_tell", {"attention": -1}, "attention must be a positive integer; received -1"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=IMAGE_SHAPE, num_classes=WORDS, **{**SMALL, **options})
