"""On which devices a network is trained."""

import tensorflow as tf

from kerasvision.config.training import Training
from kerasvision.errors import ConfigError


def make_strategy(training: Training) -> tf.distribute.Strategy:
    """The tf.distribute strategy of these settings.

    `auto` is MirroredStrategy over all GPUs where there are several, else one device. `mirrored` takes `replicas` GPUs,
    or as many logical CPU devices where there is no GPU; those must be made before TensorFlow is first used
    (`make_logical_devices`).

    Raises:
        ConfigError: more replicas than devices, or a batch that does not divide.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if training.strategy == "one_device" or (training.strategy == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    replicas = training.replicas or len(devices)
    if replicas > len(devices):
        raise ConfigError(f"training.replicas must not exceed the {len(devices)} devices here", received=replicas)
    if training.batch_size % replicas:
        raise ConfigError(
            f"training.batch_size must be a multiple of the {replicas} replicas", received=training.batch_size
        )
    # With one communication device there is no library of collectives to set up; results are the same.
    cross_device = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices[:replicas], cross_device_ops=cross_device)


def needs_logical_devices(training: Training) -> bool:
    """Whether these settings ask for several replicas where there is no GPU."""
    several = training.strategy == "mirrored" and (training.replicas or 1) > 1
    return several and not tf.config.list_physical_devices("GPU")


def make_logical_devices(count: int) -> None:
    """Splits the CPU into so many logical devices. Only possible before TensorFlow has run anything.

    Raises:
        RuntimeError: TensorFlow is at work already.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
