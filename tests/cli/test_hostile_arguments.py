"""The answer to any arguments is a result, or a message with the right exit code, but never a traceback."""

import errno
import inspect
import os
import re
import sys
import typing
import warnings
from pathlib import Path

import pytest
import typer

import kerasvision.cli
from kerasvision import quiet
from kerasvision.config.base import Config
from kerasvision.pipeline.artifacts import Examples, Out
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run

DIGITS = Path(__file__).parents[2] / "pipelines" / "digits.py"
EXPERIMENT = """from kerasvision import config as c
EXPERIMENT = c.Experiment(
    name="mine", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
    model=c.Model(name="lenet5"),
)
"""


class NoSettings(Config):
    pass


def touch(examples: Out[Examples], *, settings: NoSettings) -> None:
    (examples.uri / "here").touch()


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    """Runs the command line with arguments in this process; returns (exit code, standard output, standard error)."""
    monkeypatch.setattr(quiet, "install", lambda: None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.chdir(tmp_path)

    def answer(*arguments):
        monkeypatch.setattr(sys, "argv", ["kerasvision", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            kerasvision.cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    return answer


@pytest.fixture
def root(tmp_path):
    """A folder with two runs and a space in its name."""
    made = Pipeline("toy")
    made.add(touch, settings=NoSettings())
    for _ in range(2):
        run(made, root=tmp_path / "my work")
    return tmp_path / "my work"


def is_told(answer):
    code, _, error = answer
    assert code in (2, 3, 5, 6), answer
    assert error.strip().endswith((".", "?", "╯")), error
    assert "Traceback" not in error
    return error


# --- Pipeline files with mistakes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = (", "mine.py:1 does not run: SyntaxError: '(' was never closed"),
        ("if 1:\n\tx = 1\n        y = 2", "mine.py:3 does not run: TabError"),
        ("import nothing_of_that_name", "mine.py:1 does not run: ModuleNotFoundError: No module named"),
        ("from kerasvision import nothing", "mine.py:1 does not run: ImportError: cannot import name 'nothing'"),
        ("\nraise KeyError('a')", "mine.py:2 does not run: KeyError: 'a'"),
        ("exit(3)", "does not run: SystemExit: 3."),
        ("class Mine(BaseException): pass\nraise Mine", "mine.py:2 does not run: Mine."),
        ("def f(): return f()\nf()", "does not run: RecursionError"),
        # A ValueError before Python 3.11.4, and a SyntaxError since then.
        (b"x = 1\0", "Error: source code string cannot contain null bytes"),
        (b"x = '\xe9'", "mine.py:1 does not run: SyntaxError: (unicode error)"),
        ("", "must define EXPERIMENT = c.Experiment(...); received None."),
        ("EXPERIMENT = 3", "must define EXPERIMENT = c.Experiment(...); received 3."),
        ("from kerasvision.config import Experiment\nEXPERIMENT = Experiment", "received <class"),
        (EXPERIMENT.replace('name="mine", ', ""), "mine.py:2: Experiment requires name."),
        (EXPERIMENT.replace("lenet5", "lenet6"), "mine.py:4: no model is named 'lenet6'; did you mean 'lenet5'?"),
        (EXPERIMENT + "pipeline = 3", "does not return a pipeline: TypeError: 'int' object is not callable."),
        (
            EXPERIMENT + "def pipeline(experiment): raise KeyError('x')",
            "mine.py:6 does not return a pipeline: KeyError: 'x'.",
        ),
        (EXPERIMENT + "def pipeline(): pass", "does not return a pipeline: TypeError: pipeline() takes 0 positional"),
        (EXPERIMENT + "def pipeline(experiment): pass", "must return a Pipeline; received None."),
    ],
)
def test_mistake_in_a_pipeline_file_names_its_line(ask, tmp_path, content, message):
    file = tmp_path / "mine.py"
    file.write_bytes(content) if isinstance(content, bytes) else file.write_text(content)
    for command in (("run", "mine.py", "--root", "r"), ("plan", "mine.py"), ("compile", file)):
        assert message in " ".join(is_told(ask(*command)).split())
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("command", [["run"], ["plan"], ["compile"], ["tune"], ["push"], ["data", "bench"]], ids=" ".join)
def test_what_is_no_pipeline_file_is_told(ask, tmp_path, command):
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "notes.txt").write_text(EXPERIMENT)
    (tmp_path / "linked.py").symlink_to("nowhere.py")
    folder = "a pipeline is a Python file; folder.py is a folder. It has neither pipeline files nor images."
    assert folder in is_told(ask(*command, "folder.py"))
    assert "the name of a pipeline file must end in .py; received 'notes.txt'." in is_told(ask(*command, "notes.txt"))
    for missing in ("linked.py", "nowhere.py"):
        assert f"there is no pipeline file {missing}" in is_told(ask(*command, missing))


