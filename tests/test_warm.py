"""A fork of the warm process is what `python -c` is, but for TensorFlow, which it has imported already."""

import os
import signal
import subprocess

import pytest


@pytest.mark.parametrize(
    ("code", "status", "stdout", "stderr"),
    [
        ("print('said')", 0, "said\n", ""),
        ("import sys; sys.exit(3)", 3, "", ""),
        ("import sys; sys.exit('a reason')", 1, "", "a reason\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "", ""),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, "first\nlast\n", ""),
        ("import os; os.system('echo from a child; echo aside >&2')", 0, "from a child\n", "aside\n"),
    ],
)
def test_it_ends_and_prints_as_an_interpreter_does(warm, code, status, stdout, stderr):
    done = warm.run(code)
    assert (done.returncode, done.stdout, done.stderr) == (status, stdout, stderr)


def test_an_error_is_told_with_its_traceback(warm):
    done = warm.run("1 / 0")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_it_begins_with_arguments_folder_and_variables_of_its_own(warm, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASVISION_TEST", "here")
    done = warm.run("import os, sys; print(sys.argv, os.getcwd(), os.environ['KERASVISION_TEST'])", 1, "b", folder=tmp_path)
    assert done.stdout == f"['-c', '1', 'b'] {tmp_path} here\n"


def test_a_module_that_has_changed_is_compiled_again(warm, tmp_path):
    said = []
    for number in range(2):
        (tmp_path / "changing.py").write_text(f"print({number})\n")
        said.append(warm.run("import changing", folder=tmp_path).stdout)
    assert said == ["0\n", "1\n"]


def test_nothing_of_ours_is_imported_and_tensorflow_has_not_begun(warm):
    code = (
        "import sys; print([name for name in sys.modules if name.startswith('kerasvision')])\n"
        "import tensorflow as tf; (cpu,) = tf.config.list_physical_devices('CPU')\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "print(len(tf.config.list_logical_devices('CPU')))"
    )
    # The second fork knows nothing of what the first one did.
    assert [warm.run(code).stdout for _ in range(2)] == ["[]\n2\n"] * 2


def test_it_is_killed_after_its_time_and_the_next_one_runs(warm, tmp_path):
    code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(code, tmp_path / "number", timeout_seconds=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "number").read_text()), 0)
    assert warm.run("print('next')").stdout == "next\n"
