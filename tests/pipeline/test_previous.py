"""An earlier output of the pipeline as an input: a stage receives it when it executes, but never executes because of it."""

import shutil

import pytest

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.errors import GraphError
from kerasvision.pipeline.artifacts import Examples, Model, ModelBlessing, Out, SavedModel
from kerasvision.pipeline.graph import LatestBlessed, Pipeline, Previous
from kerasvision.pipeline.history import lineage
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.spec import compile_pipeline
from kerasvision.pipeline.standard import standard_pipeline


class Text(Config):
    text: str


def grow(examples: Out[Examples], previous: Examples | None = None, *, settings: Text) -> None:
    """Appends its text to that of the previous execution."""
    before = (previous.uri / "text.txt").read_text() if previous else ""
    (examples.uri / "text.txt").write_text(before + settings.text)


def compare(examples: Examples, model: Out[Model], former: Examples | None = None) -> None:
    texts = [(found.uri / "text.txt").read_text() if found else "nothing" for found in (former, examples)]
    (model.uri / "texts.txt").write_text(" then ".join(texts))


def pipeline(text):
    made = Pipeline("growing")
    examples = made.add(grow, settings=Text(text=text), previous=Previous("grow", "examples")).examples
    made.add(compare, examples=examples, former=Previous("grow", "examples"))
    return made


def texts(result):
    return (result.artifact("compare", "model").uri / "texts.txt").read_text()


def reused(result):
    return [stage.reused for stage in result.stages]


def test_a_stage_reads_what_it_made_before_from_something_else(tmp_path):
    assert texts(run(pipeline("a"), root=tmp_path)) == "nothing then a"
    assert texts(run(pipeline("b"), root=tmp_path)) == "a then ab"
    assert texts(run(pipeline("c"), root=tmp_path)) == "ab then abc"


def test_the_past_is_no_reason_to_run_again(tmp_path):
    for text in "ab":
        run(pipeline(text), root=tmp_path)
    for text in "aba":
        assert reused(run(pipeline(text), root=tmp_path)) == [True, True]
        assert [stage.action for stage in plan(pipeline(text), root=tmp_path)] == ["reuse", "reuse"]


def test_a_forced_stage_does_not_read_what_it_is_about_to_replace(tmp_path):
    run(pipeline("a"), root=tmp_path)
    run(pipeline("b"), root=tmp_path)
    again = run(pipeline("b"), root=tmp_path, force=True)
    assert reused(again) == [False, False]
    assert texts(again) == "a then ab"


def test_a_past_that_was_deleted_is_passed_over(tmp_path):
    first = run(pipeline("a"), root=tmp_path)
    run(pipeline("b"), root=tmp_path)
    shutil.rmtree(first.artifact("grow", "examples").uri)
    assert texts(run(pipeline("c"), root=tmp_path)) == "ab then abc"


def test_lineage_tells_what_the_past_was(tmp_path):
    for text in "ab":
        run(pipeline(text), root=tmp_path)
    (last,) = lineage("latest", root=tmp_path)
    assert last.artifact.type == "Model"
    assert last.inputs["former"].artifact.id == last.inputs["examples"].inputs["previous"].artifact.id


def test_it_is_told_in_the_compiled_pipeline():
    assert '"previous": "previous grow.examples"' in compile_pipeline(pipeline("a"))


@pytest.mark.parametrize(
    ("previous", "message"),
    [
        (Previous("grow", "example"), "grow has no output 'example'; did you mean 'examples'"),
        (Previous("growth", "examples"), "no stage 'growth'; did you mean 'grow'"),
        (Previous("compare", "model"), r"compare\(former=...\) expects Examples; compare.model is Model"),
    ],
)
def test_a_past_that_cannot_be_is_refused(previous, message):
    made = Pipeline("growing")
    examples = made.add(grow, settings=Text(text="a")).examples
    with pytest.raises(GraphError, match=message):
        made.add(compare, examples=examples, former=previous)


# --- The last blessed model


def export(saved_model: Out[SavedModel], *, settings: Text) -> None:
    (saved_model.uri / "text.txt").write_text(settings.text)


def judge(saved_model: SavedModel, blessing: Out[ModelBlessing], baseline: SavedModel | None = None) -> None:
    """Blesses every text but "bad", and writes what it was compared with."""
    text, before = ((found.uri / "text.txt").read_text() if found else "nothing" for found in (saved_model, baseline))
    blessing.properties.update(blessed=int(text != "bad"), verdict="", reason="")
    (blessing.uri / "text.txt").write_text(f"{text} against {before}")


def judged(text, root):
    made = Pipeline("judged")
    model = made.add(export, settings=Text(text=text)).saved_model
    made.add(judge, saved_model=model, baseline=LatestBlessed(other_than=model))
    return (run(made, root=root).artifact("judge", "blessing").uri / "text.txt").read_text()


def test_the_baseline_is_the_last_blessed_model_that_is_another_one(tmp_path):
    first, *later = (judged(text, tmp_path) for text in ("one", "one", "bad", "two", "bad", "one"))
    assert first == "one against nothing"
    assert later == [first, "bad against one", "two against one", "bad against two", "one against two"]


def test_the_evaluator_gets_the_last_blessed_model_if_a_rule_compares_with_it():
    def baseline(*rules):
        experiment = c.Experiment(
            name="compared",
            source=c.Digits(),
            transform=c.Transform(image_size=(32, 32)),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
            gate=c.Gate(c.AtLeast("accuracy", 0.5), *rules),
        )
        return standard_pipeline(experiment).nodes["evaluator"].inputs.get("baseline_saved_model")

    assert baseline() is None
    assert isinstance(baseline(c.NoWorse("accuracy")), LatestBlessed)
