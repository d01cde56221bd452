"""Compares our search with the same search as a plain KerasTuner script in one process.

    python tests/benchmarks/tuning.py ../shared/data/fashion-mnist
    python tests/benchmarks/tuning.py ../shared/data/fashion-mnist --memory

Both try the same settings of LeNet-5 on the same 54,000 Fashion-MNIST images for the same number of epochs, and validate on
the other 6,000. The script is typical for KerasTuner: arrays in memory, `RandomSearch`, `fit`. Ours is the command
`kerasvision tune`; its data stages have already run, just as the script's arrays are already on disk. Each search runs in a
separate process and is timed from start to end. They take turns; the results are medians over the rounds, and medians of the
ratios within a round.

Measured in two rounds (2 CPU cores, AMD EPYC; other processes used idle time of the machine):

    KerasTuner                          196.9 s   177.1 s
    ours, one at a time                 211.3 s   200.6 s   1.07, 1.13
    ours, two at a time                 120.0 s   127.3 s   0.61, 0.72
    ours, two, hopeless ones stopped    116.6 s   118.9 s   0.59, 0.67

`--memory` prints the resident memory of the searching process over 30 trials of one epoch on scikit-learn's digits.
"""

import argparse
import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATE, BATCH, ACTIVATION = "training.optimizer.learning_rate", "training.batch_size", "model.options.activation"
VARIANTS = {
    "ours, one at a time": [],
    "ours, two at a time": ["--set", "search.parallel_trials=2"],
    "ours, two, hopeless ones stopped": ["--set", "search.parallel_trials=2", "--set", "search.stop_hopeless=true"],
}
PIPELINE = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="bench",
    source=c.Idx(path={path!r}, class_names=tuple("0123456789")),
    splits=c.Splits(validation=0.1),
    transform=c.Transform(image_size=(28, 28), color_mode="grayscale"),
    task=c.Classification(),
    model=c.Model(name="lenet5", options={{"activation": "relu", "pooling": "max"}}),
    training=c.Training(optimizer=c.Sgd(momentum=0.9)),
    search=c.Search(
        space={{
            {rate!r}: c.LogUniform(1e-3, 0.3),
            {batch!r}: c.Choice(64, 128, 256),
            {activation!r}: c.Choice("relu", "tanh"),
        }},
        trials={trials}, epochs={epochs},
    ),
)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the official files of Fashion-MNIST")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--script", action="store_true", help="run the script itself; the benchmark uses this")
    arguments = parser.parse_args()
    if arguments.script:
        script(arguments.data, trials=arguments.trials, epochs=arguments.epochs)
    elif arguments.memory:
        memory()
    else:
        race(arguments)


def race(arguments: argparse.Namespace) -> None:
    """Runs all searches in turns."""
    folder = Path(tempfile.mkdtemp(prefix="tuning-"))
    file = folder / "bench.py"
    budget = {"trials": arguments.trials, "epochs": arguments.epochs}
    path = str(arguments.data.resolve())
    file.write_text(PIPELINE.format(path=path, rate=RATE, batch=BATCH, activation=ACTIVATION, **budget))
    ours = [sys.executable, "-c", "from kerasvision.cli import main; main()"]
    run([*ours, "run", str(file), "--until", "transform", "--root", str(folder)])
    theirs = [sys.executable, __file__, str(arguments.data), "--script"]
    theirs += [f"--{name}={value}" for name, value in budget.items()]
    seconds: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        seconds.setdefault("KerasTuner", []).append(run(theirs))
        for label, extra in VARIANTS.items():
            seed = ["--set", f"search.retries={number + 2}"]  # another search for the cache, but with the same trials
            command = [*ours, "tune", str(file), "--root", str(folder), *extra, *seed]
            seconds.setdefault(label, []).append(run(command))
        print({label: f"{times[-1]:.1f} s" for label, times in seconds.items()}, flush=True)
    for label, times in seconds.items():
        ratios = [mine / other for mine, other in zip(times, seconds["KerasTuner"], strict=True)]
        print(f"{label:34} {statistics.median(times):6.1f} s   {statistics.median(ratios):.2f} of the script's")


def run(command: list[str]) -> float:
    """The duration of a process in seconds."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def script(data: Path, *, trials: int, epochs: int) -> None:
    """The search as a typical KerasTuner script."""
    import keras
    import keras_tuner
    import numpy as np

    from kerasvision import models

    def array(name: str, skip: int) -> np.ndarray:
        return np.frombuffer(gzip.decompress((data / name).read_bytes()), np.uint8, offset=skip)

    images = array("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1) / np.float32(255)
    labels = array("train-labels-idx1-ubyte.gz", 8).astype("int64")

    class Hyper(keras_tuner.HyperModel):
        def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
            rate = hp.Float(RATE, 1e-3, 0.3, sampling="log")
            hp.Choice(BATCH, [64, 128, 256])
            activation = hp.Choice(ACTIVATION, ["relu", "tanh"])
            network = models.build("lenet5", image_shape=(28, 28, 1), num_classes=10, activation=activation, pooling="max")
            network.compile(
                keras.optimizers.SGD(rate, momentum=0.9),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
            )
            return network

        def fit(self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: object, **options: object) -> object:
            return model.fit(*args, batch_size=hp.get(BATCH), **options)

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(Hyper(), objective="val_accuracy", max_trials=trials, seed=1, directory=folder)
        tuner.search(
            images[:54000], labels[:54000], validation_data=(images[54000:], labels[54000:]), epochs=epochs, verbose=0
        )


def memory() -> None:
    """Prints the memory of the searching process after each trial."""
    from kerasvision import config as c
    from kerasvision.pipeline import local
    from kerasvision.pipeline.standard import standard_pipeline
    from kerasvision.tuning import search
    from kerasvision.tuning.worker import resident_bytes

    report, held = search._Search.report, []

    def reported(self: object, begun: object) -> None:
        report(self, begun)
        held.append(resident_bytes() / 1e6)

    search._Search.report = reported
    experiment = c.Experiment(
        name="memory",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        search=c.Search(space={RATE: c.LogUniform(1e-3, 0.3)}, trials=30, epochs=1, stop_hopeless=True),
    )
    with tempfile.TemporaryDirectory() as root:
        local.run(standard_pipeline(experiment), root=root, until="tuner")
    for first in range(0, 30, 5):
        print(f"after trial {first + 1:2}: {held[first]:7.1f} MB")
    print(f"after trial 30: {held[-1]:7.1f} MB, from the 5th on {100 * (held[-1] / held[4] - 1):+.1f} %")


if __name__ == "__main__":
    main()
