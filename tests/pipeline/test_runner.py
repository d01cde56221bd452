"""The runner of the settings reaches the stages that use it, and no stage runs again because of another one."""

import importlib.util
from typing import ClassVar

import pytest

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.errors import ConfigError
from kerasvision.pipeline.artifacts import Examples, Out
from kerasvision.pipeline.checks import check_pipeline
from kerasvision.pipeline.fingerprint import fingerprint
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run
from kerasvision.pipeline.spec import compile_pipeline
from kerasvision.pipeline.stage_in_folders import run_stage
from kerasvision.pipeline.standard import load_pipeline
from kerasvision.pipeline.store import opened

DIGITS = "pipelines/digits.py"
BEAM = "runner=c.Beam(options=['--runner=FlinkRunner'])"


class Other(c.Runner):
    """A runner of a user, which needs no package."""

    implementation: ClassVar[str] = "nowhere:Mapper"


def note_runner(examples: Out[Examples], *, runner: c.Runner) -> None:
    (examples.uri / "runner.txt").write_text(type(runner).__name__)


def write(examples: Out[Examples]) -> None:
    (examples.uri / "a.txt").write_text("a")


def pipeline(stage, runner):
    made = Pipeline("toy")
    made.add(stage)
    made.runner = runner
    return made


@pytest.mark.parametrize("runner", [Other(), c.Local()])
def test_a_stage_gets_the_runner_of_its_run(runner, tmp_path):
    result = run(pipeline(note_runner, runner), root=tmp_path)
    (artifact,) = result.stages[0].outputs.values()
    assert (artifact.uri / "runner.txt").read_text() == type(runner).__name__


def test_a_stage_in_folders_gets_the_runner_too(tmp_path):
    run_stage(
        pipeline(note_runner, Other()), "note_runner", inputs={}, outputs={"examples": tmp_path / "out"}, root=tmp_path
    )
    assert (tmp_path / "out" / "content" / "runner.txt").read_text() == "Other"


def test_a_run_with_another_runner_reuses_every_result(tmp_path):
    assert [run(pipeline(note_runner, one), root=tmp_path).stages[0].reused for one in (c.Local(), Other())] == [
        False,
        True,
    ]


def test_fingerprints_and_compiled_pipelines_do_not_contain_the_runner(tmp_path):
    plain, other = load_pipeline(DIGITS), load_pipeline(DIGITS, overrides=[BEAM])
    assert other.runner == c.Beam(options=("--runner=FlinkRunner",))
    assert compile_pipeline(plain) == compile_pipeline(other)
    with opened(tmp_path / "runs") as store:
        for name in ("example_gen", "statistics_gen"):
            assert fingerprint(plain.nodes[name], {}, store) == fingerprint(other.nodes[name], {}, store)


def test_a_missing_beam_is_reported_before_the_first_stage_if_a_stage_uses_it(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apache_beam" else find_spec(name))
    with pytest.raises(ConfigError, match=r"runner='beam' requires the package apache_beam, which .*\[beam\]"):
        check_pipeline(load_pipeline(DIGITS, overrides=[BEAM]))
    check_pipeline(pipeline(write, c.Beam()))


@pytest.mark.parametrize("text", ["beam", "c.Beam()", '{"kind": "beam", "options": []}'])
def test_the_runner_is_set_by_its_name_or_as_in_a_file(text):
    assert load_experiment(DIGITS, overrides=[f"runner={text}"]).runner == c.Beam()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("baem", "no runner is named 'baem'; did you mean 'beam'?"),
        ("c.Beam(options=['-x'])", "an option of Beam has the form --name or --name=value; received '-x'"),
        ("c.Local(depends_on=['a'])", "a runner has no result that could be out of date"),
        ("digits", "no runner is named 'digits'; choose from beam, local"),
    ],
)
def test_a_runner_that_does_not_exist_or_with_wrong_options_is_refused(text, message):
    with pytest.raises(ConfigError) as raised:
        load_experiment(DIGITS, overrides=[f"runner={text}"])
    assert message in str(raised.value)
