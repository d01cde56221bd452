"""Fixtures that the tests share: usual handling of signals, fast processes, images and trained networks."""

import functools
import gc
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from packaging.version import Version

REPOSITORY = Path(__file__).parent.parent

# Before NumPy and scikit-learn are imported, here and in all processes of the tests. Tests run side by side, and threads
# that wait for each other on busy cores took a tenth of the processor time of what multiplies matrices.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def pytest_collection_finish():
    """The collected tests and their modules live to the end, so garbage collections need not look at them each time.

    They did for a thirtieth of the processor time. What the tests make is looked at less often: the collections take 3.4 s
    of 149 s of processor time of some folders instead of 6.7 s, with the same peak of memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def signals_end_a_process():
    """SIGINT and SIGTERM have the same effect in the tests and their child processes as in a terminal.

    A shell ignores SIGINT in background processes, and `trap "" TERM` ignores SIGTERM. A process and its children inherit
    that.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, usual)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def spawned_processes_begin_with_tensorflow():
    """Processes that a test spawns with multiprocessing are forked from a fresh process that has imported what stages use.

    The package spawns processes, because a fork of a process in which TensorFlow has computed something shares its state.
    The fresh process has computed nothing. So its fork is like a spawned process, but saves the five seconds of the import.
    """
    multiprocessing.set_forkserver_preload(["kerasvision.pipeline.stages.imports"])
    get_context = multiprocessing.get_context
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            multiprocessing, "get_context", lambda kind=None: get_context("forkserver" if kind == "spawn" else kind)
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def commands_are_made_once():
    """Typer makes all commands from their functions whenever the command line is called, which takes 30 ms of each test."""
    import typer.main
    import typer.testing

    made = functools.cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", made)
        patch.setattr(typer.testing, "_get_command", made)
        yield


def _module(folder, name):
    """A module of the tests, found by its path because the tests are not a package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", autouse=True)
def protocols_are_read_once():
    """See `warm.protocols_read_once`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*_module(".", "warm").protocols_read_once())
        yield


@pytest.fixture(scope="session")
def warm():
    """`warm.run(code, *arguments)` runs a Python program in a process that has already imported TensorFlow."""
    process = _module(".", "warm").WarmProcess()
    yield process
    process.end()


@pytest.fixture(scope="session")
def forked_process(warm):
    """A class like `FreshProcess`, whose processes are forks of the warm one; use it in its place or as `parity.take`."""
    from kerasvision.export.proof.fresh_process import PROBE, complaint

    class Fork:
        def ask(self, request):
            code = "import json, runpy, sys; runpy.run_path(sys.argv[1])['main'](**json.loads(sys.argv[2]))"
            done = warm.run(code, PROBE, json.dumps(asdict(request)))
            return complaint(done.returncode, done.stderr)

        def is_waiting(self):
            return True

    return Fork


@pytest.fixture(scope="session")
def once_for_all(tmp_path_factory):
    """`once_for_all(name, make)`: a folder that `make(folder)` fills once, for all processes that share the tests."""
    in_processes = "PYTEST_XDIST_WORKER" in os.environ
    shared = tmp_path_factory.getbasetemp().parent if in_processes else tmp_path_factory.getbasetemp()

    def once(name, make):
        folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
        with FileLock(shared / f"once-{name}.lock"):
            if not done.exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def run_new():
    """Runs the command line in a new interpreter: its exit code and output."""

    def run(*arguments, cwd=REPOSITORY, **environment):
        code = "from kerasvision.cli import main; main()"
        command = [sys.executable, "-W", "error::UserWarning", "-c", code, *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
        )

    return run


@pytest.fixture(scope="session")
def digits_root(once_for_all, run_new):
    """A root in which pipelines/digits.py ran: `first_command.txt` was typed, and `first_run.txt` was printed."""

    def first_run(root):
        command = ("run", "pipelines/digits.py")
        done = run_new(*command, "--root", root)
        assert done.returncode == 0, done.stderr
        (root / "first_command.txt").write_text(" ".join(("kerasvision", *command)) + "\n")
        (root / "first_run.txt").write_text(done.stdout.replace(f"{os.path.relpath(root, REPOSITORY)}/", ""))

    return once_for_all("digits", first_run)


@pytest.fixture(scope="session")
def wheel(once_for_all):
    """The wheel, next to the folder `clone` that it was made of.

    `python -m build` uses this environment's setuptools if it is one of those in pyproject.toml.
    """

    def build(folder):
        # In a copy, because setuptools writes into the folder.
        clone = folder / "clone"
        shutil.copytree(REPOSITORY / "kerasvision", clone / "kerasvision", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, clone)
        is_locked = Version("77") <= Version(importlib.metadata.version("setuptools")) < Version("90")
        how = ["--no-isolation"] if is_locked else []
        command = [sys.executable, "-m", "build", "--wheel", *how, "--outdir", folder, clone]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    (built,) = once_for_all("wheel", build).glob("*.whl")
    return built


@pytest.fixture(scope="session")
def make_images():
    """The module tests/faults/make_images.py."""
    return _module("faults", "make_images")


@pytest.fixture(scope="session")
def image_kinds():
    """The module tests/faults/image_kinds.py: a file of every kind, and how Pillow decodes it."""
    return _module("faults", "image_kinds")


