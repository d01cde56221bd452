"""Runs independent stages at the same time, each in its own process.

A stage executes as soon as everything exists that it would find if the stages ran one after the other. This process finds
the results that can be reused, and gives the other stages to other processes. It starts none if there is nothing to execute.
"""

import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from kerasvision.errors import Interrupted, StageError, StoreError
from kerasvision.pipeline.checks import needed
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.graph import LatestBlessed, Node, Pipeline, Previous, preparation_of
from kerasvision.pipeline.launcher import Launch, Result, record_end, reuse
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.resolving import Outputs
from kerasvision.pipeline.stage_process import Assignment, Failure, Line, Message, Remark
from kerasvision.pipeline.stage_processes import StageProcess, StageProcesses
from kerasvision.progress import BarState, Board, say

# Stages that do not use a GPU. The others, including a user's own, run in the process that sees the GPUs, one at a time.
WITHOUT_GPU = frozenset(
    f"kerasvision.pipeline.stages.{name}:{name}"
    for name in ("example_gen", "schema_gen", "simple_models", "cross_validation", "final_plan", "pusher")
)
# How often to check whether another run has finished a stage.
SECONDS_BETWEEN_LOOKS = 0.2
# How long a stage may take to stop. A training finishes its step and saves a checkpoint.
SECONDS_TO_STOP = 60.0


