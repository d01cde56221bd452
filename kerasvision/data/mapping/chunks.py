"""Lets other processes apply a function to chunks of items. Items and results pass through files, so memory does not grow.

The folder of one such job, on a file system that all processes share:

    job.pickle          the function, and what a process must load before it
    000000.items        the items of the first chunk, one pickle after the other; and so on
    000000.results      their results; a file of results is complete or does not exist

An error in a chunk is part of its results. So it is raised where the results are read, as if the function had been called
there, and the first error in the order of the items counts. A chunk may be done twice: the results are the same.
"""

import os
import pickle
import shutil
import sys
import traceback
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from kerasvision import quiet
from kerasvision.config.loading import load_pipeline_module, loaded_pipeline_files, module_name
from kerasvision.config.runners import Runner
from kerasvision.errors import ConfigError, StageError, portable
from kerasvision.whole_files import write_whole

T = TypeVar("T")
R = TypeVar("R")

JOB = "job.pickle"


class ChunkedMapper(ABC):
    """A `Mapper` whose function is called chunk by chunk in other processes.

    Args:
        settings: the runner.
        scratch: the folder for its files; see `mapper_of`.
    """

    is_here = False

    def __init__(self, settings: Runner, scratch: Path) -> None:
        self.settings, self._scratch = settings, scratch

    @abstractmethod
    def run_chunks(self, folder: Path, count: int) -> None:
        """Calls `run_chunk(folder, number)` for each number below `count`, in any order and in any process.

        Raises:
            KerasvisionError: it was not possible. What a chunk itself raises is part of its results.
        """

    def map(self, function: Callable[[Iterable[T]], Iterator[R]], items: Iterable[T], *, chunk: int) -> Iterator[R]:
        """The results in the order of the items; see `Mapper.map`.

        Raises:
            ConfigError: the function or an item cannot be pickled.
            StageError: a chunk has no results, although `run_chunks` returned.
            Exception: whatever the function raised.
        """
        folder = self._scratch / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            count = _write_job(folder, function, items, chunk)
            if count:
                self.run_chunks(folder, count)
            for number in range(count):
                yield from _results(folder, number, count)
        finally:
            shutil.rmtree(folder)
            with suppress(OSError):  # another job is using it
                self._scratch.rmdir()


@dataclass
class _Job:
    """What a process needs for every chunk.

    Attributes:
        folder: the working folder of the process that made the job, to which paths may be relative.
        path: where that process looks for modules.
        files: pipeline files that define something in the pickles.
        function: pickled.
    """

    folder: Path
    path: tuple[str, ...]
    files: tuple[Path, ...]
    function: bytes


@dataclass
class _Pickles:
    """Pickles objects for another process, and notes the pipeline files that this process needs.

    Attributes:
        needed: names of modules of pipeline files.
    """

    known: dict[str, Path] = field(default_factory=loaded_pipeline_files)
    needed: set[str] = field(default_factory=set)

    def dumps(self, value: object) -> bytes:
        """The pickled object.

        Raises:
            ConfigError: it cannot be pickled.
        """
        try:
            pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise ConfigError(
                f"another process can work only on what can be pickled: {error}",
                hint="give a Record a Path, or a function of a module with functools.partial for its arguments; or set "
                "runner=c.Local()",
            ) from error
        self.needed.update(name for name in self.known if name.encode() in pickled)
        return pickled


class _Failure(NamedTuple):
    """Why a chunk has no more results: what its function raised, and the traceback as text, which pickling loses."""

    error: Exception
    story: str


def run_chunk(folder: Path, number: int) -> None:
    """Does the work on one chunk of a job, in any process that sees its folder.

    Args:
        folder: of the job.
        number: of the chunk.
    """
    results = _results_file(folder, number)
    if not results.exists():
        # Some runners let two processes work on the same chunk, and use the one that is first.
        write_whole(results, partial(_write_results, folder, number), suffix=f".{uuid.uuid4().hex}.tmp")


def _write_results(folder: Path, number: int, file: Path) -> None:
    """Writes (True, result) for each result, and at the end (False, failure or None)."""
    failure = None
    with file.open("wb") as stream:
        try:
            function = _Loaded.function_of(folder)
            for result in function(_pickled_in(_items_file(folder, number))):
                pickle.dump((True, result), stream, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            failure = _Failure(portable(error), "".join(traceback.format_exception(error)))
        pickle.dump((False, failure), stream, pickle.HIGHEST_PROTOCOL)


def _results(folder: Path, number: int, count: int) -> Iterator[Any]:
    """The results of a chunk, whose files are then removed; raises what its function raised."""
    file = _results_file(folder, number)
    if not file.exists():
        raise StageError(
            f"the workers left no results of chunk {number + 1} of {count} in {folder}",
            hint="they must see this folder under the same path: put the runs on a file system that all of them share",
        )
    for is_result, value in _pickled_in(file):
        if is_result:
            yield value
        elif value is not None:
            value.error.add_note(f"In a worker:\n{value.story}")
            raise value.error
    file.unlink()
    _items_file(folder, number).unlink()


def _write_job(folder: Path, function: object, items: Iterable[object], chunk: int) -> int:
    """Writes the function and all items; returns the number of chunks."""
    pickles, rest, count = _Pickles(), iter(items), 0
    pickled = pickles.dumps(function)
    while some := list(islice(rest, 1)):
        with _items_file(folder, count).open("wb") as stream:
            stream.write(pickles.dumps(some[0]))
            for item in islice(rest, chunk - 1):
                stream.write(pickles.dumps(item))
        count += 1
    files = tuple(pickles.known[name] for name in sorted(pickles.needed))
    job = _Job(Path.cwd(), tuple(sys.path), files, pickled)
    (folder / JOB).write_bytes(pickle.dumps(job))
    return count


def _pickled_in(file: Path) -> Iterator[Any]:
    """The objects of a file of pickles, one at a time."""
    with file.open("rb") as stream:
        while True:
            try:
                value = pickle.load(stream)
            except EOFError:
                return
            yield value


def _items_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.items"


def _results_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.results"


class _Loaded:
    """The function of the job on which this process works, so that a network is loaded once and not for each chunk."""

    lock = Lock()
    folder: Path | None = None
    function: Callable[[Iterable[Any]], Iterator[Any]]

    @classmethod
    def function_of(cls, folder: Path) -> Callable[[Iterable[Any]], Iterator[Any]]:
        """The function of a job. This process then is in the job's working folder, and finds its modules."""
        with cls.lock:
            if cls.folder != folder:
                cls.function, cls.folder = _loaded(folder), folder
            return cls.function


def _loaded(folder: Path) -> Any:
    job: _Job = pickle.loads((folder / JOB).read_bytes())
    if Path.cwd() != job.folder:
        os.chdir(job.folder)
    sys.path.extend(place for place in job.path if place not in sys.path)
    if "tensorflow" not in sys.modules and not quiet.is_installed():
        quiet.install()
    for file in job.files:
        if module_name(file) not in sys.modules:
            load_pipeline_module(file)
    return pickle.loads(job.function)
