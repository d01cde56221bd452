"""A search over several machines: KerasTuner's chief and workers, over its gRPC service (see `role`).

KerasTuner's own chief sleeps 20 seconds at a time, and hangs when a worker dies. Here, a worker gets a trial for a limited
time and must renew it; when the time is over, the trial goes to another worker.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos

from kerasvision.config.stages import TrainerSettings
from kerasvision.errors import ConfigError, Interrupted, StageError
from kerasvision.training.devices.strategy import logical_devices
from kerasvision.tuning.role import ID, IP, PORT, Role
from kerasvision.tuning.trials import Carriers, Job, Outcome, TunedMetric

RUNNING, IDLE, STOPPED = "RUNNING", "IDLE", "STOPPED"
# A worker that sends nothing for this long loses its trials; normally it renews them every few seconds.
LEASE_SECONDS, SECONDS_PER_WORD = 60.0, 5.0
# How long a worker waits for the chief to start, and later for an answer.
SECONDS_TO_START, SECONDS_TO_ANSWER = 600.0, 60.0
SECONDS_PER_QUESTION = 0.5
# How long a chief without more trials waits for its workers to ask once more.
SECONDS_TO_PART = 30.0
_MESSAGE = "kerasvision/message"


@dataclass
class _Lent:
    """A trial that waits for a worker, or that a worker runs until `until`."""

    job: Job
    attempts: int = 0
    worker: str = ""
    until: float = 0.0
    is_to_end: bool = False


@dataclass
class Chief:
    """Runs trials on other machines, whose workers ask for them. Use it in a `with`, which runs the server.

    Args:
        address: "host:port" of the server.
        count: how many trials may run at a time.
        retries: how often a trial whose worker died is given to another worker.
        lease_seconds: a worker that sends nothing for this long counts as dead.
    """

    address: str
    count: int = 1
    retries: int = 1
    lease_seconds: float = LEASE_SECONDS
    _trials: dict[str, _Lent] = field(default_factory=dict)
    _ended: list[Outcome] = field(default_factory=list)
    _heard: dict[str, float] = field(default_factory=dict)
    _is_over: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        # Without this option two chiefs could share one port, and each would get some of the requests.
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        protos.get_service_grpc().add_OracleServicer_to_server(_servicer(self), self._server)
        try:
            bound = self._server.add_insecure_port(self.address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConfigError(
                f"the chief cannot listen at {self.address}: the port is in use, or the address is not this machine's",
                hint=f"end the process that uses it, or set another {PORT} on all machines",
            )
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            # Each live worker asks again soon and gets STOPPED; a dead one never asks, hence the timeout.
            self._changed.wait_for(lambda: not self._heard, timeout=SECONDS_TO_PART)
        self._server.stop(grace=1.0).wait()

    @property
    def free(self) -> int:
        """How many more trials can begin."""
        with self._changed:
            return self.count - len(self._trials)

    def begin(self, job: Job, *, devices: int = 1) -> None:
        """Makes a trial ready for the next worker that asks."""
        with self._changed:
            self._trials[job.id] = _Lent(job)

    def wait(self, seconds: float) -> list[Outcome]:
        """The trials that end within this time."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=seconds)
            self._take_back()
            ended, self._ended = self._ended, []
            return ended

    def stop(self) -> None:
        """Asks all workers to end their trials after the epoch."""
        with self._changed:
            for lent in self._trials.values():
                lent.is_to_end = True

    def interrupt(self) -> list[Outcome]:
        """Does nothing to the trials: their workers keep their checkpoints."""
        return []

    def lend(self, worker: str) -> tuple[str, Job | None]:
        """The answer to a worker that asks for a trial: (RUNNING, a job), (IDLE, None) or (STOPPED, None)."""
        with self._changed:
            if self._is_over:
                self._heard.pop(worker, None)
                self._changed.notify_all()
                return STOPPED, None
            self._heard[worker] = time.monotonic()
            waiting = next((lent for lent in self._trials.values() if not lent.worker), None)
            if waiting is None:
                return IDLE, None
            waiting.worker, waiting.attempts = worker, waiting.attempts + 1
            waiting.until = time.monotonic() + self.lease_seconds
            return RUNNING, waiting.job

    def renew(self, id: str, worker: str) -> str:
        """The answer to a worker that still runs a trial: RUNNING, or STOPPED if the trial must end."""
        with self._changed:
            lent = self._trials.get(id)
            if lent is None or lent.worker != worker or self._is_over:
                return STOPPED
            lent.until = time.monotonic() + self.lease_seconds
            return STOPPED if lent.is_to_end else RUNNING

    def take(self, outcome: Outcome, worker: str) -> None:
        """Accepts the outcome of a trial from the worker that currently has it."""
        with self._changed:
            lent = self._trials.get(outcome.id)
            if lent is not None and lent.worker == worker:
                del self._trials[outcome.id]
                self._ended.append(replace(outcome, attempts=outcome.attempts + lent.attempts - 1))
                self._changed.notify_all()

    def _take_back(self) -> None:
        """Makes the trials of workers that sent nothing for too long available to others."""
        for id, lent in list(self._trials.items()):
            if lent.worker and time.monotonic() > lent.until:
                self._heard.pop(lent.worker, None)
                if lent.attempts > self.retries:
                    del self._trials[id]
                    error = f"its worker {lent.worker} did not respond for {self.lease_seconds:g} seconds"
                    self._ended.append(Outcome(id, attempts=lent.attempts, error=error))
                lent.worker = ""


