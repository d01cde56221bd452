"""Hierarchical softmax: the tree, the probabilities, the loss, and that a step changes only the nodes that it used."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.hierarchy import read_hierarchy
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, KerasvisionError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.classification.hierarchical import class_logarithms
from kerasvision.tasks.classification.tree import groups_of, tree_of
from kerasvision.training.fit import fit
from kerasvision.training.gradients import Penalty
from kerasvision.training.optimizing.optimizers import make_optimizer
from kerasvision.training.step import TrainStep

COUNTS = [9, 4, 1, 2, 3, 5, 1]
CLASSES = tuple("abcdefg")
LABELS = np.repeat(np.arange(7), COUNTS)
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(len(LABELS), 1, 1, 3)).astype("float32")


def probabilities_by_hand(tree, outputs):
    """The products along the paths of every class, in float64."""
    decisions = 1 / (1 + np.exp(-tree.signs[None] * outputs[:, tree.nodes]))
    return np.where(tree.signs == 0, 1.0, decisions).prod(axis=2)


# --- The tree


def test_tree_has_the_shortest_mean_path_of_all():
    # The lengths of Huffman's code: merges of 1 + 1, 2 + 2, 3 + 4, 4 + 5, 7 + 9, and 25 in sum cost 2 + 4 + 7 + 9 + 16 + 25.
    tree = tree_of(COUNTS)
    lengths = np.abs(tree.signs).sum(axis=1)
    assert lengths @ COUNTS == 2 + 4 + 7 + 9 + 16 + 25
    assert sum(0.5**lengths) == 1.0  # Kraft: the code is complete


@settings(max_examples=20)
@given(counts=st.lists(st.integers(0, 50), min_size=2, max_size=40), seed=st.integers(0, 9))
def test_probabilities_are_the_products_along_the_paths_and_sum_to_one(counts, seed):
    tree = tree_of(counts)
    outputs = np.random.default_rng(seed).normal(size=(3, len(counts) - 1), scale=2.0)
    found = np.exp(class_logarithms(tf.constant(outputs, tf.float32), tree).numpy())
    np.testing.assert_allclose(found, probabilities_by_hand(tree, outputs), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)


def test_groups_are_branches_of_the_tree():
    groups = groups_of(CLASSES, {"a": ["x"], "b": ["x"], "c": ["y"], "d": ["y", "z"], "e": ["y", "z"], "f": [], "g": ["x"]})
    tree = tree_of(COUNTS, groups=groups)
    outside = [3, 4], [0, 1, 6], [2, 3, 4]
    for members in outside:
        # A node above all members of a group and above nobody else: the group is one branch.
        above = [
            {(node, sign) for node, sign in zip(*path, strict=True) if sign}
            for path in zip(tree.nodes, tree.signs, strict=True)
        ]
        shared = set.intersection(*(above[number] for number in members))
        others = set().union(*(above[number] for number in range(7) if number not in members))
        assert shared - others, members


@pytest.mark.parametrize("name", ["tree.json", "tree.csv"])
def test_hierarchy_is_read_from_json_and_from_csv(tmp_path, name):
    file = tmp_path / name
    expected = {"poodle": ("animal", "dog"), "rose": ()}
    text = "label , groups\n poodle , animal/ dog\n\nrose,\n" if name.endswith("csv") else json.dumps(expected)
    # Spreadsheets begin a file with the mark of UTF-8.
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(text, encoding=encoding)
        assert read_hierarchy(file) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tree.json", "{", "is not JSON"),
        ("tree.json", '["a"]', "must be a mapping from classes to lists of names"),
        ("tree.json", '{"a": "x"}', "must be a mapping from classes to lists of names"),
        ("tree.json", '{"a": ["x"], "a": []}', "must name each class once; received 'a'"),
        ("tree.json", b"\xff\xfe", "is not JSON"),
        ("tree.json", "[" * 100_000, "is not JSON"),
        ("tree.csv", "class,path\na,x\n", "has no column 'label'; choose from class, path"),
        ("tree.csv", b"\xff\xfe", "is not UTF-8"),
        ("tree.csv", 'label,groups\npoodle,"animal"/dog\n', "line 2, cannot be read as CSV: ',' expected after '\"'"),
        (
            "tree.csv",
            "label,groups\npoodle," + "x" * 131_073,
            "line 2, cannot be read as CSV: field larger than field limit",
        ),
        ("tree.csv", "label,groups\npoodle\n", "line 2, has 1 values, but the header names 2 columns"),
    ],
)
def test_file_that_is_no_hierarchy_is_rejected_when_the_pipeline_file_is_read(tmp_path, name, text, message):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(KerasvisionError, match=message):
        list(c.Classification(loss="hierarchical", hierarchy=file).files())
    with pytest.raises(ConfigError, match="there is no file"):
        list(c.Classification(loss="hierarchical", hierarchy=tmp_path / "other.json").files())


def test_hierarchy_that_misses_classes_is_rejected_before_the_training(tmp_path):
    file = tmp_path / "tree.json"
    file.write_text(json.dumps({"a": [], "b": ["x"], "z": ["x"]}))
    task = make_task(c.Classification(loss="hierarchical", hierarchy=file), CLASSES)
    with pytest.raises(ConfigError, match=r"must name every class; it misses 5: c, d, e, f, g"):
        task.learning_from(labelled())


# --- The loss


def labelled(labels=LABELS):
    return tf.data.Dataset.from_tensor_slices({"label": labels.astype("int64")})


def dense(image_shape, num_classes):
    """A network of one dense layer on the image's numbers."""
    image = keras.Input(image_shape)
    return keras.Model(image, keras.layers.Dense(num_classes, name="logits")(keras.layers.Flatten()(image)))


