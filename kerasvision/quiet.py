"""Imports TensorFlow without its startup messages, and in less processor time.

During its import, TensorFlow 2.21 writes to standard error which kernels it has and that there is no GPU. It does so with
any TF_CPP_MIN_LOG_LEVEL, because its log is set up later.

The import makes hundreds of thousands of objects that live as long as the process. Python's garbage collector examines them
again and again during the import, and once more when the process ends: 1.2 of 3.3 seconds of processor time on 2 CPU cores
(`findings/tensorflow_import_garbage_collection.sh`).
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
# TFDS reads boxes and masks with deprecated calls.
FOR_DEVELOPERS = ("`TensorInfo.dtype` is deprecated", "calling map_fn_v2 (from tensorflow", "back_prop=False is deprecated")


class QuietImport:
    """A finder that imports one package with standard error captured. If the import fails, the output is shown."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec from the other finders, with a quiet loader."""
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

            # The loader is changed and not wrapped, so that it still provides sources and data files.
            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


def is_installed() -> bool:
    """Whether `install` was called in this process.

    >>> is_installed()
    False
    """
    return any(isinstance(finder, QuietImport) for finder in sys.meta_path)


def install() -> None:
    """From now on the import is quiet in this process. In its children only TensorFlow's log is quiet.

    A warning is printed as one line, without its place in the source.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    sys.meta_path.insert(0, QuietImport())
    # The garbage collection at the end of the process skips frozen objects.
    atexit.register(gc.freeze)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a log message is for users, and not for the developers of TensorFlow and TFDS.

    >>> is_news(logging.makeLogRecord({"msg": "`TensorInfo.dtype` is deprecated."}))
    False
    """
    text = record.getMessage()
    return not any(part in text for part in FOR_DEVELOPERS)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Turns garbage collection off, and afterwards excludes all objects from later collections; for imports.

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
    """Discards everything that is written to file descriptor 2, also by C++; shows it if an error is raised."""
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
