"""Options of the whole suite, and the order of its files."""

import compileall
import gc
import sys

# TensorFlow is imported while tests are collected. Until they are, no garbage is: see kerasvision/quiet.py.
gc.disable()

# Its import is what it is for: it imports all that stages use, and freezes every object.
collect_ignore = ["kerasvision/pipeline/stages/imports.py"]

# The files that take longest, the longest first. Where several processes share the tests, each takes the next file when it
# has done its own: a long one that came last would leave the others waiting.
LONGEST = (
    "tests/conformance/test_models.py",
    "tests/cli/test_pages.py",
    "tests/examples/test_examples.py",
    "tests/cli/test_digits.py",
    "tests/training/devices/test_replicas.py",
    "tests/pipeline/test_captioner.py",
    "tests/models/test_pretrained.py",
    "tests/training/test_fit.py",
    "tests/notebooks/test_notebooks.py",
    "tests/cli/test_data.py",
    "tests/training/test_transfer.py",
    "tests/cli/test_plugins.py",
    "tests/cli/test_interrupt.py",
    "tests/training/checkpointing/test_checkpoints.py",
    "tests/conformance/test_augmentations.py",
    "tests/training/test_transfer_captions.py",
    "tests/export/proof/test_parity.py",
    "tests/faults/test_bad_folder.py",
    "tests/tuning/test_machines.py",
)


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; look at the difference")


def pytest_configure(config):
    # xdist would begin with the files that hold most tests.
    config.option.loadscopereorder = False
    # Hundreds of processes import the package. Where Python may not keep what it compiled, each would compile it again.
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        compileall.compile_dir(config.rootpath / "kerasvision", quiet=2)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_unconfigure():
    gc.freeze()


def pytest_collection_modifyitems(config, items):
    """The longest files come first; the order is as it was otherwise."""
    rank = {config.rootpath / file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
