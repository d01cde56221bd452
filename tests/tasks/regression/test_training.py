"""A tiny network of numbers from training to the proof of its SavedModel, in units far from zero."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.inference import Listed
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import ConfigError
from kerasvision.export.asking.bulk import predict_to_file
from kerasvision.export.asking.pictures import Pictures
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.tasks.base import make_task

# A training with all that follows it; the parts are tested one by one in the files next to this one.
pytestmark = pytest.mark.slow

CANARIES = c.Serving(canary_examples=12, latency_queries=5)


@pytest.fixture(scope="module")
def small_regression():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "training")
        import small_regression

        yield small_regression
        sys.modules.pop("small_regression")


@pytest.fixture(scope="module")
def trained(small_regression, once_for_all, tmp_path_factory):
    """The result of a training, the examples, and the folder of the exported model."""
    from kerasvision.export.writing.saved_model import export_saved_model

    images = once_for_all("images-with-numbers", small_regression.write_images)
    found = small_regression.fitted(images, precision="float32", epochs=6)
    folder = tmp_path_factory.mktemp("exported") / "model"
    task = make_task(c.Regression(), small_regression.NAMES)
    export_saved_model(found.model, task=task, transform=small_regression.transform(), folder=folder)
    return found, ExampleSet(images / "data"), folder


@pytest.fixture(scope="module")
def files(small_regression, tmp_path_factory):
    from kerasvision.data.png import encode_png

    folder = tmp_path_factory.mktemp("images")
    (folder / "a.png").write_bytes(encode_png(np.full((20, 30), 90, np.uint8)))
    (folder / "b.png").write_bytes(b"no image")
    return [Listed(name, folder / name) for name in ("a.png", "b.png")]


def test_loss_falls_and_errors_are_in_the_units_of_the_values(small_regression, trained):
    history = trained[0].history
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    # The mean over a value of about 50,000 and one of at most 0.5.
    assert 100 < history["mae"].iloc[-1] < 50_000


def test_last_error_of_the_training_is_that_of_the_served_answers(small_regression, trained):
    from kerasvision.evaluation.predictions import predict_split_from_bytes
    from kerasvision.served.model import ServedModel

    found, examples, folder = trained
    task = make_task(c.Regression(), small_regression.NAMES)
    split = predict_split_from_bytes(examples, split="validation", task=task, saved_model=ServedModel(folder))
    judgement = task.judge(ids=split.ids, truth=split.truth, predictions=split.predictions)
    for metric in ("mae", "rmse"):
        assert found.history[f"val_{metric}"].iloc[-1] == pytest.approx(judgement.scores[metric], rel=1e-4)
    missing = {f"{number:02d}" for number in (25,)}  # every fifth image lacks the second number
    assert set(judgement.rows.loc[judgement.rows["truth[half]"].isna(), "id"]) == missing


def test_the_saved_network_answers_in_units_without_kerasvision(small_regression, trained, warm, tmp_path):
    found, _, _ = trained
    found.model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", np.zeros((2, small_regression.SIDE, small_regression.SIDE, 1), np.float32))
    code = (
        "import sys, keras, numpy as np; folder = sys.argv[1]; assert 'kerasvision' not in sys.modules\n"
        "print(keras.saving.load_model(folder + '/model.keras')(np.load(folder + '/images.npy')).numpy()[0].tolist())"
    )
    done = warm.run(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = eval(done.stdout.strip().splitlines()[-1])
    assert 9e5 < first < 1.5e6
    assert 1990 < second < 2010


def test_the_saved_model_is_proven_with_the_usual_bound(small_regression, trained, forked_process, monkeypatch):
    from kerasvision.export.proof import parity
    from kerasvision.export.proof.canary import canaries, expected_answers

    found, examples, folder = trained
    monkeypatch.setattr(parity, "take", forked_process)
    task, transform = make_task(c.Regression(), small_regression.NAMES), small_regression.transform()
    images = canaries(examples, count=12)
    expected = expected_answers(task, found.model, images, transform)
    pixels = np.stack([transform.pixels(image).numpy() for image in images])
    certificate = parity.prove(folder, images=images, expected=expected, pixels=pixels, settings=CANARIES)
    assert certificate.complaints == ()
    # A model that is off by a hundredth of a deviation is not the same.
    off = expected.of_bytes["values"] + 1e-2 * expected.units["values"]
    wrong = parity.Expected({**expected.of_bytes, "values": off}, expected.of_pixels, units=expected.units)
    refused = parity.prove(folder, images=images, expected=wrong, pixels=pixels, settings=CANARIES)
    assert any("asked with bytes: values differ by up to 0.0" in one for one in refused.complaints)


@pytest.mark.parametrize(
    ("form", "passes"),
    # LiteRT's int8 gives all numbers of an output one scale, so one in millions leaves nothing of one in thousands.
    [(c.LiteRt(), True), (c.Onnx(), True), (c.LiteRtInt8(calibration_images=12), False)],
    ids=["litert", "onnx", "litert_int8"],
)
def test_other_formats_have_the_numbers_or_are_refused(form, passes, small_regression, trained, tmp_path):
    from kerasvision.export.writing.formats.writing import write_formats

    found, examples, folder = trained
    task = make_task(c.Regression(), small_regression.NAMES)
    proof = write_formats(
        [form],
        predict=task.predictor(found.model),
        sets={},
        units=task.units(found.model),
        transform=small_regression.transform(),
        examples=examples,
        saved_model=folder,
        folder=tmp_path,
    )[form.kind]
    assert proof["passed"] is passes, proof


def rows_in(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_csv_has_a_column_for_each_number(trained, files, tmp_path):
    model = ImagePredictor(trained[2])
    predict_to_file(model, lambda: iter(files), out=tmp_path / "answers.csv")
    rows = rows_in(tmp_path / "answers.csv")
    assert list(rows[0]) == ["path", "brightness", "half", "fault"]
    (answer,) = [row.outputs for row in model.rows(files) if row.outputs is not None]
    assert [np.float32(rows[0][name]) for name in ("brightness", "half")] == answer["values"].tolist()
    assert (rows[1]["brightness"], rows[1]["fault"]) == ("", "not an image in a known format")
    predict_to_file(model, lambda: iter(files), out=tmp_path / "each.csv", each=True)
    each = rows_in(tmp_path / "each.csv")
    assert [(row["path"], row["name"]) for row in each] == [("a.png", "brightness"), ("a.png", "half"), ("b.png", "")]


def test_numbers_are_neither_drawn_nor_have_a_score(trained, files, tmp_path):
    model = ImagePredictor(trained[2])
    with pytest.raises(ConfigError, match="--draw requires a model whose answers have places in the image"):
        Pictures(tmp_path / "drawn", presentation=model.presentation, least_score=0.0)
    with pytest.raises(ConfigError, match="a least score requires a model whose answers have scores"):
        predict_to_file(model, lambda: iter(files), out=tmp_path / "answers.csv", least_score=0.5)
    assert not (tmp_path / "answers.csv.parts").exists()


def test_a_page_lists_the_numbers_with_their_names(trained):
    from kerasvision.serving.loaded import ServedVersion

    assert ServedVersion(trained[2], version=1).places == {"numbers": "values", "labels": "names", "shown_from": 0.0}


def test_simple_models_are_scored_by_the_error_and_sorted_by_it(small_regression, trained):
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.evaluation.simple_models import score_simple_models

    table = score_simple_models(
        trained[1],
        task=make_task(c.Regression(), small_regression.NAMES),
        schema=DataSchema(classes=(), modes=("L",), min_side=28, max_side=28),
        settings=c.SimpleModels(),
    )
    assert set(table["metric"]) == {"mae"}
    assert set(table["model"]) == {"mean", "ridge regression", "5 nearest neighbours"}
    assert table["score"].is_monotonic_increasing
    by_model = table.set_index("model")["score"]
    # The brightness is a sum of pixels, which a ridge regression finds.
    assert by_model["ridge regression"] < 0.2 * by_model["mean"]


def test_views_are_averaged(small_regression, trained):
    from kerasvision.ops.views import views

    task = make_task(c.Regression(), small_regression.NAMES)
    network = trained[0].model
    images = tf.random.stateless_normal((2, small_regression.SIDE, small_regression.SIDE, 1), seed=(1, 2))
    averaged = task.predictor(task.over_views(network, views("flip")))(images)["values"]
    each = [network(one).numpy() for one in (images, images[:, :, ::-1])]
    np.testing.assert_allclose(averaged, np.mean(each, axis=0), rtol=1e-6)


def test_names_are_those_of_the_examples_and_settings_must_name_them(small_regression, trained):
    from kerasvision.config.regression import ValueNames
    from kerasvision.tasks.regression.names import value_names

    assert value_names(ValueNames(named=("half",)), trained[1]) == small_regression.NAMES
    with pytest.raises(ConfigError, match="the images have no value 'hal'; did you mean 'half'"):
        value_names(ValueNames(named=("hal",)), trained[1])


def test_mixed_images_in_bfloat16_give_a_float32_network(small_regression, trained, once_for_all):
    images = once_for_all("images-with-numbers", small_regression.write_images)
    found = small_regression.fitted(images, epochs=1, augment=(c.RandomFlip(), c.MixUp()), precision="bfloat16")
    assert np.isfinite(found.history["loss"]).all()
    answers = found.model(np.zeros((1, small_regression.SIDE, small_regression.SIDE, 1), np.float32))
    assert answers.dtype == tf.float32
