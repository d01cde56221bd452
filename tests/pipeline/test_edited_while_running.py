"""Code that is edited while a run goes on: what old code made is never reused for the new code, nor the other way round."""

import importlib
import sys

import pytest

from kerasvision.errors import StageError
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import load_pipeline

PIPELINE_FILE = """
from kerasvision import config as c
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(
    name="edited", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
    model=c.Model(name="lenet5"),
)


def pipeline(experiment):
    made = Pipeline(experiment.name)
    examples = made.add("first_{name}:first").examples
    for name in ("second", "third"):
        made.add("others_{name}:write_number", name=name, examples=examples)
    return made
"""
# It edits the code of the others, if there is a new text for it.
FIRST = """
from pathlib import Path

from kerasvision.pipeline.artifacts import Examples, Out

FOLDER = Path(__file__).parent


def first(examples: Out[Examples]) -> None:
    if (FOLDER / "new.txt").exists():
        (FOLDER / "new.txt").rename(FOLDER / "others_{name}.py")
    (examples.uri / "done.txt").write_text("done")
"""
OTHERS = """
from kerasvision.pipeline.artifacts import Examples, Model, Out


def write_number(examples: Examples, model: Out[Model]) -> None:
    (model.uri / "number.txt").write_text("{number}")
"""


@pytest.fixture
def project(tmp_path, monkeypatch, request):
    """`project(now, later, workers)` runs the pipeline; returns what both later stages wrote.

    They write the number `now`; None leaves their code as it is. If there is a number `later`, the first stage edits it.
    """
    name = len(request.node.name)  # modules of the two tests must not have the same name
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "edited.py").write_text(PIPELINE_FILE.format(name=name))
    (tmp_path / f"first_{name}.py").write_text(FIRST.format(name=name))

    def numbers(now=None, *, later=None, workers=1):
        if now is not None:
            (tmp_path / f"others_{name}.py").write_text(OTHERS.format(number=now))
        if later is not None:
            (tmp_path / "new.txt").write_text(OTHERS.format(number=later))
        sys.modules.pop(f"others_{name}", None)
        importlib.invalidate_caches()
        result = run(load_pipeline(tmp_path / "edited.py"), root=tmp_path, workers=workers)
        return [(result.artifact(name, "model").uri / "number.txt").read_text() for name in ("second", "third")]

    return numbers


def test_stages_of_one_process_run_and_record_the_code_with_which_the_run_began(project):
    assert project(1, later=2) == ["1", "1"]
    assert project() == ["2", "2"]
    assert project(1) == ["1", "1"]


def test_stages_in_processes_of_their_own_run_the_code_with_which_the_run_began_or_none(project):
    try:
        assert project(1, later=2, workers=2) == ["1", "1"]
    except StageError as error:
        assert "changed" in str(error)
    assert project() == ["2", "2"]
    assert project(1) == ["1", "1"]
