"""A shell in which `kerasvision` is the command line in a process that has TensorFlow already.

Bash finds a program of that name. It hands its arguments, folder and variables to the tests, which run the command line in a
fork of the warm process. So a page's commands are read by bash, and none takes five seconds to import TensorFlow.
"""

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

MAIN = "from kerasvision.cli import main; main()"
# As `MAIN &` in a shell: its process is printed, and nobody waits for it.
IN_BACKGROUND = f"import os\npid = os.fork()\nif pid:\n    print(pid, flush=True)\n    os._exit(0)\n{MAIN}"
PROGRAM = f"""#!{sys.executable} -SE
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", int(os.environ["SHELL_PORT"]))) as connection:
    connection.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    code, stdout, stderr = json.loads(connection.makefile().readline())
sys.stdout.write(stdout)
sys.stderr.write(stderr)
sys.exit(code)
"""


class Shell:
    """Runs scripts of bash in a folder that is also its home."""

    def __init__(self, warm, folder):
        self.warm, self.folder, self.background = warm, Path(folder), None
        programs = self.folder / ".bin"
        programs.mkdir()
        (programs / "kerasvision").write_text(PROGRAM)
        (programs / "kerasvision").chmod(0o755)
        self.environment = {"HOME": str(self.folder), "LANG": "C.UTF-8"}
        self.environment["PATH"] = os.pathsep.join([str(programs), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        shell = self

        class Asked(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(json.dumps(shell._answer(*json.loads(self.rfile.readline()))).encode() + b"\n")

        self.server = socketserver.TCPServer(("127.0.0.1", 0), Asked)
        self.environment["SHELL_PORT"] = str(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.background is not None:
            os.kill(self.background, signal.SIGTERM)
        self.server.shutdown()
        self.server.server_close()

    def run(self, script):
        """What the script prints, and its exit code; it stops at the first command that fails."""
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def python(self, code, *arguments):
        """Likewise, of a Python program."""
        return self.warm.run(code, *arguments, folder=self.folder)

    def wait_for_server(self):
        """Returns when the command that went on in the background listens at its port."""
        for _ in range(600):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"nothing listens at port {self.port}")

    def _answer(self, arguments, folder, environment):
        variables = {name: environment[name] for name in environment if environment[name] != os.environ.get(name)}
        variables.pop("PATH")
        if arguments[:1] == ["serve"]:
            arguments += ["--port", str(self.port)]
            done = self.warm.run(IN_BACKGROUND, *arguments, folder=folder, with_kerasvision=True, **variables)
            self.background = int(done.stdout)
            return 0, "", done.stderr
        if arguments[:1] == ["run"] and "--workers" not in arguments:
            # This process has TensorFlow, and each worker would import it.
            arguments = [*arguments, "--workers", "1"]
        done = self.warm.run(MAIN, *arguments, folder=folder, with_kerasvision=True, **variables)
        return done.returncode, done.stdout, done.stderr
