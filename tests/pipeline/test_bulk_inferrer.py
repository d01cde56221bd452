"""The bulk inferrer predicts with a blessed model only."""

import json
import runpy
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.config.stages import BulkInferrerSettings, stage_settings
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.artifacts import InferenceResult, ModelBlessing, Out, SavedModel
from kerasvision.pipeline.checks import check_pipeline
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run
from kerasvision.pipeline.stages.bulk_inferrer import bulk_inferrer
from kerasvision.pipeline.standard import standard_pipeline

BRIGHTNESS = Path(__file__).parent.parent / "export" / "brightness.py"


def make_model(saved_model: Out[SavedModel], blessing: Out[ModelBlessing]) -> None:
    """Writes what a trainer, an exporter and an evaluator would write."""
    runpy.run_path(str(BRIGHTNESS))["saved"](saved_model.saved_model)
    blessing.properties.update(blessed=1)


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for value in (0, 255):
        Image.new("RGB", (5, 4), (value, value, value)).save(tmp_path / "photos" / f"{value}.png")
    (tmp_path / "photos" / "none.png").write_text("hello")
    return tmp_path / "photos"


def experiment(**fields):
    return c.Experiment(
        name="photos",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        **fields,
    )


def inferred(brightness, photos, tmp_path, **blessing):
    saved_model = SavedModel(tmp_path / "saved")
    brightness.saved(saved_model.saved_model)
    return answers_of(saved_model, c.Predict(path=photos, top=1), tmp_path, **blessing)


def answers_of(saved_model, predict, tmp_path, **blessing):
    result = InferenceResult(tmp_path / "result")
    result.uri.mkdir()
    settings = BulkInferrerSettings(predict=predict)
    bulk_inferrer(saved_model, ModelBlessing(tmp_path, blessing), result, settings=settings, work=tmp_path / "work")
    return result


def test_a_blessed_model_answers_for_every_image(brightness, photos, tmp_path):
    result = inferred(brightness, photos, tmp_path, blessed=1)
    table = pd.read_parquet(result.predictions)
    assert table["path"].tolist() == ["0.png", "255.png", "none.png"]
    assert table["label"].tolist()[:2] == ['dunkel, "schwarz"', "hell"]
    assert "label_2" not in table
    assert result.properties == {"inferred": 1, "images": 3, "faults": 1}
    named = [{"path": "none.png", "fault": "not an image in a known format"}]
    assert json.loads(result.record.read_text()) == {"inferred": True, "images": 3, "faults": 1, "named": named}
    assert result.front == result.predictions
    assert not (tmp_path / "work" / "parts").exists()


def test_classes_of_pixels_are_also_written_as_maps_and_pictures_and_in_tiles(pixel_classes, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 24), (200, 10, 10)).save(tmp_path / "photos" / "red.png")
    saved_model = SavedModel(tmp_path / "saved")
    shutil.copytree(pixel_classes.saved_model, saved_model.saved_model)
    asked = c.Predict(path=tmp_path / "photos", pictures=True, maps=True, tiles=4)
    result = answers_of(saved_model, asked, tmp_path, blessed=1)
    with Image.open(result.maps / "000001_red.png") as found, Image.open(result.pictures / "000001_red.jpg") as drawn:
        assert found.size == drawn.size == (40, 24)
    assert result.properties == {"inferred": 1, "images": 1, "faults": 0}


@pytest.mark.parametrize("field", [{"maps": True}, {"pictures": True}, {"tiles": 0}, {"each": True}])
def test_what_the_task_does_not_answer_is_refused_when_the_file_is_read(field):
    (name,) = field
    with pytest.raises(ConfigError, match=rf"predict\.{name} requires a task that answers with"):
        experiment(predict=c.Predict(path="photos", **field))


def test_a_model_that_is_not_blessed_is_not_asked(brightness, photos, tmp_path):
    result = inferred(brightness, photos, tmp_path, blessed=0, reason="accuracy >= 0.9 failed")
    assert json.loads(result.record.read_text()) == {"inferred": False, "why": "accuracy >= 0.9 failed"}
    assert result.properties == {"inferred": 0, "reason": "accuracy >= 0.9 failed"}
    assert result.front == result.record


def test_a_row_for_each_found_object_on_request(found_objects, photos, tmp_path):
    """The images have 5 x 4 pixels; the objects are those of tests/export/found_objects.py."""
    saved_model = SavedModel(tmp_path / "saved")
    shutil.copytree(found_objects.saved_model, saved_model.saved_model)
    result = InferenceResult(tmp_path / "result")
    result.uri.mkdir()
    settings = BulkInferrerSettings(predict=c.Predict(path=photos, each=True, least_score=0.5))
    blessing = ModelBlessing(tmp_path, {"blessed": 1})
    bulk_inferrer(saved_model, blessing, result, settings=settings, work=tmp_path / "work")
    table = pd.read_parquet(result.predictions)
    assert table["label"].tolist()[:4] == ["cat", "dog"] * 2
    assert table.loc[0, ["left", "top", "right", "bottom"]].tolist() == [2.5, 1.0, 5.0, 3.0]
    assert table["fault"].tolist() == ["", "", "", "", "not an image in a known format"]


def test_the_stage_is_there_where_the_file_asks_for_it(photos):
    assert "bulk_inferrer" not in standard_pipeline(experiment()).nodes
    node = standard_pipeline(experiment(predict=c.Predict(path=photos))).nodes["bulk_inferrer"]
    assert {key: channel.producer for key, channel in node.inputs.items()} == {
        "saved_model": "exporter",
        "model_blessing": "evaluator",
    }


def test_a_folder_that_is_empty_stops_the_run_before_its_first_stage(tmp_path):
    (tmp_path / "empty").mkdir()
    pipeline = standard_pipeline(experiment(predict=c.Predict(path=tmp_path / "empty")))
    with pytest.raises(DataError, match="empty has no files to predict"):
        check_pipeline(pipeline)


def test_settings_read_back_equal_what_was_written(photos):
    settings = stage_settings(experiment(predict=c.Predict(path=photos)))["bulk_inferrer"]
    assert BulkInferrerSettings.parse(settings.to_data()) == settings


def test_new_images_are_answered_and_nothing_else_runs_anew(photos, tmp_path):
    def happened():
        pipeline = Pipeline("photos")
        made = pipeline.add(make_model)
        pipeline.add(
            "bulk_inferrer",
            saved_model=made.saved_model,
            model_blessing=made.blessing,
            settings=BulkInferrerSettings(predict=c.Predict(path=photos)),
        )
        result = run(pipeline, root=tmp_path)
        table = pd.read_parquet(result.artifact("bulk_inferrer", "inference_result").predictions)
        return [stage.reused for stage in result.stages], len(table)

    assert happened() == ([False, False], 3)
    assert happened() == ([True, True], 3)
    Image.new("RGB", (5, 4)).save(photos / "more.png")
    assert happened() == ([True, False], 4)
