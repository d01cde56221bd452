"""No request is lost when the server stops, and unused connections are closed."""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from kerasvision.serving import server as server_module
from kerasvision.serving.limits import Limits
from kerasvision.serving.server import exposure

PREDICT = "/v1/models/colours:predict"
ASKED = json.dumps({"signature_name": "logarithm", "instances": [1]}).encode()
ANSWER = b'{"predictions": [0.0]}'
HEAD = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
REQUEST = HEAD % (PREDICT.encode(), len(ASKED)) + ASKED


def received(connection):
    """The data received until the server closes the connection."""
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


# --- The server stops


class Client(threading.Thread):
    """Sends requests until the server accepts no new connection."""

    def __init__(self, port, *, pause, keeps):
        super().__init__()
        self.port, self.pause, self.keeps = port, pause, keeps
        self.answers, self.lost, self.closed = 0, [], 0

    def run(self):
        with contextlib.suppress(ConnectionRefusedError):
            while not self.lost:
                with closing(socket.create_connection(("127.0.0.1", self.port), timeout=20)) as connection:
                    self.ask(http.client.HTTPConnection("127.0.0.1", self.port), connection)

    def ask(self, http_connection, connection):
        http_connection.sock = connection
        while True:
            try:
                http_connection.request("POST", PREDICT, ASKED)
                reply = http_connection.getresponse()
                text = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                return
            if (reply.status, text) != (200, ANSWER):
                self.lost.append(text)
                return
            self.answers += 1
            if reply.will_close:
                self.closed += 1
                return
            if not self.keeps:
                return
            time.sleep(self.pause)


def test_no_request_is_lost_when_the_server_stops(model_folder, running):
    with running(model_folder) as server:
        clients = [Client(server.port, pause=pause, keeps=True) for pause in (0, 0, 0.001, 0.01, 0.05, 0.2, 0.4)]
        clients += [Client(server.port, pause=0, keeps=False) for _ in range(3)]
        for client in clients:
            client.start()
        time.sleep(0.7)
        server.server.should_exit = True
        server.thread.join(20)
        for client in clients:
            client.join(20)
    assert [client.lost for client in clients] == [[]] * len(clients)
    assert all(client.answers for client in clients)
    # Clients with open connections were informed that these end.
    assert [client.closed for client in clients[:7]] == [1] * 7


def test_an_idle_connection_may_ask_once_more_and_does_not_hold_up_the_end(model_folder, running):
    with running(model_folder, drain_seconds=0.5) as server:
        idle, asks, begins = (socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(3))
        with idle, asks, begins:
            begins.sendall(REQUEST[:9])
            time.sleep(0.1)
            began = time.monotonic()
            server.server.should_exit = True
            time.sleep(0.3)
            asks.sendall(REQUEST)
            assert b"\r\nconnection: close\r\n" in (reply := received(asks)).lower()
            assert reply.endswith(ANSWER)
            assert received(idle) == b""
            begins.sendall(REQUEST[9:])
            assert received(begins).endswith(ANSWER)
        server.thread.join(20)
        assert time.monotonic() - began < 5


# --- Addresses


@pytest.mark.parametrize(
    ("address", "is_reached"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.168.0.7", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.1", True),
    ],
)
def test_an_address_that_others_reach_is_warned_of(address, is_reached):
    assert ("there is no authentication" in exposure(address)) == is_reached


def test_the_warning_comes_before_the_first_answer(model_folder, monkeypatch, caplog):
    """Nothing listens on 0.0.0.0 here: the socket only reports that address."""
    listening = SimpleNamespace(getsockname=lambda: ("0.0.0.0", 8501), close=lambda: None)
    monkeypatch.setattr(server_module, "_listen", lambda host, port: listening)
    model = SimpleNamespace(name="colours", current=SimpleNamespace(version=3))
    monkeypatch.setattr(server_module, "make_server", lambda *_, **__: (SimpleNamespace(run=lambda sockets: None), model))
    monkeypatch.setattr(server_module.signal, "signal", lambda *_: None)
    server_module.serve(model_folder, host="0.0.0.0", port=8501, limits=Limits())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("other machines reach 0.0.0.0, and there is no authentication")


# --- Clients that close their sending side


@pytest.mark.parametrize("count", [1, 3])
def test_a_client_that_says_no_more_gets_its_answers(count, server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(REQUEST * count)
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).count(ANSWER) == count


def test_a_client_that_says_no_more_in_the_middle_is_let_go(server):
    for end in (0, 9, len(REQUEST) - 1):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(REQUEST[:end])
            connection.shutdown(socket.SHUT_WR)
            assert received(connection) == b""


# --- Clients that do not read their answer


@contextlib.contextmanager
def deaf(port, size):
    """A client that requests an answer of more than twice this number of bytes, and does not read it."""
    body = json.dumps({"signature_name": "echo", "instances": ["x" * size]}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        connection.sendall(HEAD % (PREDICT.encode(), len(body)) + body)
        yield connection


def test_a_client_that_never_reads_is_dropped(model_folder, running):
    with running(model_folder, write_seconds=0.5, max_body_bytes=20_000_000) as server:
        connections = server.server.server_state.connections
        with deaf(server.port, 9_000_000) as connection:
            until(lambda: server.ask("GET", "/metrics", raw=True) and len(connections) == 1)
            until(lambda: not connections)
            assert len(received(connection)) < 18_000_000
        assert server.ask("GET", "/v1/models/colours")[0] == 200


def test_a_client_that_reads_late_gets_all(model_folder, running):
    with running(model_folder, max_body_bytes=20_000_000) as server, deaf(server.port, 9_000_000) as connection:
        time.sleep(0.5)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        assert len(json.loads(reply.read())["predictions"][0]["text"]) == 9_000_000


def until(happens, seconds=20):
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- Data that is not HTTP


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"\x00\xff\r\n\r\n", 400, "illegal request line"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 3000, 431, "Receive buffer too long"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (HEAD % (PREDICT.encode(), 1) + b"{" + b"garbage\r\n\r\n", 400, "illegal request line"),
        (
            b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % PREDICT.encode(),
            400,
            "illegal chunk header",
        ),
    ],
)
def test_what_is_no_http_is_told_in_json(data, status, message, server, caplog):
    caplog.set_level(logging.ERROR)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        *_, last = received(connection).split(b"HTTP/1.1 ")
    head, _, body = last.partition(b"\r\n\r\n")
    assert int(head[:3]) == status
    assert message in json.loads(body)["error"]
    assert not caplog.records
