"""Named devices must exist; some settings require a new process. (Other tests of strategies are in test_replicas.)"""

import json

import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.training.devices.strategy import logical_devices, make_strategy, needs_own_process, workers_of


def mirrored(**training):
    return c.Training(strategy="mirrored", batch_size=32, **training)


@pytest.fixture
def two_cpus(monkeypatch):
    """TensorFlow reports two CPU devices, but does not make a strategy from them."""
    devices = [tf.config.LogicalDevice(f"/device:CPU:{number}", "CPU") for number in range(2)]
    monkeypatch.setattr("tensorflow.config.list_logical_devices", lambda kind: devices if kind == "CPU" else [])
    made = []
    monkeypatch.setattr("tensorflow.distribute.MirroredStrategy", lambda devices, **_: made.append(devices))
    return made


@pytest.mark.parametrize(("name", "here"), [("GPU:0", "CPU:0, CPU:1"), ("CPU:7", "CPU:0, CPU:1")])
def test_a_device_that_is_not_there_is_named_with_those_that_are(two_cpus, name, here):
    with pytest.raises(ConfigError, match=rf"training.devices: there is no {name}; this machine has {here}; received"):
        make_strategy(mirrored(devices=(name,)))


def test_the_named_devices_are_taken_and_no_others(two_cpus):
    make_strategy(mirrored(devices=("CPU:1",)))
    make_strategy(mirrored(devices=("CPU:1", "CPU:0")))
    assert two_cpus == [["/device:CPU:1"], ["/device:CPU:1", "/device:CPU:0"]]


def test_devices_of_two_kinds_are_refused(monkeypatch):
    monkeypatch.setattr(
        "tensorflow.config.list_logical_devices", lambda kind: [tf.config.LogicalDevice(f"/device:{kind}:0", kind)]
    )
    with pytest.raises(ConfigError, match=r"training.devices must be of one kind"):
        make_strategy(mirrored(devices=("CPU:0", "GPU:0")))


def test_micro_batches_that_do_not_divide_over_all_devices_are_refused(two_cpus):
    # The settings alone do not determine the number of devices.
    with pytest.raises(ConfigError, match=r"multiple of replicas times .*batch_size=34, replicas=2, micro_batches=2"):
        make_strategy(c.Training(strategy="mirrored", batch_size=34, micro_batches=2))


@pytest.mark.parametrize(("gpus", "replicas"), [(0, 2), (3, 6)])
def test_a_batch_that_does_not_divide_over_all_workers_is_refused_before_they_wait_for_each_other(
    monkeypatch, gpus, replicas
):
    cluster = {"cluster": {"worker": ["one:1", "two:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    monkeypatch.setattr("tensorflow.config.get_visible_devices", lambda kind: [kind] * gpus)
    monkeypatch.setattr("kerasvision.training.devices.strategy.wait_for_others", lambda *_, **__: pytest.fail("it waits"))
    with pytest.raises(ConfigError, match=rf"batch_size must be a multiple of replicas, .*=33, replicas={replicas}"):
        make_strategy(c.Training(strategy="multi_worker", batch_size=33))


@pytest.mark.parametrize(
    ("training", "devices", "own_process"),
    [
        (c.Training(), 1, False),
        (c.Training(strategy="multi_worker"), 1, True),
        (mirrored(replicas=4), 4, True),
        (mirrored(devices=("CPU:0",)), 1, False),
        (mirrored(devices=("CPU:1",)), 2, True),
        (mirrored(devices=("GPU:0", "GPU:1")), 1, False),
    ],
)
def test_several_cpu_devices_and_several_workers_need_a_process_of_their_own(training, devices, own_process):
    assert logical_devices(training) == devices
    assert needs_own_process(training) == own_process


def test_a_training_on_one_device_has_one_worker():
    workers = workers_of(tf.distribute.get_strategy())
    assert (workers.count, workers.number, workers.is_chief) == (1, 0, True)
