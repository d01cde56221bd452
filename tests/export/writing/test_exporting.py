"""Exports in addition to the SavedModel: a temperature, and other formats with a proof of equal answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.export.writing.formats.writing import compare_numbers, format_complaints, write_formats


@pytest.fixture(scope="module")
def export_to(trained, stripes):
    """Exports the trained network to a folder; returns the content of `export.json`."""

    def exported(folder, **settings):
        files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
        task = TrainerSettings.load(trained.settings).task
        export(files, settings=ExporterSettings(task=task, export=c.Export(**settings)), folder=folder)
        return json.loads((folder / "export.json").read_text())

    return exported


@pytest.fixture(scope="module")
def exported(export_to, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    return folder, export_to(folder, temperature=True, formats=("litert", "litert_int8", c.Onnx(opset=16)))


@pytest.mark.slow
def test_the_temperature_makes_validation_images_no_less_likely(exported):
    temperature = exported[1]["temperature"]
    assert temperature["after"]["log_loss"] <= temperature["before"]["log_loss"]
    assert temperature["after"].keys() == {"log_loss", "expected_calibration_error"}


def test_the_served_scores_are_those_of_the_divided_logits(exported, trained):
    image = next(iter(trained.examples.dataset("test")))["image"]
    logits = trained.network(trained.transform(image)[None]).numpy() / exported[1]["temperature"]["value"]
    served = tf.saved_model.load(str(exported[0] / "Format-Serving")).signatures["serving_default"]
    answer = served(image_bytes=image[None])
    wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(answer["scores"], wanted, atol=1e-6)


def test_a_given_temperature_is_used_and_not_fitted(trained, stripes, tmp_path, monkeypatch):
    task = TrainerSettings.load(trained.settings).task
    settings = ExporterSettings(task=task, export=c.Export(temperature=True))
    given = {"value": 2.5, "before": {"log_loss": 0.7}, "after": {"log_loss": 0.6}}
    (tmp_path / "judged.json").write_text(json.dumps({"temperature": given}))
    monkeypatch.setattr("kerasvision.export.writing.exporting._fit_temperature", lambda *_: pytest.fail("fitted"))
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    export(files, settings=settings, folder=tmp_path, fitted=tmp_path / "judged.json")
    assert json.loads((tmp_path / "export.json").read_text())["temperature"] == given


@pytest.mark.parametrize(("name", "bound"), [("litert", 1e-5), ("litert_int8", 0.1), ("onnx", 1e-5)])
def test_another_format_answers_the_same(name, bound, exported):
    folder, record = exported
    found = record["formats"][name]
    assert (found["examples"], found["passed"]) == (24, True)
    assert found["max_difference"] <= bound
    assert (folder / found["file"]).stat().st_size > 10_000


def test_onnx_is_written_for_the_operators_that_are_asked_for(exported):
    import onnx

    assert onnx.load(exported[0] / "Format-ONNX" / "model.onnx").opset_import[0].version == 16


def test_int8_is_smaller(exported):
    folder, record = exported
    sizes = {name: (folder / one["file"]).stat().st_size for name, one in record["formats"].items()}
    assert sizes["litert_int8"] < 0.5 * sizes["litert"]


def test_a_format_that_answers_otherwise_is_complained_about():
    found = compare_numbers({"scores": np.array([[0.5, np.nan]])}, {"scores": np.array([[0.25, 0.75]])})
    assert found["max_difference"] == np.inf
    failed = {"onnx": {**found, "allowed_difference": 1e-4, "allowed_decisions": 0, "passed": False}}
    assert format_complaints(failed) == ["onnx: numbers differ by up to inf (allowed: 0.0001)"]


def test_other_rows_of_a_set_are_complained_about_and_another_order_is_not():
    corners = np.array([[[0, 0, 1, 1], [0, 0, 0.5, 0.5]]] * 2)
    wanted = {"corners": corners, "scores": np.array([[0.75, 0.5]] * 2), "count": np.array([2, 2])}
    swapped = {**wanted, "corners": corners[:, ::-1], "scores": wanted["scores"][:, ::-1]}
    sets = {"corners": ("scores",)}
    found = compare_numbers(swapped, wanted, sets=sets)
    assert (found["max_difference"], found["other_decisions"], found["same_answers"]) == (0.0, 0, 1.0)
    fewer = {name: rows.copy() for name, rows in wanted.items()}
    fewer["corners"][1, 1], fewer["scores"][1, 1], fewer["count"][1] = 0, 0, 1
    found = compare_numbers(fewer, wanted, sets=sets)
    assert (found["max_difference"], found["other_decisions"], found["same_answers"]) == (0.0, 1, 0.5)
    failed = {"onnx": {**found, "allowed_difference": 1e-4, "allowed_decisions": 0, "passed": False}}
    assert format_complaints(failed) == ["onnx: other whole numbers or rows in 1 of 2 images"]


@pytest.fixture
def formats_to(trained):
    """Writes formats of the trained network to a folder, without the SavedModel again; returns their proofs."""

    def written(folder, asked):
        return write_formats(
            c.Export(formats=(asked,)).formats,
            predict=trained.task.predictor(trained.network),
            sets=trained.task.sets(),
            transform=trained.transform,
            examples=trained.examples,
            saved_model=trained.saved_model,
            folder=folder,
        )

    return written


@pytest.fixture
def own_formats(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.mark.slow
def test_a_format_of_a_user_is_written_and_proven_like_the_others(own_formats, export_to, tmp_path):
    (proof,) = export_to(tmp_path, formats=("frozen_format:FrozenGraph",))["formats"].items()
    kind, found = proof
    assert (kind, found["file"]) == ("frozen_format:FrozenGraph", "Format-Frozen/graph.pb")
    assert (found["examples"], found["passed"], found["same_answers"]) == (24, True, 1.0)
    assert found["max_difference"] <= 1e-5
    assert (tmp_path / "Format-Frozen" / "graph.pb").stat().st_size > 10_000


def test_a_format_of_a_user_that_answers_otherwise_is_complained_about(own_formats, formats_to, tmp_path):
    asked = {"kind": "frozen_format:FrozenGraph", "brighter": 40.0}
    found = formats_to(tmp_path, asked)
    assert found["frozen_format:FrozenGraph"]["max_difference"] > 1e-4
    (complaint,) = format_complaints(found)
    assert complaint.startswith("frozen_format:FrozenGraph: numbers differ by up to")
    lenient = formats_to(tmp_path / "again", {**asked, "max_difference": 1.0})
    assert format_complaints(lenient) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "frozen_format:Forgetful",
            r"must write Format-Forgetful/model; there is no such file after `write`. Cor",
        ),
        (
            {"kind": "frozen_format:Silent", "output": "other"},
            r"answer with an output scores .*; received {.other.: \(24, 1\)}. Cor",
        ),
        (
            {"kind": "frozen_format:Silent", "output": "scores"},
            r"an output scores of shape \(24, 3\); received {.scores.: \(24, 1\)}",
        ),
    ],
)
def test_a_format_of_a_user_that_breaks_its_contract_is_refused(asked, message, own_formats, formats_to, tmp_path):
    with pytest.raises(ExportError, match=message):
        formats_to(tmp_path, asked)


def test_a_converter_that_lacks_a_method_is_refused(own_formats, formats_to, tmp_path):
    with pytest.raises(ConfigError, match=r"MuteConverter must have the methods write and load, .* without load"):
        formats_to(tmp_path, "frozen_format:Mute")


def test_code_and_packages_of_a_chosen_format_count(own_formats):
    settings = ExporterSettings(task=c.Classification(), export=c.Export(formats=("frozen_format:FrozenGraph", "litert")))
    code = settings.code_paths()
    assert {"frozen_format:FrozenGraph", "frozen_format:FrozenGraphConverter"} <= code
    assert "kerasvision.export.writing.formats.litert:LiteRtConverter" in code
    assert not any("onnx" in path for path in code)
    assert settings.packages() == {"ai_edge_litert"}


def test_nothing_else_is_written_unless_it_is_asked_for(trained):
    record = json.loads(trained.record.read_text())
    assert (record["temperature"], record["formats"]) == (None, {})
    assert not list(trained.record.parent.glob("Format-[LO]*"))


def test_a_temperature_without_validation_images_is_refused(trained, stripes, tmp_path, monkeypatch):
    from kerasvision.data.examples import ExampleSet

    monkeypatch.setattr(ExampleSet, "count", lambda self, split: 0)
    settings = ExporterSettings(task=c.Classification(), export=c.Export(temperature=True))
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    with pytest.raises(ConfigError, match="fitted on the validation split, which is empty"):
        export(files, settings=settings, folder=tmp_path)