@dataclass
class SideBySide:
    """A run whose stages execute in several processes.

    Args:
        pipeline: the pipeline.
        chosen: the stages that may execute.
        context: the store and the run.
        listener: receives the events.
        processes: execute the stages.
        force: execute the chosen stages even if their results could be reused.
        results: receives the result of each stage when it finishes.
    """

    pipeline: Pipeline
    chosen: Collection[str]
    context: Launch
    listener: Listener
    processes: StageProcesses
    force: bool
    results: dict[str, Result]
    _order: list[str] = field(init=False)
    _context: Launch = field(init=False)
    _board: Board = field(default_factory=Board)
    # Stages that must execute and wait for a free process.
    _known: dict[str, Fingerprint] = field(default_factory=dict)
    _announced: dict[str, None] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _failures: list[tuple[str, BaseException]] = field(default_factory=list)
    _asked_to_stop: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._order = needed(self.pipeline, self.chosen)
        self._context = replace(self.context, remark=self._remark)

    def run(self) -> None:
        """Runs all stages.

        Raises:
            KerasvisionError: the first failure, or Interrupted after SIGTERM. The other stages are stopped.
        """
        try:
            with self._sigterm_heard():
                while len(self.results) < len(self._order):
                    self._begin_what_can_begin()
                    if not self._is_over:
                        self._hear(SECONDS_BETWEEN_LOOKS if self._waiting else None)
                    if self._is_over:
                        self._stop(signal.SIGTERM)
                        raise self._error()
        except KeyboardInterrupt as error:
            self._asked_to_stop.append(signal.SIGINT)
            self._stop(signal.SIGINT)
            self._failures.append((next(reversed(self._announced), self._order[0]), error))
            self._tell_of_failure()
            raise
        finally:
            self._board.hide()

    @property
    def _is_over(self) -> bool:
        return bool(self._failures or self._asked_to_stop)

    # Starting stages.

    def _begin_what_can_begin(self) -> None:
        """Gives stages to free processes; repeats while reused results let more stages start."""
        went_on = True
        while went_on and not self._is_over:
            at_work = {one.node for one in self.processes.busy}
            ready = [name for name in self._order if name not in at_work and self._is_ready(name)]
            went_on = False
            for name in ready:
                went_on = self._begin(name) or went_on
        self._prepare()

    def _is_ready(self, name: str) -> bool:
        if name in self.results:
            return False
        return all(other in self.results for other in waits_for(self.pipeline, name) if other in self._order)

    def _begin(self, name: str) -> bool:
        """Reuses the result of a stage or gives it to a process; returns whether it has its result now."""
        node, is_chosen = self.pipeline.nodes[name], name in self.chosen
        if name not in self._known:
            try:
                found = reuse(node, self._done, self._context, may_execute=is_chosen, force=self.force and is_chosen)
            except Exception as error:
                self._announce(name)
                self._failures.append((name, error))
                return False
            if found is None:
                self._wait_for_other_run(name)
                return False
            self._waiting.discard(name)
            if isinstance(found, Result):
                self._finish(found)
                return True
            self._known[name] = found
        process = self.processes.free(name, needs_gpus=needs_gpus(node))
        if process is not None:
            self._announce(name)
            process.give(Assignment(name, self._done, self.force, self._known.pop(name)))
        return False

    def _prepare(self) -> None:
        """While some stage executes, lets idle processes prepare stages whose inputs do not exist yet."""
        for name in self._order:
            node = self.pipeline.nodes[name]
            is_open = self.processes.busy and name in self.chosen and name not in self.results
            if not is_open or preparation_of(node) is None or any(name in one.prepared for one in self.processes.all):
                continue
            process = self.processes.free(name, needs_gpus=needs_gpus(node))
            if process is not None:
                process.prepare(name)

    @property
    def _done(self) -> Outputs:
        return {name: result.outputs for name, result in self.results.items()}

    # Receiving messages.

    def _hear(self, seconds: float | None) -> None:
        """Waits for messages of the processes, for at most this time, and handles them."""
        if not self.processes.busy and not self._waiting:
            return
        for process in self.processes.wait(seconds):
            node = process.node
            for message in process.messages():
                self._take(process, node, message)
            if not process.process.is_alive():
                self._lost(process)
        self._show_output()

    def _take(self, process: StageProcess, node: str | None, message: Message) -> None:
        if isinstance(message, BarState):
            self._board.show(node or "", message)
            return
        if isinstance(message, Line):
            # At once and whole, so that lines of stages that run at the same time alternate but do not mix.
            self._board.hide()
            say(f"{node}: {message.text}")
            return
        if isinstance(message, Remark):
            self._board.hide()
            if message.sentence is None:
                self.listener.waiting(message.node)
            else:
                self.listener.remark(message.node, message.sentence)
            return
        if node is not None:
            self._board.forget(node)
        self._board.hide()
        process.print_held(whole_lines=False)
        if isinstance(message, Failure):
            message.error.add_note(f"In the process that executed {message.node}:\n{message.story}")
            self._failures.append((message.node, message.error))
        else:
            self._finish(message)

    def _lost(self, process: StageProcess) -> None:
        """Handles the end of a process; if it had a stage, that stage has failed."""
        node, how = process.node, process.how_it_ended()
        self._board.hide()
        process.print_held(whole_lines=False)
        self.processes.remove(process)
        if node is None:
            return
        self._board.forget(node)
        error: BaseException = StageError(f"{node} failed: {how}", hint="run again: finished stages are kept")
        if self._is_over:
            error = KeyboardInterrupt("asked to stop")
        with suppress(StoreError, OSError):
            record_end(self.pipeline.nodes[node], error, self.context)
        self._failures.append((node, error))

    def _show_output(self) -> None:
        """Shows the output of the stage that has been executing longest; the output of the others follows later."""
        foreground = next(iter(self.processes.busy), None)
        if foreground is not None and foreground.held:
            self._board.hide()
            foreground.print_held(whole_lines=True)

    # Reporting.

    def _announce(self, name: str) -> None:
        if name not in self._announced:
            self._announced[name] = None
            self._board.hide()
            self.listener.started(name)

    def _remark(self, name: str, sentence: str) -> None:
        """Passes on a sentence about a stage that this process has found before another process executes it."""
        self._announce(name)
        self._board.hide()
        self.listener.remark(name, sentence)

    def _wait_for_other_run(self, name: str) -> None:
        if name not in self._waiting:
            self._announce(name)
            self._waiting.add(name)
            self.listener.waiting(name)

    def _finish(self, result: Result) -> None:
        self._announce(result.node)
        self.results[result.node] = result
        self.listener.finished(result)

    # Ending early.

    @contextmanager
    def _sigterm_heard(self) -> Iterator[None]:
        """The first SIGTERM asks all stages to stop; the second ends the run at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def hear(number: int, _: object) -> None:
            self._asked_to_stop.append(number)
            if len(self._asked_to_stop) > 1:
                raise Interrupted("the run was asked twice to stop", hint=AGAIN)
            for process in self.processes.busy:
                process.stop(signal.SIGTERM)

        before = signal.signal(signal.SIGTERM, hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _stop(self, number: signal.Signals) -> None:
        """Asks all stages to stop, and waits until they have recorded it; kills those that take too long."""
        for process in self.processes.busy:
            process.stop(number)
        end = time.monotonic() + SECONDS_TO_STOP
        while self.processes.busy and (left := end - time.monotonic()) > 0:
            self._hear(left)
        for process in self.processes.busy:
            process.process.kill()
            self._lost(process)

    def _error(self) -> BaseException:
        """The error of the run: the first real failure, or else that it was asked to stop."""
        failure = self._tell_of_failure()
        if failure is not None and not isinstance(failure, KeyboardInterrupt):
            return failure
        return Interrupted("the run was asked to stop", hint=AGAIN)

    def _tell_of_failure(self) -> BaseException | None:
        """Reports the first failure, once. A stage that was stopped because of it has not failed."""
        failures = sorted(self._failures, key=lambda failure: isinstance(failure[1], KeyboardInterrupt))
        if not failures:
            return None
        self._board.hide()
        self.listener.failed(*failures[0])
        return failures[0][1]


AGAIN = "run the same command again to continue from there"


def waits_for(pipeline: Pipeline, name: str) -> Iterator[str]:
    """The stages that must finish before a stage starts, so that it finds the same as if all ran one after the other.

    These are the stages whose outputs it reads. Of the stages added before it, these are also the stages whose earlier
    outputs it reads, the stages that bless models if it uses the newest blessed one, the stages that use the root as it
    does, and the stages that must run alone; all of them if it must run alone itself.
    """
    node = pipeline.nodes[name]
    yield from node.upstream
    sources = node.inputs.values()
    histories = {source.producer for source in sources if isinstance(source, Previous)}
    looks_for_blessed = any(isinstance(source, LatestBlessed) for source in sources)
    for earlier in pipeline.nodes.values():
        if earlier.name == name:
            return
        blesses = any(kind.TYPE_NAME == "ModelBlessing" for kind in earlier.signature.outputs.values())
        reach_out = "root" in node.signature.places and "root" in earlier.signature.places
        if earlier.name in histories or (looks_for_blessed and blesses) or reach_out or earlier.alone or node.alone:
            yield earlier.name


def needs_gpus(node: Node) -> bool:
    """Whether a stage may compute on a GPU, if there is one."""
    return f"{node.function.__module__}:{node.function.__qualname__}" not in WITHOUT_GPU
