"""On which devices a network is trained: one, several of this machine, or those of several machines."""

import faulthandler
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from kerasvision.config.training import Training
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.devices.cluster import Cluster, read_cluster, wait_for_others
from kerasvision.training.devices.workers import SeveralWorkers, WorkerGroup


def make_strategy(training: Training) -> tf.distribute.Strategy:
    """The tf.distribute strategy of these settings.

    `auto` is MirroredStrategy over all GPUs where there are several, else one device. `mirrored` takes the `devices`, or
    `replicas` GPUs, or as many logical CPU devices where there is no GPU; those must be made before TensorFlow is first used
    (`make_logical_devices`). `multi_worker` is MultiWorkerMirroredStrategy over the machines of TF_CONFIG, each with all its
    GPUs or its CPU; it too must be made before TensorFlow is first used, and it waits for the others.

    Raises:
        ConfigError: more replicas than devices, a device that is not there, a TF_CONFIG that says something impossible, or
            a batch that does not divide.
        StageError: another worker does not come.
    """
    if training.strategy == "multi_worker":
        return _over_workers(training, read_cluster(os.environ))
    gpus = _names("GPU")
    if training.strategy == "one_device" or (training.strategy == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = _chosen(training.devices) if training.devices else gpus or _names("CPU")
    replicas = training.replicas or len(devices)
    if replicas > len(devices):
        raise ConfigError(f"training.replicas must not exceed the {len(devices)} devices here", received=replicas)
    training.check_batch(replicas=replicas)
    _keep_order_of_factors()
    # With one communication device there is no library of collectives to set up; results are the same.
    cross_device = None if "GPU" in devices[0] else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices[:replicas], cross_device_ops=cross_device)


def workers_of(strategy: tf.distribute.Strategy) -> WorkerGroup:
    """Who takes part in a training under a strategy of `make_strategy`."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return SeveralWorkers(read_cluster(os.environ), strategy)
    return WorkerGroup()


def needs_own_process(training: Training) -> bool:
    """Whether these settings need a TensorFlow that has not run anything yet."""
    return training.strategy == "multi_worker" or needs_logical_devices(training)


def needs_logical_devices(training: Training) -> bool:
    """Whether these settings ask for several CPU devices: `CPU:1`, or several replicas where there is no GPU."""
    return logical_devices(training) > 1


def logical_devices(training: Training) -> int:
    """How many CPU devices these settings ask for.

    >>> logical_devices(Training(strategy="mirrored", devices=("CPU:0", "CPU:3"), batch_size=32))
    4
    """
    if training.strategy != "mirrored":
        return 1
    if training.devices:
        return max(int(name.removeprefix("CPU:")) + 1 if name.startswith("CPU:") else 1 for name in training.devices)
    return 1 if tf.config.list_physical_devices("GPU") else training.replicas or 1


def make_logical_devices(count: int) -> None:
    """Splits the CPU into so many logical devices. Only possible before TensorFlow has run anything.

    Raises:
        RuntimeError: TensorFlow is at work already.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)


def _names(kind: str) -> list[str]:
    return [device.name for device in tf.config.list_logical_devices(kind)]


def _chosen(wanted: Sequence[str]) -> list[str]:
    """The devices of such names: "GPU:1" is TensorFlow's "/device:GPU:1"."""
    here = {name.removeprefix("/device:"): name for name in [*_names("GPU"), *_names("CPU")]}
    for name in wanted:
        if name not in here:
            raise ConfigError(f"training.devices: {name} is not there; here are {', '.join(here)}", received=tuple(wanted))
    if len({name.split(":")[0] for name in wanted}) > 1:
        raise ConfigError("training.devices must be of one kind, GPU or CPU", received=tuple(wanted))
    return [here[name] for name in wanted]


def _keep_order_of_factors() -> None:
    """Turns off what would let the replicas' copies of a weight drift apart, by a rounding in each step.

    TensorFlow's arithmetic optimizer orders constant factors by the names of their operations: those of a learning rate and
    of an update sort otherwise on one replica than on another.
    """
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def _over_workers(training: Training, cluster: Cluster) -> tf.distribute.Strategy:
    seconds = training.worker_timeout_seconds
    # TensorFlow takes for granted that all workers have as many GPUs as this one. The list must not start it yet.
    replicas = len(cluster.addresses) * max(1, len(tf.config.get_visible_devices("GPU")))
    training.check_batch(replicas=replicas)
    wait_for_others(cluster, seconds=seconds)
    with _ending_after(seconds):
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:  # TensorFlow is at work already
            raise StageError(f"multi_worker needs a process in which TensorFlow has not run anything: {error}") from error
    _keep_order_of_factors()
    return strategy


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """Ends the process where what is within takes longer: TensorFlow waits for an hour, and lets no other thread run."""
    with Path(os.devnull).open("w") as nowhere:
        # Its thread is no Python thread.
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
