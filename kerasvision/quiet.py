"""Import TensorFlow without its greetings, and in half the processor time.

While it is imported, TensorFlow 2.21 writes to standard error which kernels it has and that there is no GPU, whatever
TF_CPP_MIN_LOG_LEVEL says: the lines come before its log is set up.

The import makes a million objects that live as long as the process. Python's garbage collector looks through them again
and again while they are made, and once more when the process ends: 2.5 of 5.7 seconds of processor time.
"""

import atexit
import gc
import importlib.machinery
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

NOISY = "tensorflow"
# TFDS reads boxes and masks by calls that are on their way out.
FOR_DEVELOPERS = ("`TensorInfo.dtype` is deprecated", "calling map_fn_v2 (from tensorflow", "back_prop=False is deprecated")


class QuietImport:
    """A finder that lets one package be imported with standard error kept aside; if the import fails, it is shown."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec that the other finders give, with a loader that is quiet."""
        if name != NOISY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with standard_error_aside(), without_garbage_collection():
                    load(module)
                for logger in ("absl", "tensorflow"):
                    logging.getLogger(logger).addFilter(is_news)

            # Not a loader of our own around it: who asks this one for sources or data files gets them.
            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


def is_installed() -> bool:
    """Whether `install` was called in this process.

    >>> is_installed()
    False
    """
    return any(isinstance(finder, QuietImport) for finder in sys.meta_path)


def install() -> None:
    """From now on the import is quiet, in this process and, for what its log does obey, in its children.

    A warning is one line, without the place in the source.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    sys.meta_path.insert(0, QuietImport())
    # The collection when the process ends leaves out what is frozen.
    atexit.register(gc.freeze)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the log is worth a user's time: what TensorFlow and TFDS say to their own developers is not.

    >>> is_news(logging.makeLogRecord({"msg": "`TensorInfo.dtype` is deprecated."}))
    False
    """
    text = record.getMessage()
    return not any(told in text for told in FOR_DEVELOPERS)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Meanwhile no garbage is collected, and what was made is never looked through later: for imports.

    >>> with without_garbage_collection():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def standard_error_aside() -> Iterator[None]:
    """What is written to file descriptor 2 meanwhile, by C++ too, is thrown away, or shown if an error is raised."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