@pytest.fixture
def learned(monkeypatch):
    """The task, and its network with random weights."""
    monkeypatch.setitem(__import__("sys").modules, "own_network", type("Module", (), {"dense": staticmethod(dense)}))

    def make(**fields):
        task = make_task(c.Classification(loss="hierarchical", **fields), CLASSES).learning_from(labelled())
        keras.utils.set_random_seed(0)
        return task, task.build(c.Model(name="own_network:dense"), image_shape=(1, 1, 3))

    return make


def test_loss_is_that_of_the_answered_probabilities_with_class_weights(learned):
    task, network = learned(class_weights={"c": 3.0})
    (images, nodes), targets = task.encode({"image": tf.constant(FEATURES), "label": tf.constant(LABELS, tf.int64)})
    losses = task.objective().losses(targets, network([images, nodes]), training=True).numpy()
    scores = task.predictor(task.trained(network))(images)["scores"].numpy()
    weights = np.where(LABELS == 2, 3.0, 1.0)
    np.testing.assert_allclose(losses, -weights * np.log(scores[np.arange(len(LABELS)), LABELS]), rtol=1e-4)


def test_answering_network_consists_of_kerass_own_layers_and_contains_the_tree(learned, tmp_path):
    task, network = learned()
    model = task.trained(network)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(FEATURES), model(FEATURES))
    assert {type(layer).__module__.split(".")[0] for layer in again.layers} == {"keras"}


def make_step(task, network, optimizer, **options):
    return TrainStep(
        network,
        objective=task.objective(),
        optimizer=make_optimizer(c.Training(optimizer=optimizer), steps_per_epoch=1),
        strategy=tf.distribute.get_strategy(),
        **options,
    )


def batches(task, *rows):
    parts = [task.encode({"image": tf.constant(FEATURES[row]), "label": tf.constant(LABELS[row], tf.int64)}) for row in rows]
    dataset = tf.data.Dataset.from_tensors(parts[0])
    for part in parts[1:]:
        dataset = dataset.concatenate(tf.data.Dataset.from_tensors(part))
    return dataset