def test_pipeline_file_that_may_not_be_read_is_told(ask, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(EXPERIMENT)

    def forbidden(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    # Root may read everything.
    monkeypatch.setattr("importlib.machinery.SourceFileLoader.get_data", lambda self, path: forbidden(path))
    assert "mine.py cannot be read: Permission denied." in is_told(ask("plan", "mine.py"))


# --- Roots


@pytest.mark.parametrize(
    "command",
    [
        ["runs", "list"],
        ["runs", "show"],
        ["runs", "lineage"],
        ["runs", "why", "trainer"],
        ["report"],
        ["plan", DIGITS],
        ["run", DIGITS],
        ["data", "show", DIGITS],
        ["tune", "--show"],
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_root_that_is_a_file_or_no_text_is_told(ask, tmp_path, command):
    (tmp_path / "file").write_text("")
    assert "Choose another folder with --root." in is_told(ask(*command, "--root", "file"))
    assert "must be UTF-8; received" in is_told(ask(*command, "--root", os.fsdecode(b"\xff")))
    is_told(ask(*command, "--root", "a" * 300))


def test_root_in_which_nothing_ran_says_so(ask, tmp_path):
    for root in ("nowhere", "", tmp_path):
        code, told, _ = ask("runs", "list", "--root", root)
        assert code == 0
        assert f"nothing has run in {tmp_path}" in told
        assert "no pipeline has run here" in is_told(ask("report", "--root", root))
    assert list(tmp_path.iterdir()) == []


def test_beginning_of_several_ids_is_told(ask, root):
    assert "2 runs begin with '2'. `kerasvision runs list` shows" in is_told(ask("runs", "show", "2", "--root", root))
    assert "there is no run ''." in is_told(ask("report", "", "--root", root))


def test_run_list_shows_what_came_of_runs_and_whose_they_are(ask, root):
    made = Pipeline("toy")
    made.add(touch, settings=NoSettings())
    look = run(made, root=root, purpose="data show")
    code, told, _ = ask("runs", "list", "--root", root)
    newest, second, *_ = [line.split() for line in told.splitlines()[1:]]
    assert code == 0
    assert newest[:4] == [look.id, "toy", "data", "show"]
    assert (newest[-3:], second[1], second[-3:]) == (["finished", "1", "reused"], "toy", ["finished", "1", "reused"])
    assert ask("runs", "show", "--root", root)[1].startswith(f"run {second[0]} of toy, ")
    assert re.search(r": finished after \d\.\d s$", ask("runs", "lineage", "--root", root)[1].splitlines()[0])
    assert f"run {look.id} of toy, for `data show`, " in ask("runs", "show", look.id, "--root", root)[1]


# --- Folders that cannot be written


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EROFS, "cannot be written: Read-only file system. Write the report elsewhere: `kerasvision report 20"),
        (errno.EACCES, "cannot be written: Permission denied. Write the report elsewhere"),
        (errno.ENOSPC, "cannot be written: No space left on device. Free some space on that disk."),
    ],
)
def test_report_that_cannot_be_written_is_told_with_the_way_out(ask, root, monkeypatch, tmp_path, number, message):
    write = Path.write_text

    def refuse(path, *arguments, **options):
        if path.is_relative_to(root / "runs" / "reports"):
            raise OSError(number, os.strerror(number), str(path))
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", refuse)
    told = is_told(ask("report", "--root", root))
    assert message in told
    assert f"runs/reports/{ask('runs', 'show', '--root', root)[1].split()[1]}.html cannot" in told
    assert ask("report", "--root", root, "--out", tmp_path / "page.html")[0] == 0
    assert "<h1>toy</h1>" in (tmp_path / "page.html").read_text()


def test_report_replaces_files_alone(ask, root, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is not a regular file. Name a file: --out FILE." in is_told(ask("report", "--root", root, "--out", "pipe"))
    assert (tmp_path / "pipe").is_fifo()
    assert "is a folder. Name a file: --out report.html." in is_told(ask("report", "--root", root, "--out", ""))


def test_whatever_command_meets_a_disk_that_refuses_it_ends_in_words(ask, tmp_path, monkeypatch):
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (60, 50)).save(tmp_path / "photos" / label / f"{number}.png")

    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    told = is_told(ask("new", "pets", "--images", "photos"))
    assert "pipelines/pets.py cannot be written: Read-only file system. Make it writable, or choose another path." in told


def test_folder_that_is_gone_is_told(ask, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "does not exist any more. Change to a folder that exists." in is_told(ask("runs", "list"))


# --- Arguments


ODD = ["", "-1", "0", "9" * 400, "1e400", "nan", "²", "x" * 300, "a/../b", "--", "\n", "[bold]"]
WITH = [
    ["run", DIGITS, "--until"], ["run", DIGITS, "--from"], ["run", DIGITS, "--only"], ["run", DIGITS, "--set"],
    ["run"], ["plan"], ["compile"], ["stage", DIGITS], ["push", DIGITS, "--reason"], ["data", "scan"], ["data", "show"],
    ["data", "bench", "nowhere.py", "--seconds"], ["tune", DIGITS, "--trials"], ["tune", "nowhere.py", "--minutes"],
    ["tune", DIGITS, "--steps"], ["saved", "show"], ["saved", "show", "mine"], ["saved", "rollback", "mine", "--to"],
    ["runs", "show"], ["runs", "lineage"], ["runs", "why"], ["report"], ["doctor", "--steps"], ["doctor", "--overfit"],
    ["doctor", "--distribute"], ["doctor", "--replicas"], ["runs"], [], ["saved"],
]  # fmt: skip


@pytest.mark.parametrize("beginning", WITH, ids=lambda beginning: " ".join(Path(str(word)).name for word in beginning))
def test_odd_argument_is_told(ask, tmp_path, beginning):
    for odd in ODD:
        code, told, error = ask(*beginning, odd)
        assert code in (0, 2, 3, 5, 6), (odd, told, error)
        assert "Traceback" not in error
        assert code == 0 or error.strip(), (odd, told)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("odd", ["nan", "inf", "-1", "0"])
@pytest.mark.parametrize("option", ["--seconds", "--target"])
def test_measure_that_is_no_number_above_0_is_told(ask, option, odd):
    code, _, error = ask("data", "bench", DIGITS, option, odd)
    assert code == 2
    assert "must be above 0; received" in error or "must be a finite number; received" in error


def numbers_of(app, *words):
    """(words of the command, option or "") of every parameter that is a number."""
    for registered in app.registered_commands:
        name = registered.name or registered.callback.__name__.strip("_")
        for field in inspect.signature(registered.callback).parameters.values():
            kinds, declared = [*typing.get_args(field.annotation), None, None][:2]
            if {int, float} & {kinds, *typing.get_args(kinds)}:
                is_option = isinstance(declared, typer.models.OptionInfo)
                yield (*words, name), f"--{field.name.replace('_', '-')}" if is_option else ""
    for group in app.registered_groups:
        yield from numbers_of(group.typer_instance, *words, group.name)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("runs", "list", "--newest", "0"), "0"),
        (("runs", "gc", "--keep", "x"), "x"),
        (("serve", "saved_models", "--port", "70000"), "70000"),
        (("runs", "list", "--newest", "9" * 26), "99999999999999999999... (26 digits)"),
    ],
)
def test_a_rejected_value_is_named_once(ask, words, value):
    _, _, error = ask(*words)
    assert error.rstrip().endswith(f"; received {value}.")
    assert error.count("received") == 1


