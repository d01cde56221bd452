"""Results on several replicas and on one device, in one process with four logical devices; see conftest.py.

    python replica_cases.py OUT.npz DATA WHAT ...

DATA is a folder of the fixture `stripes`, which only "frozen" and "maps" read. Each WHAT is a number of replicas and the
name of a case, such as "2 clipping"; its results are saved under "2 clipping/".

All cases share the start of the process and of TensorFlow, which takes as long as several cases.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.tasks.auxiliary import main_logits, with_auxiliary_losses
from kerasvision.tasks.base import Objective, make_task
from kerasvision.training.checkpointing.variable_values import assign_values, read_values
from kerasvision.training.devices.strategy import make_logical_devices, make_strategy
from kerasvision.training.fit import fit
from kerasvision.training.gradients import NO_PENALTY, Penalty
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.loss_scale import LossScale
from kerasvision.training.optimizing.optimizers import for_training, make_optimizer
from kerasvision.training.step import TrainStep

STEPS = 20
# The options that each case turns on; the others are off.
STEP_CASES = {
    "clipping": {"clip_norm": 0.3},
    "accumulation": {"micro_batches": 2},
    "weights": {"weighted": True},
    "partial batch": {"rows": 37},
    "normalisation": {"normalised": True},
    "everything": {
        "clip_norm": 0.3,
        "micro_batches": 2,
        "weighted": True,
        "rows": 37,
        "normalised": True,
        "penalty": Penalty(l1=1e-3, l2=1e-2),
        "decay": 0.9,
        "heads": True,
    },
}
OPTIMIZERS = {
    "Sgd": c.Sgd(),
    "momentum": c.Sgd(momentum=0.9),
    "RmsProp with momentum": c.RmsProp(momentum=0.9),
    "Adam": c.Adam(),
    "RmsProp": c.RmsProp(),
    "Adagrad": c.Adagrad(),
    "Lion": c.Lion(),
    "Muon": c.Muon(),
}


def main(out, data, wanted):
    make_logical_devices(4)
    found = {}
    for what in wanted:
        replicas, case = what.split(" ", 1)
        devices = {"strategy": "one_device"} if replicas == "1" else {"strategy": "mirrored", "replicas": int(replicas)}
        strategy = make_strategy(c.Training(batch_size=16, **devices))
        if case in STEP_CASES:
            results = trained(strategy, **STEP_CASES[case])
        elif case in OPTIMIZERS:
            results = optimized(strategy, OPTIMIZERS[case])
        elif case == "frozen":
            results = frozen(strategy, Path(data))
        elif case == "maps":
            results = maps(strategy, Path(data))
        elif case == "detector":
            results = detector(strategy)
        elif case == "two-stage detector":
            results = detector(strategy, network="faster_rcnn")
        elif case == "regression":
            results = regression(strategy)
        elif case == "segmenter":
            results = segmenter(strategy)
        elif case == "tree":
            results = tree(strategy)
        elif case == "generator":
            results = generator(strategy)
        else:
            results = {"overflow": overflow, "dropout": dropout, "values": values, "drift": drift}[case](strategy)
        found |= {f"{what}/{key}": value for key, value in results.items()}
    np.savez(out, **found)


def trained(
    strategy,
    *,
    weighted=False,
    rows=32,
    normalised=False,
    heads=False,
    micro_batches=1,
    clip_norm=None,
    penalty=NO_PENALTY,
    decay=None,
):
    """Weights, losses and metrics after 20 steps."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = convolutional(normalised=normalised, heads=heads, synchronized=strategy.num_replicas_in_sync > 1)
        goal, optimizer = objective(), for_training(keras.optimizers.SGD)(0.1, momentum=0.9)
    averages = None if decay is None else WeightAverages(network, decay=decay, strategy=strategy)
    step = TrainStep(
        network,
        objective=goal,
        optimizer=optimizer,
        strategy=strategy,
        micro_batches=micro_batches,
        clip_norm=clip_norm,
        penalty=penalty,
        averages=averages,
    )
    is_cut = strategy.num_replicas_in_sync * micro_batches > 1
    data = batches(rows=rows, weighted=weighted, filled=is_cut)
    losses = step.run(iter(step.share_out(data.repeat())), STEPS)
    found = {"losses": losses, **{f"training {name}": value for name, value in step.results().items()}}
    if averages is not None:
        averages.keep()
        found |= {f"validation {name}": value for name, value in step.evaluate(data).items()}
    return found | {f"weight {number}": weight for number, weight in enumerate(network.get_weights())}


