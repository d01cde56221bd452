"""Processes for test_interruption: `python waits_for_sigterm.py WHAT` prints "ready" and does what its name says."""

import hashlib
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kerasvision.errors import Interrupted
from kerasvision.training.interruption import end_with_parent, sigterm_noticed, sigterm_passed_on


def ready(*more):
    print("ready", *more, flush=True)


def python():
    """Checks the flag after each short step."""
    with sigterm_noticed() as is_asked_to_stop:
        ready()
        while not is_asked_to_stop():
            time.sleep(0.01)
        print("saved", flush=True)
        time.sleep(20 if "slow" in sys.argv else 0)


def one_long_call():
    """One long call of compiled code in which Python cannot run, like a step of TensorFlow."""
    with sigterm_noticed():
        ready()
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100_000_000)


def until_asked_to_stop(file):
    """The child: writes its process id, waits for SIGTERM, and raises the error of a training."""
    end_with_parent()
    with sigterm_noticed() as is_asked_to_stop:
        Path(file).write_text(str(os.getpid()))
        while not is_asked_to_stop():
            time.sleep(0.01)
        if "slow" in sys.argv:
            print("saving", flush=True)
            time.sleep(20)
    raise Interrupted("saved")


def parent():
    """Waits for a child, as a training on logical devices does."""
    file = Path(tempfile.mkdtemp()) / "number"
    try:
        with sigterm_passed_on(), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            result = pool.submit(until_asked_to_stop, str(file))
            while not (file.exists() and file.read_text()):
                time.sleep(0.01)
            ready(file.read_text())
            result.result()
    except Interrupted as error:
        print(error, flush=True)
        raise SystemExit(error.exit_code) from error


def thread():
    """Outside the main thread, where Python receives no signals."""
    seen = []

    def run():
        with sigterm_noticed() as is_asked_to_stop:
            with sigterm_passed_on():
                seen.append(is_asked_to_stop())

    worker = threading.Thread(target=run)
    worker.start()
    worker.join()
    ready(*seen)
    time.sleep(20)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
