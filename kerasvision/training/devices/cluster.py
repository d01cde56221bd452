"""Which machines train together: reads and checks TF_CONFIG before TensorFlow does, and waits for the other machines.

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'

Every worker gets the same `cluster`, and its own `task`. TensorFlow itself waits an hour for a missing worker.
"""

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from kerasvision import lookup
from kerasvision.errors import ConfigError, StageError

VARIABLE = "TF_CONFIG"
# The jobs that train, in the order of their numbers. TensorFlow also knows "ps" and "evaluator", which do not train.
JOBS = ("chief", "worker")
ADDRESS = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})"
EXAMPLE = '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
SECONDS_PER_TRY = 2.0


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, and the number of this process.

    Attributes:
        addresses: "host:port" of every worker; the first is the chief's.
        number: of this worker, from 0.

    >>> cluster = Cluster(("10.0.0.1:2222", "10.0.0.2:2222"), number=1)
    >>> cluster.is_chief, str(cluster)
    (False, 'worker 1 of 2')
    """

    addresses: tuple[str, ...]
    number: int

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the files."""
        return self.number == 0

    @property
    def others(self) -> tuple[str, ...]:
        """The addresses of all other workers."""
        return self.addresses[: self.number] + self.addresses[self.number + 1 :]

    def name(self, address: str) -> str:
        """The address and its worker's number, for messages."""
        return f"{address} (worker {self.addresses.index(address)})"

    def __str__(self) -> str:
        return f"worker {self.number} of {len(self.addresses)}"


def read_cluster(environment: Mapping[str, str]) -> Cluster:
    """The cluster of TF_CONFIG.

    Args:
        environment: `os.environ`.

    Raises:
        ConfigError: it is not set, is not JSON, or is not a valid cluster.

    >>> read_cluster({"TF_CONFIG": '{"cluster": {"worker": ["one:1", "two:1"]}, "task": {"type": "worker", "index": 1}}'})
    Cluster(addresses=('one:1', 'two:1'), number=1)
    >>> read_cluster({"TF_CONFIG": '{"cluster": {"worker": ["one"]}, "task": {"type": "worker", "index": 0}}'})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: TF_CONFIG: cluster.worker[0] must be host:port, ...; received 'one'.
    """
    found = _parsed(environment.get(VARIABLE))
    jobs = _jobs(found)
    addresses = tuple(address for job in JOBS for address in jobs.get(job, ()))
    for address in addresses:
        if addresses.count(address) > 1:
            raise ConfigError(f"{VARIABLE}: two workers must not have the same address", received=address)
    return Cluster(addresses, _number(found, jobs))


def wait_for_others(cluster: Cluster, *, seconds: float) -> None:
    """Returns as soon as all other workers answer. Meanwhile this worker answers at its own address.

    Args:
        cluster: the workers.
        seconds: how long to wait for all of them.

    Raises:
        ConfigError: this worker's own port is in use.
        StageError: a worker did not answer; the message names it.
    """
    deadline = time.monotonic() + seconds
    with _answering(cluster):
        missing = _silent(cluster.others, deadline)
        while missing and time.monotonic() < deadline:
            time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))
            missing = _silent(missing, deadline)
    if missing:
        raise StageError(
            f"within {seconds:g} seconds no answer came from {_named(cluster, missing)}",
            hint=f"start the same command there too, or correct {VARIABLE}; training.worker_timeout_seconds is how long to "
            "wait",
        )


def who_is_gone(cluster: Cluster) -> str:
    """The workers that do not answer now, for a message; "" if all answer."""
    missing = _silent(cluster.others, time.monotonic() + SECONDS_PER_TRY * len(cluster.others))
    return _named(cluster, missing) if missing else ""


class TfConfig(TypedDict):
    """TF_CONFIG after the checks of `_parsed`."""

    cluster: dict[str, list[str]]
    task: dict[str, Any]


def _parsed(text: str | None) -> TfConfig:
    if not text:
        raise ConfigError(
            f"training.strategy='multi_worker' requires the environment variable {VARIABLE}, which is not set",
            hint=f"set it on every worker, for example {VARIABLE}='{EXAMPLE}'",
        )
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{VARIABLE} must be JSON, such as {EXAMPLE} ({error})", received=text) from error
    if not isinstance(found, dict) or not isinstance(found.get("cluster"), dict) or not isinstance(found.get("task"), dict):
        raise ConfigError(f"{VARIABLE} must have a cluster and a task, such as {EXAMPLE}", received=text)
    return {"cluster": found["cluster"], "task": found["task"]}


def _jobs(found: TfConfig) -> dict[str, list[str]]:
    """Job -> addresses, all checked."""
    jobs = found["cluster"]
    for job, addresses in jobs.items():
        if job not in JOBS:
            raise ConfigError(
                f"{VARIABLE}: the jobs of a cluster are {' and '.join(JOBS)}; {lookup.did_you_mean(job, JOBS)}", received=job
            )
        if not isinstance(addresses, list) or not addresses:
            raise ConfigError(f"{VARIABLE}: cluster.{job} must be a list of addresses", received=addresses)
        for number, address in enumerate(addresses):
            _host_and_port(address, place=f"cluster.{job}[{number}]")
    if not jobs:
        raise ConfigError(f"{VARIABLE}: the cluster must have a worker", received=jobs)
    if len(jobs.get("chief", ())) > 1:
        raise ConfigError(f"{VARIABLE}: a cluster must not have more than one chief", received=jobs["chief"])
    return jobs


def _host_and_port(address: object, *, place: str) -> tuple[str, int]:
    match = re.fullmatch(ADDRESS, address) if isinstance(address, str) else None
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ConfigError(f"{VARIABLE}: {place} must be host:port, with a port from 1 to 65535", received=address)
    return match["host"].strip("[]"), int(match["port"])


def _number(found: TfConfig, jobs: Mapping[str, list[str]]) -> int:
    task = found["task"]
    job, index = task.get("type"), task.get("index")
    if not isinstance(job, str) or job not in jobs:
        raise ConfigError(f"{VARIABLE}: task.type must be one of the cluster's jobs, {', '.join(jobs)}", received=job)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(jobs[job]):
        raise ConfigError(
            f"{VARIABLE}: task.index must be the index of this worker in cluster.{job}, 0 to {len(jobs[job]) - 1}",
            received=index,
        )
    return index + (len(jobs.get("chief", ())) if job == "worker" else 0)


@contextmanager
def _answering(cluster: Cluster) -> Iterator[None]:
    """Within it, this worker accepts connections to its port, as TensorFlow's server does later."""
    _, port = _host_and_port(cluster.addresses[cluster.number], place="the address of this worker")
    try:
        listener = socket.create_server(("", port), backlog=max(16, 4 * len(cluster.addresses)))
    except OSError as error:
        raise ConfigError(
            f"{VARIABLE} gives this worker port {port}, which cannot be used: {error.strerror}",
            hint="end the process that uses it, or set another port on all workers",
        ) from error
    with closing(listener):
        yield


def _silent(addresses: tuple[str, ...], deadline: float) -> tuple[str, ...]:
    return tuple(address for address in addresses if not _answers(address, deadline))


def _answers(address: str, deadline: float) -> bool:
    host_and_port = _host_and_port(address, place="the address of a worker")
    seconds = min(SECONDS_PER_TRY, max(0.05, deadline - time.monotonic()))
    try:
        socket.create_connection(host_and_port, timeout=seconds).close()
    except OSError:
        return False
    return True


def _named(cluster: Cluster, addresses: tuple[str, ...]) -> str:
    return ", ".join(map(cluster.name, addresses))
