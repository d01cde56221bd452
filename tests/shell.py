"""A shell in which `kerasvision` is the command line in a process that has TensorFlow already.

Bash finds a program of that name. It hands its arguments, folder and variables to the tests, which run the command line in a
fork of the warm process. So a page's commands are read by bash, and none takes five seconds to import TensorFlow.
"""

import json
import os
import shutil
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
ROOT = Path(__file__).parent.parent
# In a new interpreter, for commands that run at the same time.
NEW_PROGRAM = f"""#!{sys.executable}
import sys

sys.path.insert(0, {str(ROOT)!r})
if __name__ == "__main__":
    from kerasvision.cli import main

    main()
"""
PROGRAM = f"""#!{sys.executable} -SE
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", int(os.environ["SHELL_PORT"]))) as connection:
    connection.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    code, stdout, stderr = json.loads(connection.makefile().readline())
sys.stdout.write(stdout)
sys.stderr.write(stderr)
sys.exit(code)
"""


def free_port():
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def add_program(folder, name, text):
    """A program that bash finds first in this folder."""
    file = Path(folder) / ".bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def bash_variables(folder):
    """The environment of bash in a folder: its home, and its own programs before those of this environment."""
    path = [str(folder / ".bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    return {"HOME": str(folder), "LANG": "C.UTF-8", "PATH": os.pathsep.join(path), "PYTHONPATH": str(ROOT)}


class Machines:
    """Folders with the files of another folder, each of which stands for a machine that has its own processes."""

    def __init__(self, folder, *, files, count):
        self.folders = [Path(folder) / f"machine-{number}" for number in range(count)]
        for machine in self.folders:
            for name in files:
                shutil.copytree(Path(folder) / name, machine / name)
            add_program(machine, "kerasvision", NEW_PROGRAM)

    def run(self, scripts, timeout_seconds):
        """Runs a script of bash on each at the same time; the exit codes, and what all of them printed."""
        begun = [self._begin(script, machine) for script, machine in zip(scripts, self.folders, strict=True)]
        try:
            codes = [process.wait(timeout_seconds) for process in begun]
        finally:
            for process in begun:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        return codes, [(machine / "printed.txt").read_text() for machine in self.folders]

    def _begin(self, script, machine):
        command = ["bash", "-euo", "pipefail", "-c", script]
        with (machine / "printed.txt").open("w") as printed:
            output = {"stdout": printed, "stderr": printed, "start_new_session": True}
            return subprocess.Popen(command, cwd=machine, env=bash_variables(machine), **output)


class Shell:
    """Runs scripts of bash in a folder that is also its home."""

    def __init__(self, warm, folder):
        self.warm, self.folder, self.background = warm, Path(folder), None
        # A program that runs before each command, in its process.
        self.before, self.timeout_seconds = "", 300
        self.environment = bash_variables(self.folder)
        add_program(self.folder, "kerasvision", PROGRAM)
        self.port = free_port()

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
        how = {"capture_output": True, "text": True, "timeout": self.timeout_seconds, "check": False}
        return subprocess.run(command, cwd=self.folder, env=self.environment, **how)

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
        how = {"folder": folder, "with_kerasvision": True, "timeout_seconds": self.timeout_seconds}
        done = self.warm.run(self.before + MAIN, *arguments, **how, **variables)
        return done.returncode, done.stdout, done.stderr