def take_part(role: Role, *, workers: Carriers, folder: Path, is_asked_to_stop: Callable[[], bool] = lambda: False) -> int:
    """Runs trials for a chief until it has no more; returns how many.

    Args:
        role: of this process.
        workers: runs the trials on this machine.
        folder: where their checkpoints go.
        is_asked_to_stop: returns whether the process must end.

    Raises:
        StageError: the chief does not answer.
        Interrupted: it was asked to stop; its trials are saved.
    """
    at_work: dict[str, float] = {}
    is_over, count = False, 0
    with _Line(role, folder) as line:
        while at_work or not is_over:
            if is_asked_to_stop():
                workers.interrupt()
                raise Interrupted("this worker was asked to stop; its trials are saved", hint="run the same command again")
            while not is_over and workers.free > 0:
                status, job = line.ask()
                is_over = status == STOPPED
                if job is None:
                    break
                at_work[job.id] = time.monotonic()
                workers.begin(job, devices=logical_devices(TrainerSettings.parse(job.settings).training))
            for outcome in workers.wait(SECONDS_PER_QUESTION):
                at_work.pop(outcome.id)
                line.tell(outcome)
                count += 1
            for id in [id for id, spoken in at_work.items() if time.monotonic() - spoken > SECONDS_PER_WORD]:
                at_work[id] = time.monotonic()
                if line.renew(id) == STOPPED:
                    workers.stop()
    return count


class _Line:
    """A worker's connection to the chief."""

    def __init__(self, role: Role, folder: Path) -> None:
        self._role, self._folder, self._seconds = role, folder, SECONDS_TO_START

    def __enter__(self) -> Self:
        self._channel = grpc.insecure_channel(self._role.address)
        self._stub = protos.get_service_grpc().OracleStub(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def ask(self) -> tuple[str, Job | None]:
        """Asks for a trial."""
        request = protos.get_service().CreateTrialRequest(tuner_id=self._role.name)
        trial = Trial.from_proto(self._called(self._stub.CreateTrial, request).trial)
        if trial.status != RUNNING:
            return trial.status, None
        return RUNNING, _job(_read(trial), folder=self._folder)

    def renew(self, id: str) -> str:
        """Reports that a trial is still running; returns the chief's answer, RUNNING or STOPPED."""
        request = protos.get_service().UpdateTrialRequest(trial_id=f"{id} {self._role.name}", metrics={}, step=0)
        status: str = Trial.from_proto(self._called(self._stub.UpdateTrial, request).trial).status
        return status

    def tell(self, outcome: Outcome) -> None:
        """Reports the outcome of a trial."""
        said = {"worker": self._role.name, "outcome": asdict(outcome)}
        request = protos.get_service().EndTrialRequest(trial=_trial(outcome.id, "COMPLETED", said).to_proto())
        self._called(self._stub.EndTrial, request)

    def _called(self, method: Callable[..., Any], request: object) -> Any:
        try:
            answer = method(request, wait_for_ready=True, timeout=self._seconds)
        except grpc.RpcError as error:
            raise StageError(
                f"within {self._seconds:g} seconds no answer came from the chief at {self._role.address}",
                hint=f"start the same command there with {ID}=chief, or correct {IP} and {PORT}",
            ) from error
        self._seconds = SECONDS_TO_ANSWER
        return answer


def _servicer(chief: Chief) -> Any:
    """KerasTuner's service, implemented by our chief."""

    base: Any = protos.get_service_grpc().OracleServicer

    class Servicer(base):
        def CreateTrial(self, request: Any, context: object) -> Any:
            status, job = chief.lend(request.tuner_id)
            trial = _trial("" if job is None else job.id, status, None if job is None else _data(job))
            return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

        def UpdateTrial(self, request: Any, context: object) -> Any:
            id, worker = request.trial_id.split(" ", 1)
            trial = _trial(id, chief.renew(id, worker), None)
            return protos.get_service().UpdateTrialResponse(trial=trial.to_proto())

        def EndTrial(self, request: Any, context: object) -> Any:
            said = _read(Trial.from_proto(request.trial))
            outcome = Outcome(**{**said["outcome"], "rows": tuple(said["outcome"]["rows"])})
            chief.take(outcome, said["worker"])
            return protos.get_service().EndTrialResponse()

    return Servicer()


def _trial(id: str, status: str, message: object) -> Trial:
    """A KerasTuner trial that contains a message."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = {} if message is None else {_MESSAGE: json.dumps(message)}
    return Trial(hyperparameters, trial_id=id, status=status)


def _read(trial: Trial) -> Any:
    return json.loads(trial.hyperparameters.values[_MESSAGE])


def _data(job: Job) -> dict[str, object]:
    parent = None if job.parent is None else job.parent.name
    return {**asdict(job), "folder": job.folder.name, "parent": parent}


def _job(data: Mapping[str, Any], *, folder: Path) -> Job:
    """A job of the chief, with folders of this worker."""
    return Job(
        **{
            **data,
            "folder": folder / data["folder"],
            "parent": None if data["parent"] is None else folder / data["parent"],
            "objective": TunedMetric(**data["objective"]),
            "thresholds": tuple(data["thresholds"]),
        }
    )