@pytest.fixture(scope="session")
def brightness():
    """The module tests/export/brightness.py: `saved(folder)` makes a saved model that needs no training."""
    return _module("export", "brightness")


@pytest.fixture(scope="session")
def corners():
    """The module tests/export/corners.py: a task whose answers have places and come in sets, without training."""
    return _module("export", "corners")


@pytest.fixture(scope="session")
def saved_corners(corners, once_for_all):
    """The SavedModel of the task in tests/export/corners.py, for frames of `corners.FRAME`, padded."""
    return once_for_all("corners", lambda folder: corners.export_to(folder / "1")) / "1"


@pytest.fixture(scope="session")
def found_objects(once_for_all):
    """The module tests/export/found_objects.py, and the folder `saved_model` of its model."""
    module = _module("export", "found_objects")
    folder = once_for_all("found_objects", lambda folder: module.saved(folder / "1"))
    return SimpleNamespace(module=module, saved_model=folder / "1")


@pytest.fixture(scope="session")
def pixel_classes(once_for_all):
    """The module tests/export/pixel_classes.py, and the folder `saved_model` of its model."""
    module = _module("export", "pixel_classes")
    folder = once_for_all("pixel_classes", lambda folder: module.saved(folder / "1"))
    return SimpleNamespace(module=module, saved_model=folder / "1")


@pytest.fixture(scope="session")
def stripes(once_for_all):
    """A data set that LeNet-5 learns in seconds: the files `examples`, `schema` and `transform`, and `classes`.

    16 x 16 grey PNG images of three classes, horizontal, vertical and crossed stripes: 96 train, 24 validation, 24 test.
    """
    import numpy as np

    from kerasvision import config as c
    from kerasvision.data.examples import ExampleSet, write_examples
    from kerasvision.data.png import encode_png
    from kerasvision.data.transform import ImageTransform
    from kerasvision.data.validating.schema import DataSchema

    random = np.random.default_rng(0)
    classes = ("across", "along", "über Kreuz")
    wave = np.sin(np.arange(16)[:, None] * np.pi / 2 + 2 * np.pi * random.uniform(size=144))

    def picture(number):
        stripes = wave[:, number, None] * (number % 3 != 1) + wave[None, :, number] * (number % 3 != 0)
        return (127 + 40 * stripes + random.normal(0, 20, (16, 16))).clip(0, 255).astype(np.uint8)

    rows = [(f"{number:03d}.png", encode_png(picture(number)), classes[number % 3]) for number in range(144)]
    splits = {"train": rows[:96], "validation": rows[96:120], "test": rows[120:]}

    def make(folder):
        write_examples(lambda split: splits[split], splits=splits, classes=classes, folder=folder / "data")
        schema = DataSchema(classes=classes, modes=("L",), min_side=16, max_side=16)
        schema.save(folder / "schema.json")
        settings = c.Transform(image_size=(16, 16), color_mode="grayscale", scale="standardize")
        images = ExampleSet(folder / "data").dataset("train").map(lambda example: example["image"])
        ImageTransform.fit(settings, images).save(folder / "transform.json")

    folder = once_for_all("stripes", make)
    return SimpleNamespace(
        examples=folder / "data", schema=folder / "schema.json", transform=folder / "transform.json", classes=classes
    )


@pytest.fixture(scope="session")
def stripes_settings():
    """Trainer settings for `stripes`: `stripes_settings(epochs=2, optimizer=...)` changes the training."""
    from kerasvision import config as c
    from kerasvision.config.stages import TrainerSettings

    def settings(*, augment=(), **training):
        defaults = {"epochs": 4, "batch_size": 16, "optimizer": c.Adam(learning_rate=3e-3)}
        return TrainerSettings(
            task=c.Classification(),
            model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
            training=c.Training(**{**defaults, **training}),
            augment=augment,
        )

    return settings


@pytest.fixture(scope="session")
def trained(stripes, stripes_settings, once_for_all):
    """A network trained on `stripes`, its files, and its SavedModel, as the trainer and the exporter write them."""
    from kerasvision import config as c
    from kerasvision.config.stages import ExporterSettings
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.transform import ImageTransform
    from kerasvision.export.writing.exporting import TrainedFiles, export
    from kerasvision.models.saved import load_network
    from kerasvision.tasks.base import make_task
    from kerasvision.training.session import TrainingFiles, train

    settings = stripes_settings()

    def make(folder):
        settings.save(folder / "settings.json")
        files = (stripes.examples, stripes.schema, stripes.transform)
        train(settings, TrainingFiles(*files, model=folder / "model.keras", history=folder / "history.csv"))
        exported = TrainedFiles(folder / "model.keras", *files)
        export(exported, settings=ExporterSettings(task=settings.task, export=c.Export()), folder=folder)

    folder = once_for_all("trained", make)
    return SimpleNamespace(
        model=folder / "model.keras",
        history=folder / "history.csv",
        settings=folder / "settings.json",
        saved_model=folder / "Format-Serving",
        record=folder / "export.json",
        network=load_network(folder / "model.keras"),
        task=make_task(settings.task, stripes.classes),
        transform=ImageTransform.load(stripes.transform),
        examples=ExampleSet(stripes.examples),
    )
