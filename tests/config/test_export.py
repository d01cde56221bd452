"""Export formats in a pipeline file: by name, by settings, or a user's own by its path."""

import pytest

from kerasvision import config as c
from kerasvision.config.overrides import with_overrides
from kerasvision.config.stages import stage_settings
from kerasvision.errors import ConfigError


@pytest.mark.parametrize(
    "formats",
    [("onnx",), (c.Onnx(),), [{"kind": "onnx"}], ("kerasvision.config.export:Onnx",)],
)
def test_a_format_is_a_name_or_settings_or_a_path(formats):
    assert c.Export(formats=formats).formats == (c.Onnx(),)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ('formats=["litert_int8"]', (c.LiteRtInt8(),)),
        ("formats=[onnx]", (c.Onnx(),)),  # formats=["onnx"] after a shell
        ("formats=('litert', 'onnx')", (c.LiteRt(), c.Onnx())),
        ("formats=(c.LiteRt(), c.Onnx(opset=16))", (c.LiteRt(), c.Onnx(opset=16))),
    ],
)
def test_formats_are_set_as_they_stand_in_a_pipeline_file(assignment, expected):
    assert with_overrides(c.Export(), [assignment]).formats == expected


def test_a_setting_of_a_format_is_set_by_its_path():
    export = with_overrides(c.Export(formats=("litert", "litert_int8")), ["formats.1.calibration_images=64"])
    assert export.formats == (c.LiteRt(), c.LiteRtInt8(calibration_images=64))


def test_settings_come_back_from_what_was_recorded():
    export = c.Export(formats=("litert", c.Onnx(opset=15, max_difference=0.01)))
    assert c.Export.parse(export.to_data()) == export


@pytest.mark.parametrize("file", ["", "model.bin", "/tmp/model.bin", "../mine/model.bin", "Mine/../x", "Format-Serving/x"])
def test_a_format_whose_file_has_no_folder_of_its_own_is_refused(file):
    class Mine(c.Format):
        implementation = "mine:Converter"

    Mine.file = file
    with pytest.raises(ConfigError, match=r"Mine must be in a folder of its own; received .* Name it, as in file"):
        c.Export(formats=(Mine(),))


def test_a_name_without_a_format_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="no format is named 'onxn'; did you mean 'onnx'?"):
        c.Export(formats=("onxn",))


def test_views_of_the_saved_model_run_only_the_exporter_and_later_stages_again():
    def settings(export):
        return stage_settings(
            c.Experiment(
                name="x",
                source=c.Digits(),
                transform=c.Transform(image_size=(8, 8)),
                task=c.Classification(),
                model=c.Model(name="lenet5"),
                export=export,
            )
        )

    plain, over_views = settings(c.Export()), settings(c.Export(test_time=("flip", "shift")))
    assert [stage for stage in plain if plain[stage] != over_views[stage]] == ["exporter"]
