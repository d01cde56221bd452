"""Processes that run trials, several at a time. They are kept between trials, and replaced if they die, grow or hang."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from kerasvision import quiet
from kerasvision.tuning.trials import Job, Outcome
from kerasvision.tuning.worker import BEGAN, DONE, LOST, SAVED, STOP, Setup, TrialData, main

# A worker is replaced when its memory has grown by this factor since its first trial.
GROWTH = 1.5
SECONDS_TO_LEAVE = 10.0


@dataclass
class _Task:
    """A job that is running."""

    job: Job
    attempts: int = 1
    began: float | None = None
    seconds: float = 0.0
    is_to_end: bool = False

    def outcome(self, *, error: str) -> Outcome:
        return Outcome(self.job.id, seconds=self.seconds, attempts=self.attempts, error=error)


@dataclass
class _Worker:
    """A process and its task."""

    process: multiprocessing.process.BaseProcess
    connection: Connection
    setup: Setup
    slot: int
    task: _Task | None = None
    resident: int = 0
    printed: int = 0


@dataclass
class TrialProcesses:
    """One process for each trial that runs at the same time. Use it in a `with`, which starts them.

    Args:
        data: on which the trials are trained.
        folder: of the files with the processes' output.
        count: how many trials run at a time.
        retries: how often a trial whose process died is tried again.
        trial_minutes: a trial that takes longer fails; None: no limit.
        gpus: names for CUDA_VISIBLE_DEVICES; if there are several, each process gets one.
        run: the function that each process runs, with its end of the connection.
    """

    data: TrialData
    folder: Path
    count: int = 1
    retries: int = 1
    trial_minutes: float | None = None
    gpus: Sequence[str] = ()
    run: Callable[[Connection, Setup], None] = main
    _workers: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> Self:
        while len(self._workers) < self.count:
            self._start()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        for worker in self._workers:
            self._end(worker, at_once=kind is not None or worker.task is not None)
        self._workers = []

    @property
    def free(self) -> int:
        """How many more trials can begin."""
        return self.count - sum(worker.task is not None for worker in self._workers)

    def begin(self, job: Job, *, devices: int = 1) -> None:
        """Gives a trial to a free process.

        Args:
            job: the trial.
            devices: number of logical CPU devices that its strategy requires.
        """
        self._give(_Task(job), devices=devices)

    def wait(self, seconds: float) -> list[Outcome]:
        """The trials that end within this time; returns as soon as anything happens."""
        busy = self._busy()
        signs = [sign for worker, _ in busy for sign in (worker.connection, worker.process.sentinel)]
        ready = wait(signs, timeout=min([seconds, *self._times_left()]))
        outcomes = []
        for worker, task in busy:
            if worker.connection in ready or worker.process.sentinel in ready:
                outcomes += self._heard(worker, task)
        for worker, task in [(worker, task) for worker, task in self._busy() if self._time_left(task) <= 0]:
            self._dismiss(worker, task)
            outcomes.append(task.outcome(error=f"it took longer than search.trial_minutes={self.trial_minutes:g}"))
        return outcomes

    def stop(self) -> None:
        """Asks all trials to end after their epoch."""
        for worker in self._workers:
            if worker.task is not None and not worker.task.is_to_end:
                worker.task.is_to_end = True
                _send(worker, STOP)

    def interrupt(self) -> list[Outcome]:
        """Makes all trials save themselves and all processes end; returns the trials that ended by themselves meanwhile."""
        for worker in self._workers:
            worker.process.terminate()
        # Reads messages meanwhile: a process that cannot send its message would not end.
        outcomes = []
        while any(worker.process.is_alive() for worker in self._workers):
            wait([worker.connection for worker in self._workers if worker.process.is_alive()], timeout=0.1)
            outcomes += [outcome for worker, task in self._busy() for outcome in _last_words(worker, task)]
        return outcomes

    def _busy(self) -> list[tuple[_Worker, _Task]]:
        """The processes that have a trial, with their trials."""
        return [(worker, worker.task) for worker in self._workers if worker.task is not None]

    def _heard(self, worker: _Worker, task: _Task) -> list[Outcome]:
        """Reads all messages of a worker, and checks that it is still alive; returns the trial if it ended."""
        while True:
            try:
                if not worker.connection.poll():
                    break
                kind, _, answer = worker.connection.recv()
            except (EOFError, OSError):
                break
            if kind == BEGAN:
                task.began = time.monotonic()
            elif kind == DONE:
                return [self._done(worker, task, *answer)]
            elif kind in (LOST, SAVED):
                return self._lost(worker, task, answer or "its process was asked to end")
        return [] if worker.process.is_alive() else self._lost(worker, task, _how_it_ended(worker))

    def _done(self, worker: _Worker, task: _Task, outcome: Outcome, resident: int) -> Outcome:
        worker.task = None
        worker.resident = worker.resident or resident
        if resident > GROWTH * worker.resident:
            self._end(worker, at_once=False)
            self._workers.remove(worker)
            self._start()
        return replace(outcome, seconds=task.seconds + outcome.seconds, attempts=task.attempts)

    def _lost(self, worker: _Worker, task: _Task, why: str) -> list[Outcome]:
        self._dismiss(worker, task)
        if task.attempts > self.retries:
            return [task.outcome(error=f"{why}, {_times(task.attempts)}")]
        task.attempts += 1
        self._give(task, devices=worker.setup.devices)
        return []

    def _dismiss(self, worker: _Worker, task: _Task) -> None:
        """Kills a process; another one may take over its task."""
        worker.task = None
        task.seconds += 0.0 if task.began is None else time.monotonic() - task.began
        task.began = None
        self._end(worker, at_once=True)
        self._workers.remove(worker)

    def _give(self, task: _Task, *, devices: int) -> None:
        idle = [worker for worker in self._workers if worker.task is None]
        for worker in idle:
            if worker.setup.devices != devices or not worker.process.is_alive():
                self._end(worker, at_once=True)
                self._workers.remove(worker)
        fitting = next((worker for worker in self._workers if worker.task is None), None)
        worker = fitting or self._start(devices=devices)
        worker.task, worker.printed = task, _size(worker.setup.output)
        _send(worker, task.job)
        if task.is_to_end:
            _send(worker, STOP)

    def _start(self, *, devices: int = 1) -> _Worker:
        slot = min(set(range(self.count)) - {worker.slot for worker in self._workers})
        several = self.count > 1
        setup = Setup(
            data=self.data,
            output=self.folder / f"worker_{slot}.txt",
            quietly=quiet.is_installed(),
            threads=max(1, _cores() // self.count) if several else None,
            gpu=self.gpus[slot % len(self.gpus)] if several and len(self.gpus) > 1 else None,
            devices=devices,
        )
        # spawn: a forked child would share the state of a running TensorFlow.
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=self.run, args=(theirs, setup), name=f"trials-{slot}", daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, setup, slot)
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker, *, at_once: bool) -> None:
        if not at_once:
            _send(worker, None)
            worker.process.join(SECONDS_TO_LEAVE)
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        worker.connection.close()

    def _times_left(self) -> list[float]:
        return [max(0.0, self._time_left(task)) for _, task in self._busy()]

    def _time_left(self, task: _Task) -> float:
        """Seconds until a trial has taken too long."""
        if self.trial_minutes is None or task.began is None:
            return float("inf")
        return 60 * self.trial_minutes - task.seconds - (time.monotonic() - task.began)


def _send(worker: _Worker, message: object) -> None:
    # If the process is dead, `wait` notices it.
    with suppress(OSError):
        worker.connection.send(message)


def _last_words(worker: _Worker, task: _Task) -> list[Outcome]:
    """The outcome that a process sent before it ended, if it did."""
    with suppress(EOFError, OSError):
        while worker.connection.poll():
            kind, _, answer = worker.connection.recv()
            if kind == DONE:
                return [replace(answer[0], attempts=task.attempts)]
    return []


def _how_it_ended(worker: _Worker) -> str:
    """The exit code or signal of a dead process, and the last line of its output."""
    code = worker.process.exitcode or 0
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    memory = " (possibly because memory ran out)" if code == -signal.SIGKILL else ""
    with worker.setup.output.open("rb") as stream:
        stream.seek(worker.printed)
        lines = stream.read().decode(errors="replace").strip().splitlines()
    return f"its process {how}{memory}" + (f"; the last line of its output: {lines[-1][:200]}" if lines else "")


def _times(count: int) -> str:
    return {1: "in its only attempt", 2: "twice"}.get(count, f"{count} times")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