def frozen(strategy, data):
    """Weights after an epoch of a small network on the maps of its frozen backbone."""
    training = c.Training(
        epochs=1,
        batch_size=16,
        optimizer=c.Sgd(learning_rate=0.02, momentum=0.9),
        seed=3,
        freeze="backbone",
        features="once",
        strategy="one_device" if strategy.num_replicas_in_sync == 1 else "mirrored",
    )
    model = c.Model(name="small_networks:normalised")
    fitted = fitted_on(data, strategy, {"task": c.Classification(), "model": model, "training": training})
    return {
        f"{layer.name}/{number}": weight
        for layer in fitted.model.layers
        for number, weight in enumerate(layer.get_weights())
    }


def fitted_on(data, strategy, settings):
    return fit(
        TrainerSettings(**settings, augment=()),
        examples=ExampleSet(data / "data"),
        classes=DataSchema.load(data / "schema.json").classes,
        transform=ImageTransform.load(data / "transform.json"),
        strategy=strategy,
    )


def maps(strategy, data):
    """Weights and history after two epochs of a network whose outputs are a dict of maps, with scores of the whole split."""
    training = c.Training(
        epochs=2,
        batch_size=16,
        micro_batches=2,
        clip_norm=1.0,
        average_decay=0.5,
        optimizer=c.Sgd(learning_rate=0.05, momentum=0.9),
        strategy="one_device" if strategy.num_replicas_in_sync == 1 else "mirrored",
    )
    settings = {"task": {"kind": "map_task:Maps"}, "model": c.Model(name="map_task:maps"), "training": training}
    fitted = fitted_on(data, strategy, settings)
    return table_and_weights(fitted)


def detector(strategy, network="fcos"):
    """Weights and history after two epochs of a tiny detector, at a rate that does not amplify rounding."""
    import small_detector

    with tempfile.TemporaryDirectory() as folder:
        small_detector.write_scenes(Path(folder))
        kind = "one_device" if strategy.num_replicas_in_sync == 1 else "mirrored"
        rate = c.Sgd(learning_rate=0.02, momentum=0.9)
        options = {
            "epochs": 2,
            "micro_batches": 2,
            "clip_norm": 5.0,
            "average_decay": 0.5,
            "optimizer": rate,
            "strategy": kind,
        }
        fitted = small_detector.fitted(Path(folder), on=strategy, network=network, **options)
    return table_and_weights(fitted)


def regression(strategy):
    """Weights and history after two epochs of a tiny network of numbers, some of which are missing."""
    import small_regression

    with tempfile.TemporaryDirectory() as folder:
        small_regression.write_images(Path(folder))
        kind = "one_device" if strategy.num_replicas_in_sync == 1 else "mirrored"
        fitted = small_regression.fitted(Path(folder), on=strategy, epochs=2, clip_norm=5.0, strategy=kind)
    return table_and_weights(fitted)


def segmenter(strategy):
    """Weights and history after two epochs of a tiny network of pixels."""
    import small_segmenter

    with tempfile.TemporaryDirectory() as folder:
        small_segmenter.write_scenes(Path(folder))
        kind = "one_device" if strategy.num_replicas_in_sync == 1 else "mirrored"
        rate = c.Sgd(learning_rate=0.05, momentum=0.9)
        fitted = small_segmenter.fitted(Path(folder), on=strategy, epochs=2, clip_norm=5.0, optimizer=rate, strategy=kind)
    return table_and_weights(fitted)


