"""One worker of a small training; test_workers.py runs several at a time.

    TF_CONFIG=... python worker_cases.py DATA SETTINGS.json FOLDER

runs `train`, as the trainer stage does; it starts a new process. DATA is a folder of the fixture `stripes`. It writes
FOLDER/work, FOLDER/model.keras and history.csv. The exit code is that of the command line.

`fit_in_this_process` is for a process that has already imported TensorFlow, which takes five seconds. It writes FOLDER/work,
and this worker's final weights, FOLDER/worker-0.npz.
"""

import json
import os
import sys
from pathlib import Path

from kerasvision import quiet


def main(data, settings, folder):
    from kerasvision.config.stages import TrainerSettings
    from kerasvision.errors import KerasvisionError

    try:
        train(TrainerSettings.parse(json.loads(settings.read_text())), data, folder)
    except KerasvisionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)


def fit_in_this_process(settings, data, folder, *, log, variables):
    """`fit` with these environment variables; `log` is a file for the standard error."""
    os.environ.update(variables)
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    fit(settings, data, folder)


def fit(settings, data, folder):
    from kerasvision.training.devices.strategy import make_strategy

    strategy = make_strategy(settings.training)  # before TensorFlow runs anything

    import numpy as np

    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.transform import ImageTransform
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.training.fit import fit

    fitted = fit(
        settings,
        examples=ExampleSet(data / "data"),
        classes=DataSchema.load(data / "schema.json").classes,
        transform=ImageTransform.load(data / "transform.json"),
        work=folder / "work",
        strategy=strategy,
    )
    weights = {f"weight {number}": weight for number, weight in enumerate(fitted.model.get_weights())}
    table = {f"history {name}": fitted.history[name].to_numpy() for name in fitted.history}
    np.savez(folder / f"worker-{fitted.workers.number}.npz", **weights, **table)
    fitted.workers.any(False)


def train(settings, data, folder):
    from kerasvision.training.session import TrainingFiles, train

    files = TrainingFiles(
        data / "data",
        data / "schema.json",
        data / "transform.json",
        folder / "model.keras",
        folder / "history.csv",
        folder / "work",
    )
    print("wrote" if train(settings, files) else "took part", flush=True)


def normalised(*, image_shape, num_classes, synchronized=False, rate=0.0):
    """A small network with state that a checkpoint must include: moving statistics and a dropout generator."""
    import keras

    image = keras.Input(image_shape)
    x = keras.layers.Conv2D(6, 3, strides=2, use_bias=False)(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(synchronized=synchronized)(x))
    x = keras.layers.Dropout(rate)(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(num_classes)(x))


if __name__ == "__main__":
    quiet.install()
    main(*map(Path, sys.argv[1:]))
