"""Processes whose trials only do what their settings say. Without TensorFlow they start at once."""

import os
import signal
import sys
import time

from kerasvision.training import child
from kerasvision.tuning.trials import Outcome
from kerasvision.tuning.worker import BEGAN, DONE, LOST, SAVED, STOP

MEGABYTE = 2**20


def run(connection, setup):
    with setup.output.open("ab") as stream:
        os.dup2(stream.fileno(), 2)
    child.begin(quietly=False)
    while (job := connection.recv()) is not None:
        if job == STOP:
            continue
        connection.send((BEGAN, job.id, None))
        resident = job.settings.get("resident", MEGABYTE)
        stopped = DOES[job.settings["do"]](job, connection) or ""
        if stopped in (SAVED, LOST):
            connection.send((stopped, job.id, "it ran out of memory" if stopped == LOST else None))
            return
        rows = ({"pid": os.getpid(), "devices": setup.devices, "threads": setup.threads or 0, "gpu": setup.gpu or "all"},)
        connection.send((DONE, job.id, (Outcome(job.id, rows=rows, seconds=1.0, stopped=stopped), resident)))


def first_time(job):
    job.folder.mkdir(exist_ok=True, parents=True)
    marker = job.folder / "was_here"
    if marker.exists():
        return False
    marker.touch()
    return True


def die(job, connection):
    print("no memory left", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_stop(job, connection):
    return "time was up" if connection.recv() == STOP else ""


def wait_for_sigterm(job, connection):
    caught = []
    signal.signal(signal.SIGTERM, lambda *_: caught.append(True))
    (job.folder.parent / "ready").touch()
    while not caught:
        time.sleep(0.01)
    return SAVED


DOES = {
    "nothing": lambda job, connection: None,
    "die": die,
    "die once": lambda job, connection: die(job, connection) if first_time(job) else None,
    "exit": lambda job, connection: sys.exit(7),
    "run out of memory once": lambda job, connection: LOST if first_time(job) else None,
    "sleep": lambda job, connection: time.sleep(60),
    "wait for stop": wait_for_stop,
    "wait for sigterm": wait_for_sigterm,
}
