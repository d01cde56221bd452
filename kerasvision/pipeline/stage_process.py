"""What happens in a process that executes stages of a pipeline for the process that runs it."""

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
from kerasvision.errors import StageError
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.graph import Node, Pipeline, preparation_of
from kerasvision.pipeline.launcher import Launch, Result, launch
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.resolving import Outputs
from kerasvision.pipeline.store import Store, opened
from kerasvision.progress import BarState, report_bars
from kerasvision.training.interruption import end_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass(frozen=True)
class ProcessSetup:
    """What a process knows before its first stage.

    Attributes:
        pipeline: the pipeline, pickled; it can be read once its files are loaded.
        files: the pipeline files that it comes from.
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
    """Asks for what can be done before the inputs of a stage are there."""

    node: str


@dataclass(frozen=True)
class Assignment:
    """Asks for the execution of a stage.

    Attributes:
        node: its name.
        done: outputs of the nodes before.
        force: whether to run it even where its result could be reused.
        known: its fingerprint, as found just before.
    """

    node: str
    done: Outputs
    force: bool
    known: Fingerprint


@dataclass(frozen=True)
class Remark:
    """Something about a stage that a person should read; no sentence: another run is at it, and this one waits."""

    node: str
    sentence: str | None


@dataclass(frozen=True)
class Failure:
    """Why a stage has no result.

    Attributes:
        node: its name.
        error: what it raised.
        story: the traceback as text; it does not travel with the error.
    """

    node: str
    error: BaseException
    story: str


Message = Remark | BarState | Result | Failure


def main(connection: "Connection", stdout: "Connection", stderr: "Connection", setup: ProcessSetup) -> None:
    """Executes stages until None comes, the other end is closed, or the process that runs the pipeline is gone.

    Args:
        connection: Assignment and Preparation come in, Message goes out.
        stdout, stderr: take what stages print.
        setup: what is the same for all stages.
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
    with opened(setup.folder) as store:
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
    )
    node = pipeline.nodes[asked.node]
    try:
        for number in STOPPING:
            signal.signal(number, _stop)
        if NOTED:
            _stop(NOTED[0], None)
        return launch(node, asked.done, context, may_execute=True, force=asked.force, known=asked.known)
    except BaseException as error:
        return Failure(asked.node, _portable(error), "".join(traceback.format_exception(error)))
    finally:
        for number in STOPPING:
            signal.signal(number, _note)


STOPPING = (signal.SIGINT, signal.SIGTERM)
# Signals that came when no stage was at work: the next one must not begin.
NOTED: list[int] = []


def _stop(number: int, _: object) -> None:
    """Ends the stage, once: Ctrl-C reaches every process of a terminal, and the one that runs the pipeline passes it on."""
    for other in STOPPING:
        signal.signal(other, _note)
    # A stage may catch every Exception of an unreadable image. KeyboardInterrupt is not an Exception.
    raise KeyboardInterrupt("stopped by Ctrl-C" if number == signal.SIGINT else "asked to stop")


def _note(number: int, _: object) -> None:
    """Between two stages there is nothing to stop yet. A function, since a child would inherit SIG_IGN."""
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


def _portable(error: BaseException) -> BaseException:
    """The error, if it can be sent to another process, and otherwise one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return StageError(str(error))
    return error


def _redirect(connection: "Connection", descriptor: int) -> None:
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    os.dup2(connection.fileno(), descriptor)
    connection.close()
