"""The graph of a cross-validation: a chain of stages per fold, and the main chain stays what it is without folds."""

from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.config.overrides import with_overrides
from kerasvision.errors import ConfigError
from kerasvision.pipeline.artifacts import CrossValidation
from kerasvision.pipeline.headline import headline
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord
from kerasvision.pipeline.standard import standard_pipeline


def experiment(*, folds=None, final=None, **splits):
    return c.Experiment(
        name="test",
        source=c.Digits(),
        splits=c.Splits(folds=folds, **splits),
        transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        training=c.Training(final=final),
    )


CHAIN = ["example_gen", "transform", "trainer", "exporter", "evaluator"]


@pytest.mark.parametrize("final", [None, "all"])
def test_folds_add_their_chains_before_the_main_one_and_are_joined_after_it(final):
    without, nodes = (standard_pipeline(experiment(folds=folds, final=final)).nodes for folds in (None, 3))
    chains = [f"{stage}_fold_{fold}" for fold in (2, 3) for stage in CHAIN]
    joins = [f"cross_validation_fold_{fold}" for fold in (1, 2, 3)]
    assert [name for name in nodes if name not in chains + joins] == list(without)
    order = list(nodes)
    # The newest model and evaluation of a run are those of the main chain.
    assert order[order.index("transform") - len(chains) : order.index("transform")] == chains
    assert order.index("evaluator") < order.index(joins[0])
    assert nodes["pusher"].inputs["cross_validation"].producer == joins[-1]
    others = [name for name in without if name not in ("example_gen", "pusher")]
    assert [nodes[name].settings for name in others] == [without[name].settings for name in others]
    assert [nodes[name].inputs for name in others] == [without[name].inputs for name in others]


def test_each_fold_reads_its_own_examples_and_adds_to_the_folds_before():
    nodes = standard_pipeline(experiment(folds=3)).nodes
    assert [nodes[name].settings.fold for name in ("example_gen", "example_gen_fold_2", "example_gen_fold_3")] == [1, 2, 3]
    for stage in CHAIN[1:]:
        inputs = nodes[f"{stage}_fold_2"].inputs
        assert inputs["examples"].producer == "example_gen_fold_2"
        assert inputs["schema"].producer == "schema_gen"
    evaluated = [nodes[f"cross_validation_fold_{fold}"].inputs["evaluation"].producer for fold in (1, 2, 3)]
    assert evaluated == ["evaluator", "evaluator_fold_2", "evaluator_fold_3"]
    assert nodes["cross_validation_fold_3"].inputs["before"].producer == "cross_validation_fold_2"
    assert "before" not in nodes["cross_validation_fold_1"].inputs


def test_settings_without_folds_have_the_data_that_they_had():
    assert "folds" not in c.Splits().to_data()
    assert c.Splits.parse(c.Splits(folds=4).to_data()) == c.Splits(folds=4)
    assert "fold" not in standard_pipeline(experiment()).nodes["example_gen"].settings.to_data()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("splits.folds=1", "greater than or equal to 2"),
        ("splits.folds=2", "two folds leave no images to train on"),
        ('search={"space": {"training.batch_size": {"kind": "choice", "values": [16, 32]}}}', "a search with splits.folds"),
    ],
)
def test_what_does_not_go_with_folds_is_rejected_when_the_file_is_read(change, message):
    with pytest.raises(ConfigError, match=message):
        with_overrides(experiment(folds=3), [change])
    assert with_overrides(experiment(folds=3), ["splits.folds=2", "splits.validation=0"]).splits.folds == 2


def made(kind, number, **properties):
    artifact = ArtifactRecord(number, kind, Path(f"runs/{number}"), 2, "", properties)
    return ExecutionRecord(number, f"stage_{number}", 3, "ran", 0, 1.0, "", outputs={"made": artifact})


def test_score_of_a_run_is_the_mean_over_its_folds():
    evaluation = made("ModelEvaluation", 1, headline="accuracy", split="test", accuracy=0.9)
    known = {"headline": "accuracy", "mean": 0.8, "deviation": 0.05}
    joined = [made(CrossValidation.TYPE_NAME, fold, folds=fold, **known) for fold in (2, 3)]
    assert str(headline([evaluation])) == "accuracy 0.9000 on test"
    assert str(headline([evaluation, *joined])) == "accuracy 0.8000 +- 0.0500 over 3 folds"
