"""Options of the whole suite, the order of its files, and networks whose weights have no values."""

import compileall
import contextlib
import gc
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# Several processes share the cores. Threads of NumPy and scikit-learn in each of them mostly wait for each other.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# TensorFlow is imported during the collection of tests. Garbage collection is off until then: see kerasvision/quiet.py.
gc.disable()

# A busy machine is not an error: no example has a time limit, and slow examples are accepted.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Importing the first imports everything that stages use, and freezes every object. The second requires torch.
collect_ignore = ["kerasvision/pipeline/stages/imports.py", "tests/tasks/detection/make_torchvision_losses.py"]

# The slowest files, the slowest first. If several processes share the tests, each takes the next file when it has finished
# one: if a slow file came last, the other processes would wait for it.
LONGEST = (
    "tests/notebooks/test_notebooks.py",
    "tests/cli/test_pages.py",
    "tests/conformance/test_models.py",
    "tests/data/feeding/test_batches.py",
    "tests/training/devices/test_replicas.py",
    "tests/training/test_transfer.py",
    "tests/cli/test_digits.py",
    "tests/models/test_keras_layers.py",
    "tests/conformance/test_augmentations.py",
    "tests/training/test_fit.py",
    "tests/faults/test_bad_folder.py",
    "tests/conformance/test_training.py",
    "tests/cli/test_hostile_arguments.py",
    "tests/conformance/test_replicas.py",
    "tests/models/test_figures.py",
    "tests/training/probes/test_overfit.py",
    "tests/faults/test_planted.py",
    "tests/pipeline/test_side_by_side.py",
    "tests/models/test_resnet_v2.py",
    "tests/conformance/test_structure.py",
    "tests/cli/test_data.py",
    "tests/training/test_loop.py",
    "tests/export/proof/test_parity.py",
    "tests/export/test_sentences.py",
    "tests/models/test_captioner.py",
    "tests/evaluation/test_score.py",
)


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files; check the difference")


def pytest_configure(config):
    # xdist would start with the files that have the most tests.
    config.option.loadscopereorder = False
    # Hundreds of processes import the package. If Python may not write bytecode, each would compile it again.
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        compileall.compile_dir(config.rootpath / "kerasvision", quiet=2)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_unconfigure():
    gc.freeze()


def pytest_collection_modifyitems(config, items):
    """Moves the slowest files to the beginning; the order of the others does not change."""
    rank = {config.rootpath / file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@contextlib.contextmanager
def without_values():
    """Networks that are built meanwhile have weights with a shape but no values, because values take most of the time."""
    import keras
    from keras.src.backend.common import global_state

    with keras.StatelessScope(initialize_variables=False):
        yield
    # Otherwise Keras would give them values when it next leaves such a scope.
    global_state.set_global_attribute("uninitialized_variables", [])


@pytest.fixture
def shapes_only():
    """`without_values`, for tests of the number, names and sizes of layers. An answer to an image would be random."""
    with without_values():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """The docstrings of networks show sizes."""
    if item.path.is_relative_to(item.config.rootpath / "kerasvision" / "models"):
        with without_values():
            return (yield)
    return (yield)
