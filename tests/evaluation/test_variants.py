"""The answer of several views of an image, or of several models, is the mean of their probabilities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.keras_files import add_names
from kerasvision.errors import ExportError
from kerasvision.evaluation.predictions import predict_split_from_bytes
from kerasvision.evaluation.score import judged
from kerasvision.evaluation.variants import judge_variants, variant_table
from kerasvision.served.model import ServedModel


@pytest.fixture(scope="module")
def served(trained):
    return ServedModel(trained.saved_model)


@pytest.fixture(scope="module")
def predicted(trained, served):
    return predict_split_from_bytes(trained.examples, split="test", task=trained.task, saved_model=served)


def variants(trained, served, predicted, **settings):
    return judge_variants(
        served,
        predicted,
        split="test",
        task=trained.task,
        examples=trained.examples,
        transform=trained.transform,
        settings=c.Evaluation(resamples=100, **settings),
    )


def test_a_flipped_answer_is_the_mean_of_both_views(trained, served, predicted):
    found = variants(trained, served, predicted, test_time=("flip",))["flip"]
    pixels = tf.stack([trained.transform.pixels(one["image"]) for one in trained.examples.dataset("test")]).numpy()
    both = [tf.nn.softmax(trained.network(trained.transform.scaled(view))) for view in (pixels, pixels[:, :, ::-1])]
    mean = np.mean(both, axis=0)
    np.testing.assert_allclose(found.rows["score"], mean.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.rows["loss"], -np.log(mean[np.arange(24), predicted.truth]), atol=1e-4)


@pytest.mark.slow
def test_a_model_with_itself_answers_as_alone(trained, served, predicted):
    found = variants(trained, served, predicted, ensemble=(trained.saved_model, trained.model))
    assert list(found) == ["ensemble of 3"]
    alone = judged(trained.task, predicted)
    assert found["ensemble of 3"].scores == pytest.approx(alone.scores, abs=1e-4)
    table = variant_table(alone, found, c.Evaluation(resamples=100)).set_index("metric")
    np.testing.assert_allclose(table["difference"], 0.0, atol=1e-4)
    # On an unseen image the two might differ: 1 - 0.025 ** (1 / 24) = 0.143.
    accuracy = table.loc["accuracy"]
    assert accuracy["difference_low"] == pytest.approx(-0.143, abs=0.01)
    assert accuracy["difference_high"] == pytest.approx(0.143, abs=0.01)
    assert table.loc["accuracy", "score"] == alone.scores["accuracy"]
    assert not [metric for metric in table.index if "[" in metric]


def test_a_member_that_is_damaged_is_named(trained, served, predicted, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ExportError, match="is an incomplete saved model: its variables are missing"):
        variants(trained, served, predicted, ensemble=(tmp_path,))


def member(trained, file, *, order, names):
    """The trained network with its classes in another order, in a file that names them."""
    answers = keras.ops.take(trained.network.output, order, axis=-1)
    keras.Model(trained.network.inputs, answers, name="other").save(file)
    if names is not None:
        add_names(file, names)
    return file


def test_a_member_with_its_classes_in_another_order_answers_as_the_model_alone(trained, served, predicted, tmp_path):
    order = list(reversed(range(len(trained.task.classes))))
    file = member(trained, tmp_path / "a.keras", order=order, names=[trained.task.classes[number] for number in order])
    found = variants(trained, served, predicted, ensemble=(file,))["ensemble of 2"]
    assert found.scores == pytest.approx(judged(trained.task, predicted).scores, abs=1e-4)


def test_a_member_for_other_classes_is_refused_with_both(trained, served, predicted, tmp_path):
    count = len(trained.task.classes)
    names = ["something else", *trained.task.classes[1:]]
    file = member(trained, tmp_path / "b.keras", order=list(range(count)), names=names)
    with pytest.raises(ExportError, match=f"with the classes {trained.task.classes[0]}, .* answers with something else"):
        variants(trained, served, predicted, ensemble=(file,))
    fewer = member(trained, tmp_path / "c.keras", order=[0], names=None)
    with pytest.raises(ExportError, match="answers with 1 classes"):
        variants(trained, served, predicted, ensemble=(fewer,))


def test_a_member_that_does_not_name_its_classes_is_said_to(trained, served, predicted, tmp_path, capsys):
    file = member(trained, tmp_path / "d.keras", order=list(range(len(trained.task.classes))), names=None)
    variants(trained, served, predicted, ensemble=(file,))
    assert f"{file} does not name its classes" in capsys.readouterr().err
