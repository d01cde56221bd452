"""A process that has imported TensorFlow, and forks for each Python program that a test runs in its own process.

Importing TensorFlow takes five seconds, and hundreds of tests need a process each. A fork saves that time. Otherwise it is
like a new interpreter: no tensor exists, and nothing of kerasvision is imported, so a program still shows what its own
imports do. They take the code that this process has compiled. Only the command line starts with kerasvision imported as
well. A test of the import of TensorFlow itself, or of environment variables that TensorFlow reads then, needs a new
interpreter.

Tests use `WarmProcess`. If this file runs as a program, it is the process. One line of JSON requests a program: its `code`,
`arguments`, `folder` and `environment`, and the files `stdout` and `stderr` for its output. Two lines answer: the number of
its process, and, when it has ended, its exit code in the form of `subprocess`.
"""

import atexit
import contextlib
import functools
import importlib.machinery
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import types
import typing
from pathlib import Path


class WarmProcess:
    """Runs Python programs one after the other, each in a fork."""

    def __init__(self):
        self.process = None

    def run(self, code, *arguments, timeout_seconds=300, **options):
        """Runs `python -c code arguments`; returns its output and exit code, as `subprocess.run(..., text=True)` does.

        The options are those of `start`.
        """
        with self.start(code, *arguments, **options) as program:
            return program.wait(timeout_seconds)

    @contextlib.contextmanager
    def start(self, code, *arguments, folder=".", with_kerasvision=False, **variables):
        """Starts `python -c code arguments`, a `Program`. The next one can start when this one has ended.

        Variables that TensorFlow reads during its import have no effect. With kerasvision, its modules are imported as well.
        """
        if self.process is None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with tempfile.TemporaryDirectory() as printed:
            said = {name: str(Path(printed, name)) for name in ("stdout", "stderr")}
            environment = {**os.environ, **variables}
            asked = {"code": code, "arguments": [str(argument) for argument in arguments]}
            asked |= {"folder": str(Path(folder).resolve()), "environment": environment, **said}
            asked["with_kerasvision"] = with_kerasvision
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            program = Program(int(self.process.stdout.readline()), self.process.stdout, Path(printed))
            try:
                yield program
            finally:
                program.kill()

    def run_script(self, script, *arguments, timeout_seconds=300, **variables):
        """Runs `python script arguments`; see `run`."""
        code = "import runpy, sys; del sys.argv[0]; sys.path[0] = sys.argv[0].rpartition('/')[0]; "
        code += "runpy.run_path(sys.argv[0], run_name='__main__')"
        return self.run(code, script, *arguments, timeout_seconds=timeout_seconds, **variables)

    def end(self):
        """Ends the process."""
        if self.process is not None:
            with self.process:
                self.process.stdin.close()


class Program:
    """A program that runs in a fork of the warm process.

    Args:
        process: its number.
        answers: the pipe in which the warm process will say its exit code.
        printed: the folder of its output.
    """

    def __init__(self, process, answers, printed):
        self.process, self.returncode, self._answers, self._printed = process, None, answers, printed

    def wait(self, timeout_seconds=300):
        """Waits for its end, and returns its output and exit code. If it takes longer, it is killed."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout_seconds)[0]:
                self.kill()
                raise subprocess.TimeoutExpired("python", timeout_seconds)
            self.returncode = int(self._answers.readline())
        # A process that the program left behind may still write to these files; we do not wait for it.
        return subprocess.CompletedProcess("python", self.returncode, self.printed("stdout"), self.printed("stderr"))

    def printed(self, name):
        """What it has printed so far to `stdout` or `stderr`."""
        file = self._printed / name
        return file.read_text(encoding="utf-8", errors="backslashreplace") if file.exists() else ""

    def is_running(self):
        return self.returncode is None and not select.select([self._answers], [], [], 0)[0]

    def kill(self):
        """Kills it, if it is still running."""
        if self.returncode is None:
            if self.is_running():
                os.kill(self.process, signal.SIGKILL)
            self.returncode = int(self._answers.readline())


def import_what_is_heavy():
    """TensorFlow and its like stay imported. The modules of kerasvision are returned, by name, and do not."""
    from kerasvision import quiet

    quiet.install()
    with quiet.without_garbage_collection():
        import_what_commands_import()
    ours = [name for name in sys.modules if name.partition(".")[0] == "kerasvision"]
    return {name: sys.modules.pop(name) for name in ours}


def keep_compiled_code():
    """A fork that imports a module again, from the same file unchanged, takes the code compiled here."""
    compile_module = importlib.machinery.SourceFileLoader.get_code

    @functools.cache
    def compiled(name, path, _changed):
        return compile_module(importlib.machinery.SourceFileLoader(name, path), name)

    importlib.machinery.SourceFileLoader.get_code = lambda loader, name: compiled(
        name, loader.path, Path(loader.path).stat().st_mtime_ns
    )


def protocols_read_once():
    """(owner, name, value) of what to replace in `typing`, so that a protocol's attributes are found only once.

    Before 3.12, Python finds them at every `isinstance` with a protocol. TensorFlow asks that for each argument of each
    operation of a graph, which took a tenth of the processor time of the tests.
    """
    name = "_get_protocol_attrs"
    return (typing, name, functools.cache(getattr(typing, name)))


def import_what_commands_import():
    """The command line with its commands, and the libraries that it uses. Sources of stages are read, as each run does."""
    import tensorflow_datasets  # noqa: F401
    import typer.main

    import kerasvision.cli
    import kerasvision.pipeline.local
    import kerasvision.pipeline.standard
    from kerasvision.pipeline.code import code_of
    from kerasvision.pipeline.stages.imports import USED

    code_of(USED)
    # Otherwise each fork makes all commands.
    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(kerasvision.cli.app)


def next_program():
    """The next requested program, returned in a fork; None if there are no more."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            return json.loads(line)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def become(program, kerasvision):
    """Turns this fork into the state of `python -c code arguments` at its start; returns the variables of `__main__`."""
    os.environ.clear()
    os.environ.update(program["environment"])
    os.chdir(program["folder"])
    writing = os.O_CREAT | os.O_WRONLY
    for number, (name, flags) in enumerate(((os.devnull, 0), (program["stdout"], writing), (program["stderr"], writing))):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv, sys.path[0] = ["-c", *program["arguments"]], ""
    if program["with_kerasvision"]:
        sys.modules.update(kerasvision)
    # A module without a file, because a process that multiprocessing spawns runs the file of __main__ again.
    sys.modules["__main__"] = types.ModuleType("__main__")
    return vars(sys.modules["__main__"])


def end_as_an_interpreter_does(run):
    """Calls a function, and ends this process with the exit code that an interpreter would give."""
    code = 0
    try:
        run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # An interpreter would now spend seconds on cleaning up TensorFlow's modules; this ends the process at once.
    os._exit(code)


if __name__ == "__main__":
    keep_compiled_code()
    setattr(*protocols_read_once())
    kerasvision = import_what_is_heavy()
    program = next_program()
    if program is not None:
        namespace = become(program, kerasvision)
        end_as_an_interpreter_does(lambda: exec(program["code"], namespace))
