"""Graphs are checked while they are built."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError, GraphError
from kerasvision.pipeline.artifacts import Examples, ExampleStatistics, Model, Out
from kerasvision.pipeline.graph import Pipeline, Signature
from kerasvision.pipeline.standard import standard_pipeline


def make(examples: Out[Examples]) -> None: ...
def measure(examples: Examples, statistics: Out[ExampleStatistics], model: Model | None = None) -> None: ...
def wrong(count: int) -> None: ...


@pytest.fixture
def made():
    pipeline = Pipeline("test")
    return pipeline, pipeline.add(make)


def test_signature_is_read_from_the_function():
    assert Signature.of(measure) == Signature(
        inputs={"examples": Examples, "model": Model},
        optional=frozenset({"model"}),
        outputs={"statistics": ExampleStatistics},
        settings=None,
        places=frozenset(),
    )


def test_parameter_of_another_type_is_refused():
    with pytest.raises(GraphError, match=r"wrong\(count\) must be an artifact"):
        Signature.of(wrong)


def test_channel_of_another_type_is_refused(made):
    pipeline, source = made
    statistics = pipeline.add(measure, examples=source.examples)
    with pytest.raises(GraphError, match=r"again\(examples=...\) expects Examples; measure.statistics is ExampleStatistics"):
        pipeline.add(measure, name="again", examples=statistics.statistics)


def test_missing_input_is_refused(made):
    with pytest.raises(GraphError, match=r"measure requires examples=..., of type Examples"):
        made[0].add(measure)


def test_unknown_input_is_refused_with_the_closest_name(made):
    with pytest.raises(GraphError, match="measure has no input 'exampels'; did you mean 'examples'"):
        made[0].add(measure, examples=made[1].examples, exampels=made[1].examples)


def test_unknown_output_is_refused_with_the_closest_name(made):
    with pytest.raises(GraphError, match="make has no output 'example'; did you mean 'examples'"):
        made[1].example  # noqa: B018


@pytest.mark.parametrize("name", ["../up", "a/b", "", "Trainer", "nul\0"])
def test_name_that_is_no_folder_name_is_refused(made, name):
    with pytest.raises(GraphError, match="and is not a path; received"):
        Pipeline(name)
    if name:  # without a name, the function's name is used
        with pytest.raises(GraphError, match="and is not a path; received"):
            made[0].add(measure, name=name, examples=made[1].examples)


def test_name_taken_twice_is_refused(made):
    with pytest.raises(GraphError, match="must have different names; 'make'"):
        made[0].add(make)


def test_output_of_another_pipeline_is_refused(made):
    with pytest.raises(GraphError, match="'make' was not added to this pipeline"):
        Pipeline("other").add(measure, examples=made[1].examples)


def test_something_that_is_no_output_is_refused(made):
    with pytest.raises(GraphError, match=r"must be a node's output, such as trainer\.model; received 'examples'"):
        made[0].add(measure, examples="examples")


def test_settings_of_another_type_are_refused():
    with pytest.raises(GraphError, match="example_gen requires settings of type ExampleGenSettings"):
        Pipeline("test").add("example_gen", settings=c.Splits())


def test_settings_for_a_stage_without_are_refused(made):
    with pytest.raises(GraphError, match="measure takes no settings"):
        made[0].add(measure, examples=made[1].examples, settings=c.Splits())


def experiment(**fields):
    return c.Experiment(
        name="test",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        **fields,
    )


def test_standard_graph_has_tfx_stages_in_tfx_order():
    assert list(standard_pipeline(experiment()).nodes) == [
        "example_gen",
        "statistics_gen",
        "schema_gen",
        "example_validator",
        "transform",
        "trainer",
        "exporter",
        "simple_models",
        "evaluator",
        "infra_validator",
        "pusher",
    ]


def test_tuner_is_there_only_with_a_search_space():
    search = c.Search(space={"training.optimizer.learning_rate": c.LogUniform(0.01, 0.5)})
    nodes = standard_pipeline(experiment(search=search)).nodes
    assert list(nodes)[5:7] == ["tuner", "trainer"]
    assert nodes["trainer"].inputs["hyperparameters"].producer == "tuner"


def test_baseline_is_looked_up_only_where_a_rule_compares():
    assert "baseline_saved_model" not in standard_pipeline(experiment()).nodes["evaluator"].inputs
    gate = c.Gate(c.NoWorse("accuracy"))
    assert "baseline_saved_model" in standard_pipeline(experiment(gate=gate)).nodes["evaluator"].inputs


def test_a_rule_on_speed_puts_the_proof_before_the_evaluator():
    nodes = standard_pipeline(experiment(gate=c.Gate(c.AtMost("latency_p99_ms", 100)))).nodes
    assert list(nodes).index("infra_validator") < list(nodes).index("evaluator")
    assert nodes["evaluator"].inputs["infra_blessing"].producer == "infra_validator"


def test_the_baseline_is_another_saved_model_than_the_one_just_exported():
    evaluator = standard_pipeline(experiment(gate=c.Gate(c.NoWorse("accuracy")))).nodes["evaluator"]
    # The store treats the first SavedModel that an evaluator read as the one that it judged.
    assert [key for key in evaluator.inputs if "saved_model" in key] == ["saved_model", "baseline_saved_model"]
    assert evaluator.inputs["baseline_saved_model"].other_than == evaluator.inputs["saved_model"]


def test_a_format_whose_package_is_missing_is_told_before_anything_runs(monkeypatch):
    import importlib.util

    from kerasvision.pipeline.checks import check_pipeline

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    check_pipeline(standard_pipeline(experiment()))
    with pytest.raises(ConfigError, match=r"exporter .* requires the package tf2onnx, .* pip install -e '.*\[formats\]'"):
        check_pipeline(standard_pipeline(experiment(export=c.Export(formats=("onnx",)))))


class TheSameFile(c.Onnx):
    """A user's own format without its own file name."""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"export": {"formats": ["onnx", "onnx"]}}, "formats must name each format once; received onnx more than once"),
        ({"export": {"formats": ["onnxx"]}}, "no format is named 'onnxx'; did you mean 'onnx'?"),
        (
            {"export": {"formats": [c.Onnx(), TheSameFile()]}},
            "must write a file of its own; received 'Format-ONNX/model.onnx'",
        ),
        ({"export": {"test_time": ["flip", "flip"]}}, "test_time must name each entry once; received 'flip' more than once"),
        (
            {"export": {"test_time": ["flip"]}, "evaluation": {"test_time": ["shift"]}},
            "with export.test_time it uses views already.*Leave evaluation.test_time out",
        ),
        ({"export": {"temperature": True}, "splits": {"validation": 0}}, "fitted on the validation split"),
    ],
)
def test_an_export_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        experiment(**fields)
