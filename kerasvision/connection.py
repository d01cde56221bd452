"""Checks within seconds whether a host can be reached, because libraries that download would try for minutes."""

import socket
import threading
import urllib.request
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 4.0


def host_answers(url: str) -> bool:
    """Whether the host of that address, or its proxy, can be reached in `TIMEOUT_SECONDS`.

    >>> host_answers("http://127.0.0.1:1/"), host_answers("no-address")
    (False, False)
    """
    parts = urlsplit(url)
    if parts.hostname is None:
        return False
    proxy = None if urllib.request.proxy_bypass(parts.hostname) else urllib.request.getproxies().get(parts.scheme)
    parts = urlsplit(proxy) if proxy else parts
    address = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    answers: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=TIMEOUT_SECONDS).close()
            answers.append(True)
        except OSError:
            answers.append(False)

    # In a thread, because looking up a name can hang far longer than the connection's timeout.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS)
    return answers == [True]
