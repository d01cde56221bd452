"""A SavedModel in another precision: its content, how near its answers are, and by which bound the proof judges it."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.export.proof.parity import compare_outputs
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.tasks.base import make_task


@pytest.fixture(scope="module")
def export_in(trained, stripes, tmp_path_factory):
    """Exports the trained network in a precision: `export_in(precision)` gives the folder and the record."""

    def exported(precision, **settings):
        folder = tmp_path_factory.mktemp("exported")
        task = TrainerSettings.load(trained.settings).task
        files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
        asked = ExporterSettings(task=task, export=c.Export(precision=precision, **settings))
        export(files, settings=asked, folder=folder)
        return folder, json.loads((folder / "export.json").read_text())

    return exported


@pytest.fixture(scope="module")
def rounded(export_in):
    return export_in("bfloat16", test_time=("flip",))


def images(trained):
    return tf.constant([example["image"].numpy() for example in trained.examples.dataset("test")])


def test_in_bfloat16_scores_are_near_and_labels_the_same(rounded, trained, export_in):
    """Over an image and its mirror image: the network that both views call is the rounded one."""
    folder, record = rounded
    assert record["precision"] == "bfloat16"
    asked = images(trained)
    found = tf.saved_model.load(str(folder / "Format-Serving")).signatures["serving_default"](image_bytes=asked)
    exact = tf.saved_model.load(str(export_in(None, test_time=("flip",))[0] / "Format-Serving"))
    wanted = exact.signatures["serving_default"](image_bytes=asked)
    apart = np.abs(found["scores"] - wanted["scores"]).max()
    assert 1e-6 < apart < 0.01
    np.testing.assert_array_equal(found["classes"], wanted["classes"])


def test_auto_is_float32_on_a_processor_without_bfloat16_and_weights_are_part_of_the_graph(export_in, monkeypatch, capsys):
    monkeypatch.setattr("kerasvision.export.writing.exporting.fast_bfloat16", tuple)
    folder, record = export_in("auto")
    assert record["precision"] == "float32"
    variables = tf.train.list_variables(str(folder / "Format-Serving" / "variables" / "variables"))
    assert variables == [("_CHECKPOINTABLE_OBJECT_GRAPH", [])]
    assert "serving in float32: this processor has none of amx_bf16, avx512_bf16" in capsys.readouterr().err


def test_labels_may_differ_where_two_scores_may_change_places_and_nowhere_else():
    task = make_task(c.Classification(top_k=2), ("a", "b", "c"))
    # The gaps between best and second: 0.01 and 0.3.
    wanted = {"scores": np.array([[0.50, 0.49, 0.01], [0.60, 0.30, 0.10]]), "classes": np.array(["a", "a"])}
    received = {"scores": np.array([[0.495, 0.496, 0.009], [0.60, 0.30, 0.10]]), "classes": np.array([b"b", b"a"], object)}
    assert compare_outputs(received, wanted, 0.01, also_right=task.also_right).complaints == []
    assert compare_outputs(received, wanted, 0.01).complaints == ["classes differ in 1 of 2 rows"]
    for labels in (["b", "b"], ["c", "a"], ["d", "a"]):
        other = {**received, "classes": np.array(labels)}
        complaints = compare_outputs(other, wanted, 0.01, also_right=task.also_right).complaints
        assert complaints == ["classes differ in 1 of 2 rows"]
    assert compare_outputs({"scores": wanted["scores"]}, wanted, 0.01, also_right=task.also_right).complaints == [
        "output classes: shape None, expected (2,)"
    ]


def test_only_labels_with_close_scores_may_change_places_among_the_best():
    """A sure model has nearly equal scores after the best: these may follow in any order, and the best label stays."""
    task = make_task(c.Classification(top_k=3), ("a", "b", "c", "d"))
    scores = np.array([[0.97, 0.011, 0.010, 0.009]])
    wanted = {"scores": scores, "top_classes": np.array([["a", "b", "c"]])}

    def complaints(*labels):
        received = {"scores": scores, "top_classes": np.array([labels])}
        return compare_outputs(received, wanted, 0.01, also_right=task.also_right).complaints

    assert complaints("a", "c", "b") == complaints("a", "d", "b") == complaints("a", "b", "c") == []
    for labels in (("b", "a", "c"), ("a", "b", "b"), ("a", "b", "x"), ("d", "c", "b")):
        assert complaints(*labels) == ["top_classes differ in 1 of 1 rows"]


@pytest.mark.slow
def test_the_proof_judges_bfloat16_by_its_own_bound_and_float32_by_that_of_the_settings(export_in, trained, stripes):
    from kerasvision.export.proof.canary import prove_on_canaries

    def certificate(folder):
        return prove_on_canaries(
            model_file=trained.model,
            model_settings=trained.settings,
            saved_model=folder / "Format-Serving",
            record=folder / "export.json",
            examples=stripes.examples,
            schema=stripes.schema,
            transform=stripes.transform,
            settings=c.Serving(canary_examples=32, latency_queries=5),
        )

    rounded, exact = certificate(export_in("bfloat16")[0]), certificate(export_in("float32")[0])
    assert (rounded.blessed, rounded.allowed_difference) == (True, 0.01), rounded.complaints
    assert (exact.blessed, exact.allowed_difference) == (True, 1e-5), exact.complaints
    assert exact.max_difference < 1e-5 < rounded.max_difference
    folder = export_in("bfloat16")[0]
    record = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps({**record, "precision": "float32"}))
    refused = certificate(folder)
    assert not refused.blessed
    assert any("scores differ by up to" in complaint for complaint in refused.complaints)
    shutil.rmtree(folder)
