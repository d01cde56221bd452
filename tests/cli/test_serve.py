"""`kerasvision serve`: a process that loads a pushed version, stops cleanly, and reports a missing package."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

ASKED = json.dumps({"signature_name": "add", "instances": [1, 2]}).encode()


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """Writes a saved model of `x + offset`: `saved_model(5)`."""
    import tensorflow as tf

    def save(offset):
        module = tf.Module()
        module.offset = tf.Variable(float(offset))
        module.add = tf.function(
            lambda x: {"y": x + module.offset}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
        )
        folder = tmp_path_factory.mktemp("saved") / "model"
        tf.saved_model.save(module, str(folder), {"add": module.add})
        return folder

    return save


class Served:
    """A server process, and a client that keeps its connection."""

    def __init__(self, program):
        self.program = program
        while not (line := re.search(r":(\d+)\n", program.printed("stdout"))):
            assert program.is_running(), program.wait()
            time.sleep(0.02)
        self.port = int(line[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self):
        """The predictions for 1 and 2."""
        self.connection.request("POST", f"/v1/models/{self.name}:predict", ASKED)
        reply = self.connection.getresponse()
        text = reply.read()
        assert reply.status == 200, text
        return json.loads(text)["predictions"]

    name = "adder"


def push(saved_model, folder, version):
    (folder / ".copying").parent.mkdir(parents=True, exist_ok=True)
    saved_model.rename(folder / ".copying")
    (folder / ".copying").rename(folder / str(version))


def test_a_pushed_version_is_taken_up_without_a_lost_request_and_sigterm_ends_with_0(saved_model, warm, tmp_path):
    folder = tmp_path / "adder"
    push(saved_model(0), folder, 1)
    command = ("serve", folder, "--port", 0)
    with warm.start("from kerasvision.cli import main; main()", *command, with_kerasvision=True) as program:
        served = Served(program)
        assert served.ask() == [1, 2]
        push(saved_model(10), folder, 2)
        seen = [[1, 2]]
        deadline = time.monotonic() + 120
        while seen[-1] != [11, 12] and time.monotonic() < deadline:
            seen.append(served.ask())
        assert {tuple(answer) for answer in seen} == {(1, 2), (11, 12)}
        # A request that has begun when the server must stop: its body arrives afterwards.
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as under_way:
            head = b"POST /v1/models/adder:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ASKED)
            under_way.sendall(head)
            served.ask()  # by now it has been read
            served.connection.close()
            os.kill(program.process, signal.SIGTERM)
            while not _refuses(served.port):
                time.sleep(0.02)
            under_way.sendall(ASKED)
            reply = under_way.recv(65536)
            assert reply.startswith(b"HTTP/1.1 200 "), reply
        done = program.wait(60)
        assert done.returncode == 0, done.stderr
        assert "adder: version 2 replaces 1" in done.stderr
        assert "Traceback" not in done.stderr


def _refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


def test_what_cannot_be_served_is_told(kerasvision, tmp_path):
    done = kerasvision("serve", tmp_path / "nowhere", "--port", "0")
    assert (done.returncode, "is not a saved model: there is no such folder" in " ".join(done.stderr.split())) == (2, True)


def test_an_address_that_is_taken_is_told(kerasvision, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kerasvision("serve", tmp_path, "--port", port)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert f"Address already in use; received '127.0.0.1:{port}'. Choose another with --port or --host." in told


def test_without_the_extra_the_way_to_get_it_is_told(tmp_path):
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(\"No module named 'starlette'\", name='starlette')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from kerasvision.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "serve", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "`kerasvision serve` requires the package starlette, which is not installed." in told
    assert re.search(r"Install with: .*pip install -e '.*\[serve\]'", told)
