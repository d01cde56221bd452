"""Several workers: a wrong TF_CONFIG is rejected, a missing worker is named, and two workers give one's result."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.devices.cluster import Cluster, read_cluster, wait_for_others, who_is_gone
from kerasvision.training.devices.workers import SeveralWorkers, WorkerGroup
from kerasvision.training.fit import fit

SCRIPT = Path(__file__).with_name("worker_cases.py")


# --- TF_CONFIG


def environment(cluster=None, *, task=None):
    cluster = {"worker": ["one:1", "two:2"]} if cluster is None else cluster
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task or {"type": "worker", "index": 0}})}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, r"requires the environment variable TF_CONFIG, which is not set. Set it on every worker, for example TF_CO"),
        ({"TF_CONFIG": "{worker"}, r"TF_CONFIG must be JSON, such as {.*} \(Expecting property name.*'{worker'"),
        ({"TF_CONFIG": "[]"}, r"TF_CONFIG must have a cluster and a task, such as .*; received '\[\]'"),
        ({"TF_CONFIG": '{"task": {}}'}, r"TF_CONFIG must have a cluster and a task"),
        (environment({}), r"TF_CONFIG: the cluster must have a worker; received {}"),
        (environment({"worker": []}), r"cluster.worker must be a list of addresses; received \[\]"),
        (environment({"worker": "one:1"}), r"cluster.worker must be a list of addresses; received 'one:1'"),
        (environment({"wroker": ["one:1"]}), r"jobs of a cluster are chief and worker; did you mean 'worker'\?; received"),
        (environment({"ps": ["one:1"]}), r"jobs of a cluster are chief and worker; .*received 'ps'"),
        (environment({"worker": ["one"]}), r"cluster.worker\[0\] must be host:port, .*; received 'one'"),
        (environment({"worker": ["one:1", "two:70000"]}), r"cluster.worker\[1\] must be host:port, with a port from 1"),
        (environment({"worker": ["http://one:1"]}), r"cluster.worker\[0\] must be host:port"),
        (environment({"worker": [1]}), r"cluster.worker\[0\] must be host:port.*; received 1"),
        (environment({"worker": ["one:1", "one:1"]}), r"two workers must not have the same address; received 'one:1'"),
        (environment({"chief": ["one:1"], "worker": ["one:1"]}), r"two workers must not have the same address"),
        (environment({"chief": ["one:1", "two:2"]}), r"must not have more than one chief; received \['one:1', 'two:2'\]"),
        (environment(task={"type": "evaluator", "index": 0}), r"task.type must be one of .*, worker; received 'evaluator'"),
        (environment(task={"type": ["worker"], "index": 0}), r"task.type must be one of .*; received \['worker'\]"),
        (environment(task={"type": "worker", "index": 2}), r"task.index must be the index .* 0 to 1; received 2"),
        (environment(task={"type": "worker", "index": "0"}), r"task.index must be the index .*; received '0'"),
        (environment(task={"type": "worker", "index": True}), r"task.index must be the index .*; received True"),
        (environment(task={"type": "worker"}), r"task.index must be the index .*; received None"),
    ],
)
def test_a_wrong_tf_config_is_told(variables, message):
    with pytest.raises(ConfigError, match=message):
        read_cluster(variables)


def test_the_chief_is_the_first_of_all_or_else_the_first_worker():
    jobs = {"worker": ["two:2", "three:3"], "chief": ["one:1"]}
    chief, last = (
        read_cluster(environment(jobs, task={"type": job, "index": index})) for job, index in (("chief", 0), ("worker", 1))
    )
    assert chief == Cluster(("one:1", "two:2", "three:3"), number=0)
    assert chief.is_chief
    assert (last.number, last.is_chief, last.others) == (2, False, ("one:1", "two:2"))
    assert read_cluster(environment({"worker": ["[::1]:5"]})).addresses == ("[::1]:5",)


# --- Waiting for the other workers


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def clusters(count=2):
    addresses = tuple(f"127.0.0.1:{free_port()}" for _ in range(count))
    return [Cluster(addresses, number) for number in range(count)]


def test_a_worker_that_does_not_come_is_named_in_time():
    first, *_ = clusters(3)
    with socket.create_server(("127.0.0.1", int(first.addresses[1].split(":")[1]))):
        began = time.monotonic()
        with pytest.raises(StageError) as error:
            wait_for_others(first, seconds=0.5)
    assert 0.5 <= time.monotonic() - began < 5
    message = str(error.value)
    assert message.startswith(f"within 0.5 seconds no answer came from {first.addresses[2]} (worker 2). Start the same")
    assert first.addresses[1] not in message


def test_workers_that_come_at_different_times_find_each_other():
    first, second = clusters()
    found = []
    waiting = threading.Thread(target=lambda: (wait_for_others(first, seconds=30), found.append(first)))
    waiting.start()
    time.sleep(0.3)
    assert found == []
    # The first answers from the beginning. Once it has found the second, TensorFlow's server answers instead.
    wait_for_others(second, seconds=30)
    with socket.create_server(("127.0.0.1", int(second.addresses[1].split(":")[1]))):
        waiting.join(30)
    assert found == [first]


def test_a_port_that_is_taken_is_told():
    first, _ = clusters()
    port = int(first.addresses[0].split(":")[1])
    with socket.create_server(("", port)):
        with pytest.raises(ConfigError, match=rf"TF_CONFIG gives this worker port {port}, which cannot be used: Addr"):
            wait_for_others(first, seconds=1)


def test_who_is_gone_are_those_that_do_not_answer():
    first, *_ = clusters(3)
    with socket.create_server(("127.0.0.1", int(first.addresses[2].split(":")[1]))):
        assert who_is_gone(first) == f"{first.addresses[1]} (worker 1)"


# --- Exchanged values


def test_an_error_of_the_chief_is_raised_on_all_with_its_class_and_text():
    class Second(WorkerGroup):
        count, number = 2, 1

        def said_by(self, number, message):
            return b'{"error": ["ConfigError", "the rule; received 1."]}'

    with pytest.raises(ConfigError, match=r"^the rule; received 1\.$"):
        Second().chiefs(lambda: pytest.fail("only the chief looks"))


class Second(SeveralWorkers):
    """Worker 1, with a chief that trains 3 epochs."""

    def __init__(self):
        self.cluster, self.count, self.number = Cluster(("one:1", "two:2"), 1), 2, 1

    def said_by(self, number, message):
        return b'{"settings": {"epochs": 3}}'

    def any(self, flag):
        return flag


def test_a_worker_that_trains_something_else_says_what():
    Second().check_same({"settings": {"epochs": 3}})
    with pytest.raises(ConfigError, match=r"from the chief to worker 1 of 2 these differ: settings.epochs: 3 -> 5. Start"):
        Second().check_same({"settings": {"epochs": 5}})


# --- Two processes over loopback


def settings(*, rate=0.0, **training):
    defaults = {"epochs": 3, "batch_size": 20, "optimizer": c.Sgd(learning_rate=0.05, momentum=0.9), "clip_norm": 0.5}
    return TrainerSettings(
        task=c.Task.parse({"kind": "map_task:Scored"}),
        model=c.Model(name="worker_cases:normalised", options={"rate": rate}),
        training=c.Training(**{**defaults, **training}),
        augment=(c.PadCrop(pad=1),),
    )


def variables_of_two():
    """The environment variables of each of two workers."""
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    return [environment({"worker": workers}, task={"type": "worker", "index": index}) for index in range(2)]


def fitted_by_two(stripes, folder):
    """Fits on two workers, each in a process that is forked after the imports; returns the exit codes."""
    import worker_cases

    processes = []
    for index, variables in enumerate(variables_of_two()):
        processes.append(
            multiprocessing.get_context("spawn").Process(
                target=worker_cases.fit_in_this_process,
                args=(settings(strategy="multi_worker"), stripes.examples.parent, folder),
                kwargs={"log": folder / f"worker-{index}.log", "variables": variables},
            )
        )
        processes[-1].start()
    for process in processes:
        process.join(400)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def started(stripes, folder, **training):
    """Starts two workers, each with its own standard error."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings(strategy="multi_worker", **training).to_data()))
    command = [sys.executable, str(SCRIPT), str(stripes.examples.parent), str(folder / "settings.json"), str(folder)]
    processes = []
    for index, variables in enumerate(variables_of_two()):
        with (folder / f"worker-{index}.log").open("w") as log:
            paths = os.pathsep.join(filter(None, [str(SCRIPT.parent.parent), os.environ.get("PYTHONPATH")]))
            everything = {**os.environ, **variables, "PYTHONPATH": paths}
            processes.append(subprocess.Popen(command, env=everything, stdout=subprocess.PIPE, stderr=log, text=True))
    return processes


