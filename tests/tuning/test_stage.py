"""The tuner stage runs real trainings in separate processes, from folder to folder."""

import json
import shutil
from types import SimpleNamespace

import keras_tuner
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.errors import StageError
from kerasvision.pipeline.artifacts import HyperParameters
from kerasvision.pipeline.stages.tuner import tuner
from kerasvision.training.session import with_hyperparameters
from kerasvision.tuning.records import save_best


def run(examples, stripes, settings, folder):
    out = HyperParameters(folder / "artifact")
    out.uri.mkdir()
    tuner(
        examples=SimpleNamespace(data=examples),
        schema=SimpleNamespace(file=stripes.schema),
        transform_graph=SimpleNamespace(file=stripes.transform),
        best_hyperparameters=out,
        settings=settings,
        work=folder / "work",
    )
    return out


def test_the_stage_searches_with_real_trainings_and_without_the_test_split(stripes, tuning, tmp_path):
    examples = tmp_path / "examples"
    shutil.copytree(stripes.examples, examples)
    removed = [file.unlink() for file in examples.glob("*test*tfrecord*")]
    assert removed
    space = {tuning.RATE: c.Choice(1e-6, 0.02)}
    training = c.Training(batch_size=16, optimizer=c.Sgd(momentum=0.9))
    plan = tuning.settings(space, training=training, algorithm="grid", trials=2, epochs=4, objective="log_loss")
    out = run(examples, stripes, plan, tmp_path)
    # With a learning rate of a millionth, four epochs teach nothing.
    assert json.loads(out.best.read_text()) == {tuning.RATE: 0.02}
    table = pd.read_csv(out.trials)
    assert table[tuning.RATE].tolist() == [0.02, 1e-6]
    assert table["score"].iloc[0] < table["score"].iloc[1]
    assert out.properties == {"objective": "val_log_loss", "trials": 2, "score": table["score"].iloc[0]}
    assert "log_loss" in out.page.read_text()
    # The artifact has the files for TensorBoard and KerasTuner, but not the checkpoints.
    assert len(list(out.search.glob("trial_*/logs/*tfevents*"))) == 2
    assert not list(out.search.rglob("step-*"))
    theirs = keras_tuner.GridSearch(
        lambda hp: None, objective=keras_tuner.Objective("val_log_loss", "min"), directory=out.uri, project_name="search"
    )
    assert theirs.get_best_hyperparameters()[0].values == {tuning.RATE: 0.02}


@pytest.mark.slow
def test_a_search_of_which_every_trial_fails_says_the_first_error_and_leaves_no_artifact(stripes, tuning, tmp_path):
    # 96 images are fewer than any of the batch sizes.
    plan = tuning.settings({"training.batch_size": c.Choice(100, 200)}, algorithm="grid", trials=2)
    with pytest.raises(StageError, match=r"every trial .* the first \(0\): .*must not exceed .*96; received 100"):
        run(stripes.examples, stripes, plan, tmp_path)
    assert not list((tmp_path / "artifact").iterdir())


def test_the_trainer_takes_the_best_values_whatever_their_order(stripes_settings, tmp_path):
    best = tmp_path / "best.json"
    save_best({"training.optimizer.momentum": 0.3, "training.optimizer": "sgd", "training.epochs": 7}, best)
    chosen = with_hyperparameters(stripes_settings(optimizer=c.Adam()), best)
    assert chosen.training.optimizer == c.Sgd(momentum=0.3)
    assert chosen.training.epochs == 7