def test_every_number_of_every_command_is_finite_and_of_a_size_that_a_machine_has(ask):
    found = list(numbers_of(kerasvision.cli.app))
    assert {(("serve",), "--max-body-mib"), (("saved", "show"), ""), (("models", "check"), "--seed")} <= {*found}
    for command, option in found:
        for odd in ("nan", "inf", "9" * 400):
            code, _, error = ask(*command, *([option] if option else ["mine"]), odd)
            assert code == 2, (command, option, odd)
            assert "Invalid value for" in error, (command, option, odd, error)


# TensorFlow waits ten seconds before it says so: findings/tensorflow_cpu_waits_for_memory.sh.
@pytest.mark.parametrize(
    "command",
    [
        ("show", "lenet5", "--image-shape", "99999999,99999999,1"),
        pytest.param(("check", "lenet5", "--image-side", "9999999"), marks=pytest.mark.slow),
    ],
)
def test_network_that_no_memory_holds_is_told(ask, command):
    assert "lenet5 of this size does not fit into the memory of this machine." in is_told(ask("models", *command))


def test_endless_side_is_told(ask):
    endless = ask("models", "show", "lenet5", "--image-shape", "9" * 5000 + ",9,1")
    assert "must have the form height,width,channels" in is_told(endless)


@pytest.mark.parametrize("option", ["--max-body-mib", "--max-megapixels", "--max-delay-ms", "--max-batch-size"])
def test_server_takes_no_limit_that_it_could_not_keep(ask, option):
    for odd in ("1e300", "1000000000"):
        assert ask("serve", "nowhere", option, odd)[0] == 2


@pytest.mark.parametrize("file", ["page.xyz", "folder", ""])
def test_picture_of_a_kind_that_is_not_drawn_is_told_before_anything_runs(ask, tmp_path, file):
    assert "ends in .png, .jpg, .jpeg," in is_told(ask("data", "show", DIGITS, "--augmented", file))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("beginning", [["runs", "list"], ["compile", DIGITS], ["runs", "show", "a"], ["stage", DIGITS, "a"]])
def test_argument_too_many_or_an_unknown_option_is_told(ask, beginning):
    assert ask(*beginning, "more")[0] == 2
    assert "No such option: --nothing" in ask(*beginning, "--nothing")[2]