def ended(processes, folder):
    """The exit codes and the standard errors."""
    try:
        said = [process.communicate(timeout=400)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    errors = [(folder / f"worker-{index}.log").read_text() for index in range(2)]
    return [process.returncode for process in processes], said, errors


@pytest.fixture
def named_network(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.syspath_prepend(str(SCRIPT.parent.parent))


@pytest.mark.slow
def test_two_workers_end_at_one_devices_weights_and_history(stripes, tmp_path, named_network):
    # Momentum, clipping, synchronised statistics, batches of 20 of 96 images, 24 validation images in batches of 20.
    codes = fitted_by_two(stripes, tmp_path)
    assert codes == [0, 0], [(tmp_path / f"worker-{number}.log").read_text() for number in range(2)]
    one = fit(
        settings(strategy="one_device"),
        examples=ExampleSet(stripes.examples),
        classes=stripes.classes,
        transform=ImageTransform.load(stripes.transform),
    )
    for number in range(2):
        with np.load(tmp_path / f"worker-{number}.npz") as found:
            for place, weight in enumerate(one.model.get_weights()):
                atol = 1e-6 * np.abs(weight).max()
                np.testing.assert_allclose(found[f"weight {place}"], weight, rtol=0, atol=atol)
            for name in one.history:
                np.testing.assert_allclose(found[f"history {name}"], one.history[name], rtol=1e-6, err_msg=name)
    # Only the chief wrote files.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "work",
        "worker-0.log",
        "worker-0.npz",
        "worker-1.log",
        "worker-1.npz",
    ]
    assert len(pd.read_csv(tmp_path / "work" / "logs" / "history.csv")) == 3


LONG = {
    "rate": 0.3,
    "epochs": 12,
    "checkpoint_minutes": 1e-6,
    "average_decay": 0.9,
    "keep": "best",
    "early_stopping": c.EarlyStopping(patience=50),
    "schedule": "cosine",
}


def newest_step(folder):
    return max((int(path.name[5:]) for path in (folder / "work" / "checkpoints").glob("step-????????")), default=0)


def killed(stripes, folder, victim, number):
    """Kills one of two workers after a few steps; returns the output of both, and how long it took."""
    start = newest_step(folder)
    processes = started(stripes, folder, **LONG)
    while newest_step(folder) < start + 3:
        assert all(process.poll() is None for process in processes), (folder / "worker-0.log").read_text()
        time.sleep(0.05)
    processes[victim].send_signal(number)
    began = time.monotonic()
    codes, _, errors = ended(processes, folder)
    return codes, errors, time.monotonic() - began


@pytest.mark.slow
def test_killed_workers_are_named_and_the_next_start_ends_bit_for_bit_where_an_undisturbed_one_does(
    stripes, tmp_path, named_network
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    codes, said, errors = ended(started(stripes, whole, **LONG), whole)
    assert (codes, said) == ([0, 0], ["wrote\n", "took part\n"]), errors
    for victim in (1, 0):
        codes, errors, seconds = killed(stripes, parts, victim, signal.SIGKILL)
        assert codes[victim] == -signal.SIGKILL
        assert codes[1 - victim] == StageError.exit_code, errors
        assert "no answer comes from 127.0.0.1:" in errors[1 - victim], errors
        assert f"(worker {victim}). Start the same command on all workers again" in errors[1 - victim]
        assert seconds < 60, seconds
    codes, errors, _ = killed(stripes, parts, 1, signal.SIGTERM)
    assert codes == [143, 143], errors
    codes, said, errors = ended(started(stripes, parts, **LONG), parts)
    assert (codes, said) == ([0, 0], ["wrote\n", "took part\n"]), errors
    assert (parts / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    import keras

    ends = [keras.models.load_model(folder / "model.keras", compile=False).get_weights() for folder in (whole, parts)]
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)
