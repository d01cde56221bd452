"""The report shows what the store knows about a run with any outcome; a reused run does not write one."""

import subprocess
import sys
from pathlib import Path

import pytest

from kerasvision.errors import ConfigError, StageError
from kerasvision.pipeline.artifacts import Examples, ModelBlessing, Out
from kerasvision.pipeline.local import run
from kerasvision.pipeline.report import is_worth_a_report, report_run, run_facts
from kerasvision.pipeline.store import opened


def bless(examples: Examples, blessing: Out[ModelBlessing]) -> None:
    blessing.verdict.write_text('{"verdict": "BLESSED", "reason": "it may", "rules": []}')
    blessing.properties.update(blessed=1, verdict="BLESSED", reason="it may")


def fail(examples: Examples, blessing: Out[ModelBlessing]) -> None:
    raise ValueError("<b>broken</b>")


def with_stage(toy, number, function):
    made = toy.pipeline(number)
    made.add(function, examples=made.nodes["read"].examples)
    return made


def facts_of(root, run_id="latest"):
    with opened(root / "runs", read_only=True) as store:
        return run_facts(run_id, store)


def test_it_says_what_ran_and_what_was_reused_and_what_that_took(toy, number, tmp_path):
    first = run(toy.pipeline(number, 2), root=tmp_path)
    run(toy.pipeline(number, 3), root=tmp_path)
    facts = facts_of(tmp_path)
    read, multiply = facts.stages
    assert (read.name, read.state, multiply.name, multiply.state) == ("read", "reused", "multiply", "ran")
    (former, _) = facts_of(tmp_path, first.id).stages
    assert read.made_by == former.execution != read.execution
    assert read.seconds == former.seconds > 0
    assert multiply.settings == {"factor": 3}
    assert multiply.inputs["examples"] == read.outputs["examples"]
    assert multiply.outputs["model"].properties == {"product": 3}
    assert len(multiply.outputs["model"].digest) == 64


def test_a_run_without_anything_to_judge_is_reported_on_request_alone(toy, number, tmp_path):
    result = run(toy.pipeline(number), root=tmp_path)
    assert not is_worth_a_report(result)
    file = report_run(result.id, root=tmp_path)
    assert file == tmp_path / "runs" / "reports" / f"{result.id}.html"
    assert "multiply" in file.read_text()


def test_a_run_that_judged_is_worth_a_report_and_one_that_reused_that_is_not(toy, number, tmp_path):
    pipeline = with_stage(toy, number, bless)
    assert is_worth_a_report(run(pipeline, root=tmp_path))
    assert not is_worth_a_report(run(pipeline, root=tmp_path))
    assert "BLESSED" in report_run(root=tmp_path, file=tmp_path / "report.html").read_text()


def test_a_run_that_failed_says_where_and_why(toy, number, tmp_path):
    with pytest.raises(StageError):
        run(with_stage(toy, number, fail), root=tmp_path)
    text = report_run(root=tmp_path).read_text()
    assert "&lt;b&gt;broken&lt;/b&gt;" in text
    assert "1 failed" in text


def test_no_such_run_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no pipeline has run here"):
        report_run(root=tmp_path)


def test_a_report_that_cannot_be_written_is_told_and_fails_nothing(toy, number, tmp_path, capsys):
    from kerasvision.cli.report import tell_report

    result = run(with_stage(toy, number, bless), root=tmp_path)
    (tmp_path / "runs" / "reports").write_text("in the way")
    tell_report(result, tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{result.id}.html cannot be written: File exists. Write the report elsewhere: " in captured.err
    assert f"`kerasvision report {result.id} --out FILE`" in captured.err


def test_the_command_imports_neither_tensorflow_nor_pandas(toy, number, tmp_path):
    run(with_stage(toy, number, bless), root=tmp_path)
    code = (
        "import sys; sys.argv = ['kerasvision', 'report', '--root', sys.argv[1], '--out', sys.argv[2]]\n"
        "from kerasvision.cli import main\n"
        "try: main()\n"
        "except SystemExit as exit: assert not exit.code, exit.code\n"
        "assert not {'tensorflow', 'keras', 'pandas', 'numpy'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, tmp_path, tmp_path / "page.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "page.html\n"
    assert Path(tmp_path / "page.html").stat().st_size > 1_000
