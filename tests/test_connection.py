"""A host is reached or given up within the timeout, whatever it does."""

import socket
import threading
import time

import pytest

from kerasvision import connection
from kerasvision.connection import host_answers


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def url_of(server):
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def half_a_second(monkeypatch):
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.5)


def test_a_host_that_answers_is_reached(half_a_second):
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert host_answers(url_of(server))


def test_a_host_that_refuses_is_not_reached(half_a_second):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = url_of(server)
    assert not host_answers(url)


def test_a_host_that_never_answers_is_given_up_in_time(half_a_second):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        # A client that connects when the queue is full receives no answer at all.
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        began = time.monotonic()
        assert not host_answers(url_of(server))
        assert 0.4 < time.monotonic() - began < 2
        for client in waiting:
            client.close()


def test_a_name_that_never_resolves_is_given_up_in_time(half_a_second, monkeypatch):
    released = threading.Event()

    def lookup_that_hangs(*arguments, **options):
        released.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", lookup_that_hangs)
    began = time.monotonic()
    assert not host_answers("https://example.org")
    assert time.monotonic() - began < 2
    released.set()


def test_proxy_in_front_of_a_host_is_what_must_answer(half_a_second, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", url_of(proxy))
        assert host_answers("https://nowhere.invalid")
