"""The main function of a process that executes stages for the process that runs the pipeline."""

import os
import pickle
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasvision import quiet
from kerasvision.config.loading import load_pipeline_module
from kerasvision.errors import portable
from kerasvision.pipeline.fingerprint import Fingerprint, read_code
from kerasvision.pipeline.graph import Node, Pipeline, preparation_of
from kerasvision.pipeline.launcher import Launch, Result, launch
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.resolving import Outputs
from kerasvision.pipeline.store import Store, opened
from kerasvision.progress import BarState, report_bars, report_lines
from kerasvision.training.interruption import end_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class ProcessSetup:
    """What a process receives before its first stage.

    Attributes:
        pipeline: the pickled pipeline; it can be unpickled once its files are loaded.
        files: the pipeline files that define it.
        folder: where runs are kept.
        run: the run.
        environment: the variables of the process that runs the pipeline.
        sees_gpus: whether it may use the GPUs. TensorFlow takes all their memory, in every process that sees them.
    """

    pipeline: bytes
    files: tuple[Path, ...]
    folder: Path
    run: RunRecord
    environment: dict[str, str]
    sees_gpus: bool


@dataclass(frozen=True)
class Preparation:
    """A request to prepare a stage whose inputs do not exist yet."""

    node: str


@dataclass(frozen=True)
class Assignment:
    """A request to execute a stage.

    Attributes:
        node: its name.
        done: outputs of the nodes before.
        force: whether to run it even if its result could be reused.
        known: its fingerprint, which was just computed.
    """

    node: str
    done: Outputs
    force: bool
    known: Fingerprint


@dataclass(frozen=True)
class Remark:
    """A sentence about a stage that a person should read; None: another run is executing it, and this run waits."""

    node: str
    sentence: str | None


@dataclass(frozen=True)
class Line:
    """A line that the current stage says (see `kerasvision.progress.say`)."""

    text: str


@dataclass(frozen=True)
class Failure:
    """Why a stage has no result.

    Attributes:
        node: its name.
        error: what it raised.
        story: the traceback as text, which pickling an error loses.
    """

    node: str
    error: BaseException
    story: str


Message = Remark | Line | BarState | Result | Failure


def main(connection: "Connection", stdout: "Connection", stderr: "Connection", setup: ProcessSetup) -> None:
    """Executes stages until it receives None, the connection is closed, or the process that runs the pipeline ends.

    Args:
        connection: receives Assignment and Preparation, sends Message.
        stdout, stderr: receive what stages print.
        setup: is the same for all stages.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, _note)
    signal.signal(signal.SIGTERM, _note)
    _redirect(stdout, 1)
    _redirect(stderr, 2)
    if not quiet.is_installed():
        quiet.install()
    os.environ.clear()
    os.environ.update(setup.environment)
    if not setup.sees_gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    for file in setup.files:
        load_pipeline_module(file)
    pipeline = pickle.loads(setup.pipeline)
    report_bars(connection.send)
    report_lines(lambda text: connection.send(Line(text)))
    with opened(setup.folder) as store:
        read_code(pipeline.nodes.values(), store)
        while (asked := _next(connection)) is not None:
            if isinstance(asked, Preparation):
                _prepare(pipeline.nodes[asked.node])
                continue
            answer = _executed(asked, pipeline, store, setup.run, connection)
            sys.stdout.flush()
            sys.stderr.flush()
            connection.send(answer)


def _executed(
    asked: Assignment, pipeline: Pipeline, store: Store, run: RunRecord, connection: "Connection"
) -> Result | Failure:
    context = Launch(
        store,
        run,
        waiting=lambda node: connection.send(Remark(node, None)),
        remark=lambda node, sentence: connection.send(Remark(node, sentence)),
        object_store=pipeline.object_store,
        runner=pipeline.runner,
    )
    node = pipeline.nodes[asked.node]
    try:
        for number in STOPPING:
            signal.signal(number, _stop)
        if NOTED:
            _stop(NOTED[0], None)
        return launch(node, asked.done, context, may_execute=True, force=asked.force, known=asked.known)
    except BaseException as error:
        return Failure(asked.node, portable(error), "".join(traceback.format_exception(error)))
    finally:
        for number in STOPPING:
            signal.signal(number, _note)


STOPPING = (signal.SIGINT, signal.SIGTERM)
# Signals that arrived while no stage was executing: the next stage must not start.
NOTED: list[int] = []


def _stop(number: int, _: object) -> None:
    """Ends the stage, only once: Ctrl-C reaches every process of a terminal, and the main process also passes it on."""
    for other in STOPPING:
        signal.signal(other, _note)
    # A stage may catch every Exception because of unreadable images. KeyboardInterrupt is not an Exception.
    raise KeyboardInterrupt("stopped by Ctrl-C" if number == signal.SIGINT else "asked to stop")


def _note(number: int, _: object) -> None:
    """Notes a signal between two stages. This is a handler and not SIG_IGN, because children would inherit SIG_IGN."""
    NOTED.append(number)


def _prepare(node: Node) -> None:
    prepare = preparation_of(node)
    if prepare is not None:
        prepare()


def _next(connection: "Connection") -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


def _redirect(connection: "Connection", descriptor: int) -> None:
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    os.dup2(connection.fileno(), descriptor)
    connection.close()
