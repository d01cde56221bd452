"""kill -9 and a failing disk at every single file operation while a checkpoint is saved."""

import errno
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kerasvision.errors import StageError

SCRIPT = Path(__file__).parent / "file_operations.py"
_spec = importlib.util.spec_from_file_location("file_operations", SCRIPT)
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

SCENARIOS = pytest.mark.parametrize("scenario", files.SCENARIOS)
# What must be found if the save did not finish, wherever it stopped.
BEFORE = {"the first": None, "one more": 2, "the same step again": 2, "an earlier step": 2}


# The first has nothing to keep, and the second replaces a checkpoint; both others differ only in the steps.
@pytest.mark.parametrize(
    "scenario",
    [pytest.param(s, marks=() if s in ("the first", "the same step again") else pytest.mark.slow) for s in files.SCENARIOS],
)
def test_after_a_kill_the_old_or_the_new_checkpoint_is_found_whole(tmp_path, scenario):
    # A new interpreter: this program forks for each operation, and a fork with TensorFlow imported takes longer.
    done = subprocess.run(
        [sys.executable, str(SCRIPT), scenario, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    new = files.SCENARIOS[scenario][1][0]
    marks = [after_kill for _, after_kill, _, _ in results]
    assert set(marks) == {BEFORE[scenario], new}, "kills before and after the moment that decides"
    # The next save succeeds, and removes what the killed one left.
    expected = {
        "the first": ["step-00000010"],
        "one more": ["step-00000020", "step-00000030"],
        "the same step again": ["step-00000010", "step-00000020"],
        "an earlier step": ["step-00000010", "step-00000015"],
    }[scenario]
    assert [(mark, left) for _, _, mark, left in results] == [(new, expected)] * len(results)
    kinds = {operation.split(" step")[0].split()[0] for operation, *_ in results}
    assert {"mkdir", "open", "write", "fsync", "rename"} <= kinds


def assert_locked(folder):
    """Asserts that another process cannot save there now."""
    with (folder / ".lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.filterwarnings("ignore:.*is no longer needed, but could not be removed")
@SCENARIOS
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE], ids=errno.errorcode.get)
def test_whatever_fails_the_old_checkpoint_is_intact_or_the_new_one_is_there(tmp_path, scenario, number):
    files.prepare(scenario, tmp_path / "prepared")
    failing, new = 0, files.SCENARIOS[scenario][1][0]
    while True:
        folder = tmp_path / str(failing)
        if (tmp_path / "prepared").is_dir():
            shutil.copytree(tmp_path / "prepared", folder)
        operations = files.Operations()

        def act(operation, path, operations=operations, failing=failing):
            if len(operations.seen) == failing + 1:
                raise OSError(number, os.strerror(number))

        operations._act = act
        checkpoints = files.checkpoints(folder)
        refused = ""
        with operations.watched():
            try:
                checkpoints.save(*files.content(new), step=files.SCENARIOS[scenario][1][1])
            except StageError as error:
                refused = str(error)
        if not refused:
            assert_locked(folder)
        checkpoints.release()
        if len(operations.seen) <= failing:
            break
        told = refused or " ".join(checkpoints.notes)
        # A checkpoint of a later step that could not be removed, as the notes say, is still the newest.
        may_be_old = refused or (told and scenario == "an earlier step")
        assert files.found(folder) in ({BEFORE[scenario], new} if may_be_old else {new})
        # The folder exists already, so a failing mkdir does no harm. A library may also continue without one of its
        # operations, as filelock does without a trial file: the checks above show whether that was right.
        is_ours = operations.callers[failing] == "kerasvision" and operations.seen[failing] != ("mkdir", folder)
        if is_ours or told:
            assert os.strerror(number) in told, operations.seen[failing]
            assert str(folder) in told
        # With free space again, the next save succeeds as if nothing had happened.
        with files.Operations().watched():
            files.save(scenario, folder)
        assert files.found(folder) == new
        assert not [path.name for path in folder.iterdir() if path.suffix in (".tmp", ".old")]
        failing += 1
    assert failing > 15


def test_a_name_is_given_only_to_what_is_flushed_and_the_old_goes_last(tmp_path):
    files.prepare("one more", tmp_path)
    with files.Operations().watched() as operations:
        files.save("one more", tmp_path)
    seen = [(operation, path.name) for operation, path in operations.seen]
    named = seen.index(("rename", "step-00000030.tmp"))
    for name in ("variables.bin", "state.json", "manifest.json"):
        last_write = max(n for n, (operation, path) in enumerate(seen) if operation.startswith("write") and path == name)
        assert last_write < seen.index(("fsync", name)) < named
    assert seen.index(("fsync", "manifest.json")) < seen.index(("fsync", "step-00000030.tmp")) < named
    assert seen[named + 1 : named + 3] == [("open", tmp_path.name), ("fsync", tmp_path.name)]
    assert named < seen.index(("rename", "step-00000010"))


@pytest.mark.parametrize(("limit", "told"), [("RLIMIT_FSIZE", "File too large"), ("RLIMIT_NOFILE", "Too many open files")])
def test_limits_of_the_system_leave_the_old_checkpoint(tmp_path, limit, told, warm):
    files.prepare("one more", tmp_path)
    code = f"""
import importlib.util, resource, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("files", {str(SCRIPT)!r})
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
made = files.checkpoints(Path(sys.argv[1]))
made.claim()
resource.setrlimit(resource.{limit}, (3, 3) if "NOFILE" in {limit!r} else (1000, 1000))
try:
    made.save(*files.content(3), step=30)
except files.Checkpoints.__init__.__globals__["StageError"] as error:
    print(error)
"""
    done = warm.run(code, tmp_path, timeout_seconds=60, with_kerasvision=True)
    assert done.returncode == 0, done.stderr
    assert f"the checkpoint of step 30 could not be saved in {tmp_path}: {told}." in done.stdout
    assert files.found(tmp_path) == 2