def tree(strategy):
    """Weights and losses of a hierarchical softmax, whose nodes are updated by rows. The replicas use different nodes."""
    counts = [40, 20, 9, 5, 3, 2, 1, 1]
    labels = np.repeat(np.arange(8), counts)
    task = make_task(c.Classification(loss="hierarchical"), tuple("abcdefgh"))
    task = task.learning_from(tf.data.Dataset.from_tensor_slices({"label": labels.astype("int64")}))
    generator = np.random.default_rng(0)
    images, labels = generator.normal(size=(48, 4, 4, 1)).astype("float32"), generator.permutation(labels)[:48]
    found = {}
    for name, optimizer in (("momentum", c.Sgd(learning_rate=0.1, momentum=0.9)), ("adam", c.Adam(learning_rate=0.01))):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            network = task.build(c.Model(name="small_networks:dense"), image_shape=(4, 4, 1))
            goal, rule = task.objective(), make_optimizer(c.Training(optimizer=optimizer), steps_per_epoch=1)
        step = TrainStep(network, objective=goal, optimizer=rule, strategy=strategy, clip_norm=0.5)
        data = (
            tf.data.Dataset.from_tensor_slices({"image": images, "label": labels})
            .batch(16, drop_remainder=True)
            .map(task.encode)
        )
        found[f"{name} losses"] = step.run(iter(step.share_out(data.repeat())), STEPS)
        found |= {f"{name} {part}": value for part, value in step.evaluate(data).items()}
        found |= {f"{name} weight {number}": weight for number, weight in enumerate(network.get_weights())}
    return found


def generator(strategy):
    """Weights and history after two epochs of a tiny GAN, in whose discriminator all images of a batch meet."""
    import small_generator

    with tempfile.TemporaryDirectory() as folder:
        small_generator.write_dots(Path(folder))
        kind = "one_device" if strategy.num_replicas_in_sync == 1 else "mirrored"
        # Adam divides a gradient by its own size, which makes rounding as large as a step.
        rate = c.Sgd(learning_rate=0.05, momentum=0.5)
        fitted = small_generator.fitted(Path(folder), on=strategy, epochs=2, clip_norm=5.0, optimizer=rate, strategy=kind)
    return table_and_weights(fitted)


def table_and_weights(fitted):
    weights = {f"weight {number}": weight for number, weight in enumerate(fitted.model.get_weights())}
    return weights | {f"history {name}": fitted.history[name].to_numpy() for name in fitted.history}


def convolutional(*, normalised, heads, synchronized):
    """No bias before a normalisation: its gradient would be zero except for rounding."""
    image = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(5, 3, padding="same", use_bias=False)(image)
    x = keras.layers.BatchNormalization(synchronized=synchronized)(x) if normalised else x
    x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    auxiliary = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)) if heads else None
    return keras.Model(image, {"logits": logits, "auxiliary": auxiliary} if heads else logits)


def objective():
    return Objective(
        with_auxiliary_losses(tf.nn.softmax_cross_entropy_with_logits, weight=0.3),
        [keras.metrics.CategoricalAccuracy(name="accuracy"), keras.metrics.AUC(from_logits=True, name="auc")],
        main_logits,
    )


def batches(*, rows, weighted, filled):
    """Batches of 16. `filled`: the last batch is padded with copies of its first row with weight 0."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(rows, 4, 4, 2)).astype("float32")
    labels = np.eye(3, dtype="float32")[generator.integers(3, size=rows)]
    weights = generator.uniform(0, 2, rows).astype("float32")
    if not filled:
        return tf.data.Dataset.from_tensor_slices((images, labels, weights) if weighted else (images, labels)).batch(16)
    missing = -rows % 16
    places = [*range(rows), *[rows - rows % 16] * missing]
    weights = np.append(weights if weighted else np.ones(rows), np.zeros(missing)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((images[places], labels[places], weights)).batch(16, drop_remainder=True)


def overflow(strategy):
    """Two steps in float16. In the first, the gradient of the last row, on the last replica, exceeds 65,504."""
    with strategy.scope():
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype="mixed_float16")])
        optimizer = for_training(keras.optimizers.SGD)(0.5)
    goal = Objective(lambda targets, outputs, training: tf.cast(outputs[:, 0], tf.float32), [])
    scale = LossScale(initial=2.0**11, strategy=strategy)
    step = TrainStep(network, objective=goal, optimizer=optimizer, strategy=strategy, loss_scale=scale)
    kernel = network.get_weights()[0]
    rows = np.full((2, 16, 1), 0.25, np.float32)
    rows[0, -1] = 1000.0
    iterator = iter(step.share_out(tf.data.Dataset.from_tensor_slices((rows, rows))))
    found = {}
    for number in (1, 2):
        step.run(iterator, 1)
        found[f"move {number}"] = network.get_weights()[0] - kernel
        found[f"scale {number}"] = scale.value.numpy()
    return found | {"applied": optimizer.iterations.numpy()}


def dropout(strategy):
    """The output of dropout for ones on each replica, with Keras' seeds and with ours."""
    found = {}
    for name in ("keras", "ours"):
        with strategy.scope():
            network = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(1)])
            optimizer = for_training(keras.optimizers.SGD)()
        if name == "ours":
            TrainStep(network, objective=objective(), optimizer=optimizer, strategy=strategy)
        masks = strategy.run(lambda network=network: network.layers[0](tf.ones((1, 64)), training=True))
        found[name] = np.stack([mask.numpy()[0] for mask in strategy.experimental_local_results(masks)])
    return found


