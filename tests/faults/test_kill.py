"""kill -9 at every point of a launch: the next run repairs the store and ends like an undisturbed one."""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TOY = Path(__file__).parent.parent / "pipeline" / "toy.py"
_spec = importlib.util.spec_from_file_location("toy_kills", TOY)
toy = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(toy)


@pytest.fixture
def run_toy(warm):
    """Runs toy.py in a process that has already imported kerasvision, which takes most of the time of such a run."""

    def run(*arguments):
        return warm.run_script(TOY, *arguments, timeout_seconds=120, with_kerasvision=True)

    return run


# An artifact that the store does not know yet, and one that it knows. The other moments are slow: each takes three runs.
QUICK = ("after renaming", "after publishing")


@pytest.mark.parametrize("moment", [pytest.param(m, marks=() if m in QUICK else pytest.mark.slow) for m in toy.KILLS])
def test_killed_run_is_repaired_by_the_next(tmp_path, moment, run_toy):
    number = tmp_path / "number.txt"
    number.write_text("7")
    killed = run_toy(tmp_path, number, 3, moment)
    assert killed.returncode == -signal.SIGKILL
    resumed = run_toy(tmp_path, number, 3)
    assert resumed.returncode == 0, resumed.stderr
    # Artifacts that were published before the kill are not made again.
    assert resumed.stdout.strip() == ("[True, False] 3" if moment == "after publishing" else "[False, False] 3")
    assert run_toy(tmp_path, number, 3).stdout.strip() == "[True, True] 3"
    assert not list((tmp_path / "runs").rglob("*.tmp"))
    folders = [path for path in (tmp_path / "runs" / "artifacts").glob("*/*/*/*") if path.is_dir()]
    assert len(folders) == 2, "one folder per output, no leavings"


def test_two_runs_at_once_share_one_result(tmp_path):
    number = tmp_path / "number.txt"
    number.write_text("7")
    command = [sys.executable, str(TOY), str(tmp_path), str(number), "5"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0] * 2, outputs
    lines = [stdout.strip() for stdout, _ in outputs]
    assert all(line.endswith("] 5") for line in lines)
    # Each stage was executed by exactly one of them.
    for stage in (0, 1):
        executed = [line.strip("[]5 ").split(", ")[stage] == "False" for line in lines]
        assert sum(executed) == 1, lines


def test_many_processes_may_open_a_new_store_at_once(tmp_path):
    opens = (
        "import sys, time; from pathlib import Path; from kerasvision.pipeline.store import Store\n"
        "while not Path(sys.argv[1], 'go').exists(): pass\n"
        "[Store(Path(sys.argv[1], str(n))).close() for n in range(30)]"
    )
    command = [sys.executable, "-c", opens, str(tmp_path)]
    openers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    (tmp_path / "go").touch()
    assert [opener.communicate(timeout=120)[1] for opener in openers] == [""] * 4
