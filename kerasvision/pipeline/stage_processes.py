"""The processes that execute the stages of a run. They are started when they are needed, and end with the run.

They are forks of a process that has imported TensorFlow and computed nothing. So each starts immediately, and the import,
which takes seconds, happens only once.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from kerasvision.config.loading import loaded_pipeline_files
from kerasvision.errors import ConfigError
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.stage_process import Assignment, Failure, Message, Preparation, ProcessSetup, main

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

IMPORTED = "kerasvision.pipeline.stages.imports"
SECONDS_TO_LEAVE = 2.0


@dataclass
class StageProcess:
    """One of the processes.

    Attributes:
        process, connection: the process, and our end of the connection to it.
        sees_gpus: whether it may use the GPUs.
        streams: pipes with what it prints -> where to print it.
        node: the stage that it executes now.
        prepared: stages that it has prepared.
        held: output of its stage that was not shown yet: where to print it, and the bytes.
        began: when that stage started, by the monotonic clock.
    """

    process: "ForkServerProcess"
    connection: "Connection"
    sees_gpus: bool
    streams: "dict[Connection, TextIO]"
    node: str | None = None
    prepared: set[str] = field(default_factory=set)
    held: list[tuple[TextIO, bytes]] = field(default_factory=list)
    began: float = 0.0
    _is_asked_to_stop: bool = False

    def give(self, task: Assignment) -> None:
        """Gives it a stage to execute."""
        self.node, self.began, self._is_asked_to_stop = task.node, time.monotonic(), False
        self._send(task)

    def prepare(self, node: str) -> None:
        """Asks it to prepare a stage whose inputs do not exist yet."""
        self.prepared.add(node)
        self._send(Preparation(node))

    def stop(self, number: signal.Signals) -> None:
        """Asks it to stop its stage, but only once: after a second signal a training ends at once."""
        if self._is_asked_to_stop:
            return
        self._is_asked_to_stop = True
        with suppress(ProcessLookupError):
            if self.process.pid is not None and self.process.is_alive():
                os.kill(self.process.pid, number)

    def messages(self) -> Iterator[Message]:
        """The new messages of the process, in order. The last message of a stage frees the process."""
        with suppress(EOFError, OSError):
            while self.connection.poll():
                message: Message = self.connection.recv()
                if isinstance(message, Result | Failure):
                    self._read_all()
                    self.node = None
                yield message

    def read(self, stream: "Connection") -> None:
        """Keeps its new output, which `print_held` shows."""
        printed = os.read(stream.fileno(), 2**16) if stream.poll() else b""
        if printed:
            self.held.append((self.streams[stream], printed))

    def print_held(self, *, whole_lines: bool) -> None:
        """Shows the kept output; only complete lines if the stage is still executing."""
        kept = {}
        for target in dict.fromkeys(target for target, _ in self.held):
            text = b"".join(printed for owner, printed in self.held if owner is target)
            cut = text.rfind(b"\n") + 1 if whole_lines else len(text)
            target.write(text[:cut].decode(errors="replace"))
            target.flush()
            kept[target] = text[cut:]
        self.held = [(target, rest) for target, rest in kept.items() if rest]

    def how_it_ended(self) -> str:
        """The exit code or signal of a process that has ended."""
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"its process ended with exit code {code}"
        memory = " (perhaps the machine ran out of memory)" if code == -signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{memory}"

    def leave(self) -> None:
        """Asks it to end; `end` waits for that."""
        self._send(None)

    def end(self, *, wait_seconds: float = 0.0) -> None:
        """Waits this long for it to end, then kills it."""
        self.process.join(wait_seconds)
        self.process.kill()
        self.process.join()
        for stream in (self.connection, *self.streams):
            stream.close()

    def _send(self, asked: Assignment | Preparation | None) -> None:
        with suppress(OSError):  # it has ended, and the sentinel reports that
            self.connection.send(asked)

    def _read_all(self) -> None:
        for stream in self.streams:
            with suppress(OSError):
                while stream.poll():
                    before = len(self.held)
                    self.read(stream)
                    if len(self.held) == before:
                        break


@dataclass
class StageProcesses:
    """All processes of a run; a context manager that ends them.

    Args:
        pipeline: the pipeline whose stages they execute.
        folder: where runs are kept.
        run: the run.
        count: the largest number of processes.
        gpus: whether this machine has GPUs; then one of the processes sees them.
    """

    pipeline: Pipeline
    folder: Path
    run: RunRecord
    count: int
    gpus: bool
    all: list[StageProcess] = field(default_factory=list)
    _pickled: bytes = b""

    def __enter__(self) -> Self:
        self._pickled = pickled(self.pipeline)
        return self

    def begin_imports(self) -> None:
        """Starts the imports in the process that the others are forked from; does not wait for them."""
        from multiprocessing import forkserver

        multiprocessing.get_context("forkserver").set_forkserver_preload([IMPORTED])
        forkserver.ensure_running()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for one in self.all:
            if kind is None:
                one.leave()
        for one in self.all:
            one.end(wait_seconds=SECONDS_TO_LEAVE if kind is None else 0.0)

    @property
    def busy(self) -> list[StageProcess]:
        """The processes that execute a stage; the one that started its stage first comes first."""
        return sorted((one for one in self.all if one.node is not None), key=lambda one: one.began)

    def free(self, node: str, *, needs_gpus: bool) -> StageProcess | None:
        """A process that can execute a stage; a new one if the limit allows it; None if all are busy.

        Args:
            node: the stage; a process that has prepared it is preferred.
            needs_gpus: whether the process must see the GPUs, if there are any.
        """
        fitting = [one for one in self.all if one.node is None and (one.sees_gpus or not (needs_gpus and self.gpus))]
        if fitting:
            return max(fitting, key=lambda one: node in one.prepared)
        sees_gpus = not any(one.sees_gpus for one in self.all) if self.gpus else True
        if len(self.all) >= self.count or (needs_gpus and not sees_gpus):
            return None
        return self._start(sees_gpus=sees_gpus)

    def _start(self, *, sees_gpus: bool) -> StageProcess:
        self.begin_imports()
        context = multiprocessing.get_context("forkserver")
        ours, theirs = context.Pipe()
        streams = {context.Pipe(duplex=False): stream for stream in (sys.stdout, sys.stderr)}
        setup = ProcessSetup(self._pickled, files_of(self._pickled), self.folder, self.run, dict(os.environ), sees_gpus)
        written = [writer for _, writer in streams]
        process = context.Process(target=main, args=(theirs, *written, setup), name=f"stages-{len(self.all)}")
        process.start()
        for end in (theirs, *written):
            end.close()
        one = StageProcess(process, ours, sees_gpus, {reader: stream for (reader, _), stream in streams.items()})
        self.all.append(one)
        return one

    def remove(self, one: StageProcess) -> None:
        """Forgets a process that has ended."""
        one.end()
        self.all.remove(one)

    def wait(self, seconds: float | None) -> list[StageProcess]:
        """Waits, for at most this time, and returns the processes that sent something or ended. Their output is kept."""
        # Imported here, because a run that reuses everything does not need it.
        from multiprocessing.connection import Connection, wait

        of: dict[Connection | int, StageProcess] = {}
        for one in self.all:
            of |= dict.fromkeys((one.connection, one.process.sentinel, *one.streams), one)
        ready = [end for end in wait(list(of), timeout=seconds) if isinstance(end, Connection | int)]
        for stream in ready:
            if isinstance(stream, Connection) and stream in of[stream].streams:
                with suppress(OSError):
                    of[stream].read(stream)
        return list({id(of[one]): of[one] for one in ready}.values())


def pickled(pipeline: Pipeline) -> bytes:
    """The pickled pipeline, for another process.

    Raises:
        ConfigError: a stage or its settings are defined where another process cannot import them: in a notebook or in a
            function.
    """
    try:
        return pickle.dumps(pipeline)
    except Exception as error:
        raise ConfigError(
            f"several workers require stages and settings that another process can import: {error}",
            hint="define them in a module or in the pipeline file, or run with one worker",
        ) from error


def files_of(pickled_pipeline: bytes) -> tuple[Path, ...]:
    """The pipeline files that define stages or settings of a pickled pipeline."""
    return tuple(file for name, file in loaded_pipeline_files().items() if name.encode() in pickled_pipeline)


def can_be_sent(pipeline: Pipeline) -> bool:
    """Whether other processes can execute the stages of a pipeline."""
    try:
        pickled(pipeline)
    except ConfigError:
        return False
    return True