def optimized(strategy, settings):
    """Three weights after four updates, on each replica, and the kernels that updated them."""
    shapes = [(3, 3, 2, 8), (6, 4), (8,)]
    with strategy.scope():
        weights = [keras.Variable(np.ones(shape, "float32"), name="kernel") for shape in shapes]
        training = c.Training(optimizer=with_decay(settings), schedule="cosine", epochs=1)
        optimizer = make_optimizer(training, steps_per_epoch=10)
        optimizer.build(weights)

    step = tf.function(lambda gradients: strategy.run(lambda own: optimizer.apply(own, weights), args=(gradients,)))
    for number in range(4):
        random = np.random.default_rng(number)
        gradients = [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]
        step(gradients)
    operations = step.get_concrete_function(gradients).graph.get_operations()
    copies = [strategy.experimental_local_results(weight.value) for weight in weights]
    found = {f"weight {number}": np.stack(copies) for number, copies in enumerate(copies)}
    return found | {"kernels": np.array(sorted({each.type for each in operations if "ResourceApply" in each.type}), str)}


class ScaledSgd(keras.optimizers.SGD):
    """Its update is a product with two constants: this one and the schedule's."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient * (learning_rate * 0.3))


def drift(strategy):
    """A weight on each replica, after updates with a different rate at each step.

    TensorFlow's names of operations on replica 1 begin with "replica_1/". If TensorFlow sorted factors by name, an operation
    whose name sorts before that would make the copies drift apart.
    """
    with strategy.scope():
        weight = keras.Variable(np.random.default_rng(0).normal(size=10_000).astype("float32"))
        rate = make_optimizer(c.Training(schedule="cosine", epochs=1), steps_per_epoch=10)._learning_rate
        optimizer = ScaledSgd(rate, name="before_replica")
        optimizer.build([weight])

    @tf.function(autograph=False)
    def step(number):
        strategy.run(lambda: optimizer.apply([tf.random.stateless_normal(weight.shape, [number, 0])], [weight]))

    for number in range(3):
        step(tf.constant(number))
    return {"copies": np.stack(strategy.experimental_local_results(weight.value))}


def with_decay(settings):
    return settings.model_copy(update={"weight_decay": 0.1})


def values(strategy):
    """What `read_values` returns for variables that differ between replicas, and whether restored ones continue equally."""
    here, update = differing(strategy)
    update()
    arrays = read_values(here)
    there, update_there = differing(strategy)
    assign_values(there, arrays)
    same = []
    for _ in range(3):
        update()
        update_there()
        one, other = read_values(here), read_values(there)
        same.append(
            {name: array.tobytes() for name, array in one.items()}
            == {name: array.tobytes() for name, array in other.items()}
        )
    return {"same": np.array(same), **arrays}


def differing(strategy):
    with strategy.scope():
        weight = keras.Variable([1.0, 2.0])
        statistics = keras.layers.BatchNormalization(momentum=0.5)
        statistics.build((None, 1))
        total = tf.Variable(0.0, synchronization=tf.VariableSynchronization.ON_READ, aggregation=tf.VariableAggregation.SUM)

    @tf.function
    def update():
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        statistics(tf.fill([4, 1], replica + 1.0), training=True)
        total.assign_add(0.1 + replica)

    return {"weight": weight, "mean": statistics.moving_mean, "total": total}, lambda: strategy.run(update)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
