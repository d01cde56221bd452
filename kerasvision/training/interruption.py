"""SIGTERM, which job schedulers send before they kill a process: a training finishes its step and saves itself first."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kerasvision.errors import Interrupted


@contextmanager
def sigterm_noticed() -> Iterator[Callable[[], bool]]:
    """Within it, the first SIGTERM only sets a flag; a second ends the process at once, with exit code 143.

    Outside the main thread, where Python receives no signals, it does nothing and the flag is never set.

    Yields:
        A function that returns whether SIGTERM has come; call it after every step.

    >>> with sigterm_noticed() as is_asked_to_stop:
    ...     is_asked_to_stop()
    False
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noticed = threading.Event()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.signal(signal.SIGTERM, lambda *_: noticed.set())
    # Python runs its handlers between two Python instructions, and a step in TensorFlow may take minutes. The wakeup file
    # descriptor receives a signal's number at once.
    descriptor = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(ours, noticed), daemon=True)
    watch.start()
    try:
        yield noticed.is_set
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGTERM, before)
        theirs.close()
        watch.join()
        ours.close()


def _watch(ours: socket.socket, noticed: threading.Event) -> None:
    """Reads signal numbers until the other end is closed."""
    count = 0
    while numbers := ours.recv(64):
        count += numbers.count(bytes([signal.SIGTERM]))
        if count:
            noticed.set()
        if count > 1:
            os._exit(Interrupted.exit_code)


@contextmanager
def sigterm_passed_on() -> Iterator[None]:
    """Within it, a SIGTERM is passed on to the child processes of multiprocessing instead of ending this process.

    For a process that only waits for one that trains: the error that the child then raises ends this process too.

    Raises:
        Interrupted: the child ended before it could save: it had not begun to train, or a second SIGTERM came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    # Imported here because only a process that waits for another one needs it.
    from concurrent.futures.process import BrokenProcessPool

    passed_on = threading.Event()

    def pass_on(*_: object) -> None:
        passed_on.set()
        for child in multiprocessing.active_children():
            child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    except BrokenProcessPool as error:
        if passed_on.is_set():
            raise Interrupted(
                "the training was asked to stop, and ended before it could save its state",
                hint="run the same command again to resume from its last checkpoint",
            ) from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """Makes this process, started by multiprocessing, end as soon as its parent process ends.

    Otherwise a training whose parent was killed would continue during the next run, and write to the same files.
    """
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
