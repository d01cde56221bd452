"""A stage runs on all workers at once: the chief publishes its result, the others leave nothing."""

import json

import pytest
from filelock import FileLock

from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.pipeline.history import list_runs
from kerasvision.pipeline.local import run


@pytest.fixture
def on_all(toy, monkeypatch):
    """`multiply` runs on all workers, and records its inputs."""
    monkeypatch.setattr(toy.MultiplySettings, "shared_by", "tf_config", raising=False)
    return toy


@pytest.fixture
def this_is(monkeypatch):
    """Makes this process one of two workers."""

    def worker(index):
        cluster = {"worker": ["127.0.0.1:5001", "127.0.0.1:5002"]}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}))

    return worker


def artifacts(root):
    return sorted(path.name for path in (root / "runs" / "artifacts" / "toy").iterdir())


def test_another_worker_takes_part_while_the_chief_holds_the_lock_and_publishes_nothing(on_all, this_is, number, tmp_path):
    this_is(1)
    (tmp_path / "runs" / "locks").mkdir(parents=True)
    with FileLock(tmp_path / "runs" / "locks" / "toy.multiply.lock"):
        result = run(on_all.pipeline(number), root=tmp_path)
    read, multiply = result.stages
    assert (read.took_part, multiply.took_part) == (False, True)
    assert (multiply.outputs, multiply.reused) == ({}, False)
    assert artifacts(tmp_path) == ["read"]


def test_the_chief_publishes_and_then_the_others_find_its_result(on_all, this_is, number, tmp_path):
    this_is(0)
    assert run(on_all.pipeline(number, factor=3), root=tmp_path).artifact("multiply", "model").properties["product"] == 3
    this_is(1)
    again = run(on_all.pipeline(number, factor=3), root=tmp_path)
    assert [(stage.reused, stage.took_part) for stage in again.stages] == [(True, False), (True, False)]
    assert run(on_all.pipeline(number, factor=3), root=tmp_path, only="multiply", force=True).stages[-1].took_part


def test_the_store_of_several_machines_has_no_shared_memory(on_all, this_is, number, tmp_path):
    this_is(0)
    run(on_all.pipeline(number), root=tmp_path)
    # 1 is a rollback journal, 2 is WAL: https://www.sqlite.org/fileformat.html
    assert (tmp_path / "runs" / "metadata.sqlite").read_bytes()[18:20] == b"\x01\x01"


def test_stages_after_it_are_the_chiefs(on_all, this_is, number, tmp_path):
    this_is(1)
    pipeline = on_all.pipeline(number)
    pipeline.add(on_all.multiply, name="after", examples=pipeline.nodes["read"].examples, settings=on_all.MultiplySettings())
    assert [stage.node for stage in run(pipeline, root=tmp_path).stages] == ["read", "multiply"]


@pytest.mark.parametrize(("error", "expected"), [(DataError("no images"), DataError), (ValueError("odd"), StageError)])
def test_a_failure_of_another_worker_is_told_there(on_all, this_is, number, tmp_path, monkeypatch, error, expected):
    def fails(*_, **__):
        raise error

    this_is(1)
    pipeline = on_all.pipeline(number)
    object.__setattr__(pipeline.nodes["multiply"], "function", fails)
    with pytest.raises(expected, match="no images|multiply failed: ValueError: odd. The traceback is in"):
        run(pipeline, root=tmp_path)
    assert artifacts(tmp_path) == ["read"]


def test_without_tf_config_nothing_is_begun(on_all, number, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="requires the environment variable TF_CONFIG"):
        run(on_all.pipeline(number), root=tmp_path)
    assert list_runs(root=tmp_path) == []
    assert run(on_all.pipeline(number), root=tmp_path, until="read").stages[0].node == "read"


def test_of_the_standard_graph_the_trainer_and_the_tuner_are_shared():
    experiment = c.Experiment(
        name="digits",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        gate=c.Gate(c.AtLeast("accuracy", 0.5)),
        training=c.Training(strategy="multi_worker"),
        search=c.Search(space={"training.batch_size": c.Choice(values=(32, 64))}, objective="accuracy"),
    )
    shared = {name: getattr(one, "shared_by", None) for name, one in stage_settings(experiment).items()}
    assert {name: by for name, by in shared.items() if by} == {"trainer": "tf_config", "tuner": "keras_tuner"}


def test_a_worker_of_a_search_takes_part_and_its_chief_publishes(toy, number, tmp_path, monkeypatch):
    monkeypatch.setattr(toy.MultiplySettings, "shared_by", "keras_tuner", raising=False)
    for name, value in {"ORACLE_IP": "127.0.0.1", "ORACLE_PORT": "8000", "TUNER_ID": "worker1"}.items():
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    assert run(toy.pipeline(number), root=tmp_path).stages[-1].took_part
    assert artifacts(tmp_path) == ["read"]
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert not run(toy.pipeline(number), root=tmp_path).stages[-1].took_part
    assert artifacts(tmp_path) == ["multiply", "read"]