ALL = slice(None)
OPTIMIZERS = {
    "sgd": c.Sgd(learning_rate=0.5),
    "momentum": c.Sgd(learning_rate=0.5, momentum=0.9, nesterov=True),
    "adam": c.AdamW(),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_steps_that_use_all_nodes_equal_those_of_keras_with_dense_gradients(learned, optimizer):
    task, network = learned()
    first = [weight.numpy() for weight in network.trainable_variables]
    # The penalties and the decay must leave the nodes alone.
    step = make_step(
        task, network, optimizer.model_copy(update={"weight_decay": 0.1}), penalty=Penalty(0.1, 0.1), clip_norm=0.3
    )
    step.run(iter(step.share_out(batches(task, ALL).repeat())), 4)

    kernel = keras.Variable(first[0])
    fields = {"learning_rate": optimizer.learning_rate}
    theirs = (
        keras.optimizers.Adam(**fields)
        if isinstance(optimizer, c.AdamW)
        else keras.optimizers.SGD(**fields, momentum=optimizer.momentum, nesterov=optimizer.nesterov)
    )
    theirs.build([kernel])
    tree, points = task.tree, np.concatenate([FEATURES.reshape(-1, 3), np.ones((len(LABELS), 1), "float32")], axis=1)
    signs, nodes = tree.signs[LABELS], tree.nodes[LABELS]
    for _ in range(4):
        with tf.GradientTape() as tape:
            outputs = tf.gather(points @ tf.transpose(kernel.value), nodes, batch_dims=1)
            loss = tf.reduce_mean(tf.reduce_sum(tf.abs(signs) * tf.nn.softplus(-signs * outputs), axis=1))
        gradient = tf.convert_to_tensor(tape.gradient(loss, kernel.value))
        theirs.apply([tf.clip_by_norm(gradient, 0.3)], [kernel])
    np.testing.assert_allclose(network.trainable_variables[0].numpy(), kernel.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_nodes_that_a_step_does_not_use_stay_as_they_are(learned, optimizer):
    task, network = learned()
    step = make_step(task, network, optimizer)
    iterator = iter(step.share_out(batches(task, ALL, slice(0, 3))))
    step.run(iterator, 1)
    before, state = network.trainable_variables[0].numpy(), [one.numpy() for one in step.optimizer.variables]
    step.run(iterator, 1)  # three images of class a
    used = sorted(set(task.tree.nodes[0][task.tree.signs[0] != 0].tolist()))
    unused = [number for number in range(6) if number not in used]
    after = network.trainable_variables[0].numpy()
    assert (after[used] != before[used]).any(axis=1).all()
    np.testing.assert_array_equal(after[unused], before[unused])
    for now, then in zip((one.numpy() for one in step.optimizer.variables), state, strict=True):
        if now.shape == after.shape:
            np.testing.assert_array_equal(now[unused], then[unused])


def test_training_measures_decisions_and_likelihood(learned):
    task, network = learned()
    step = make_step(task, network, c.Sgd())
    found = step.evaluate(batches(task, ALL))
    scores = task.predictor(task.trained(network))(FEATURES)["scores"].numpy()
    assert found["log_loss"] == pytest.approx(-np.log(scores[np.arange(len(LABELS)), LABELS]).mean(), rel=1e-5)
    points = np.concatenate([FEATURES.reshape(-1, 3), np.ones((len(LABELS), 1))], axis=1)
    outputs = points @ network.trainable_variables[0].numpy().T
    right = [
        all(
            sign * outputs[row, node] > 0
            for node, sign in zip(task.tree.nodes[label], task.tree.signs[label], strict=True)
            if sign
        )
        for row, label in enumerate(LABELS)
    ]
    assert found["path_accuracy"] == pytest.approx(np.mean(right))
    assert set(found) == set(task.settings.training_metric_names())


@pytest.mark.slow
def test_a_training_that_stops_after_an_epoch_ends_as_if_it_had_not(stripes, tmp_path, monkeypatch):
    """Bit for bit; the rare class of the balanced sampling and the unused nodes too."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "training")
    trainer = TrainerSettings(
        task=c.Classification(loss="hierarchical"),
        model=c.Model(name="small_networks:dense"),
        training=c.Training(epochs=2, batch_size=8, optimizer=c.Adam(learning_rate=0.01), sampling="balanced"),
        augment=(),
    )
    known = {"examples": ExampleSet(stripes.examples), "classes": stripes.classes}
    known["transform"] = ImageTransform.load(stripes.transform)
    whole = fit(trainer, **known, work=tmp_path / "whole")
    fit(trainer, **known, work=tmp_path / "parts", until_epoch=1)
    parts = fit(trainer, **known, work=tmp_path / "parts")
    pd.testing.assert_frame_equal(parts.history, whole.history)
    for one, other in zip(parts.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.model.output_shape == (None, 3)


# --- What does not go together


DIGITS = load_experiment(Path(__file__).parents[2] / "pipelines" / "digits.py")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task.label_smoothing=0.1"], "label_smoothing needs all classes"),
        (["training.micro_batches=2"], "training.micro_batches"),
        (["training.optimizer=rmsprop"], "an optimizer other than Sgd, Adam and AdamW"),
        (['augment=[{"kind": "mixup"}]'], "mixup in augment"),
        (["task.loss=cross_entropy", "task.hierarchy=tree.json"], "hierarchy requires loss='hierarchical'"),
    ],
)
def test_what_a_tree_cannot_do_is_rejected_when_the_file_is_read(overrides, message):
    assert with_overrides(DIGITS, ["task.loss=hierarchical"]).task.loss == "hierarchical"
    with pytest.raises(ConfigError, match=message):
        with_overrides(DIGITS, ["task.loss=hierarchical", *overrides])


def test_network_must_end_with_a_dense_layer():
    task = make_task(c.Classification(loss="hierarchical"), CLASSES)
    with pytest.raises(ConfigError, match="requires a network that ends with a Dense layer .* and nin does not"):
        task.build(c.Model(name="nin"), image_shape=(224, 224, 3))
    with pytest.raises(ConfigError, match="requires at least two classes; received 'a'"):
        make_task(c.Classification(loss="hierarchical"), ("a",)).build(c.Model(name="lenet5"), image_shape=(28, 28, 1))
