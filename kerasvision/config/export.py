"""How a trained network is exported: as a SavedModel, and in other formats, which users can add to.

>>> Export(formats=("onnx", LiteRtInt8(calibration_images=64))).formats
(Onnx(max_difference=0.0001, opset=18), LiteRtInt8(max_difference=0.15, calibration_images=64))
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from kerasvision.config.base import Component, Config
from kerasvision.config.evaluation import TEN_CROP, ViewName
from kerasvision.errors import ConfigError

# The folder of the SavedModel in the artifact; no other format may write there.
SAVED_MODEL_FOLDER = "Format-Serving"


class Format(Component):
    """Base class of the export formats other than SavedModel.

    Each is checked in the same way: its answers to images of the test split are compared with the network's.
    `implementation` is a class with the interface of `kerasvision.export.writing.formats.converter.Converter`. `packages`
    names the optional packages that it needs.
    """

    # The path of its file in the folder of the SavedModel artifact; it may have more files next to that one.
    file: ClassVar[str] = ""

    max_difference: float = Field(
        default=1e-4, gt=0, description="largest allowed difference of an output from the trained network's"
    )


class LiteRt(Format):
    """LiteRT (formerly TensorFlow Lite) in float32, for phones and small computers."""

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.litert:LiteRtConverter"
    file: ClassVar[str] = "Format-LiteRT/model.tflite"

    def packages(self) -> frozenset[str]:
        """The runtime that runs it; TensorFlow itself writes it."""
        return super().packages() | {"ai_edge_litert"}


class LiteRtInt8(Format):
    """LiteRT in 8-bit integers: a quarter of the size. Scales are chosen on images of the train split.

    Rounding changes scores: LeNet-5's by 0.003.
    """

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.litert:LiteRtInt8Converter"
    file: ClassVar[str] = "Format-LiteRT/model_int8.tflite"

    max_difference: float = Field(
        default=0.15, gt=0, description="largest allowed difference of an output from the trained network's"
    )
    calibration_images: int = Field(default=128, ge=1, description="how many training images determine the scales")

    def packages(self) -> frozenset[str]:
        """The runtime that runs it; TensorFlow itself writes it."""
        return super().packages() | {"ai_edge_litert"}


class Onnx(Format):
    """ONNX, for runtimes other than TensorFlow's."""

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.onnx:OnnxConverter"
    file: ClassVar[str] = "Format-ONNX/model.onnx"

    opset: int = Field(default=18, ge=14, le=18, description="ONNX operator set version; an old runtime needs a lower one")

    def packages(self) -> frozenset[str]:
        """The packages that write it, and the runtime that runs it."""
        return super().packages() | {"onnx", "onnxruntime", "tf2onnx"}


class OpenVino(Format):
    """OpenVINO in float32, for processors of Intel and others; `kerasvision serve --engine openvino` runs it.

    The file `model.xml` has its weights in `model.bin`.
    """

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.openvino:OpenVinoConverter"
    file: ClassVar[str] = "Format-OpenVINO/model.xml"

    def packages(self) -> frozenset[str]:
        """The package that writes it and runs it."""
        return super().packages() | {"openvino"}


class OpenVinoBfloat16(Format):
    """OpenVINO in bfloat16, for processors that multiply it fast; `kerasvision serve --engine openvino_bfloat16` runs it.

    The file has float32 weights. OpenVINO rounds them when it loads the file, and every map between two layers. Rounding
    changes scores: LeNet-5's by 0.011.
    """

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.openvino:OpenVinoBfloat16Converter"
    file: ClassVar[str] = "Format-OpenVINO/model_bfloat16.xml"

    max_difference: float = Field(
        default=0.02, gt=0, description="largest allowed difference of an output from the trained network's"
    )

    def packages(self) -> frozenset[str]:
        """The package that writes it and runs it."""
        return super().packages() | {"openvino"}


class Export(Config):
    """How the SavedModel answers and is calibrated, and which other formats are written.

    With `precision="bfloat16"` the answers of the SavedModel may differ from the trained network's by 0.01, or by
    `serving.max_difference` if that is more. A label may differ only if the scores of the two labels are at most twice that
    apart, and a tag only if its score is at most that far from its threshold. Otherwise the proof refuses it. The gate
    scores this SavedModel. Other formats stay as they are.

    With `test_time`, the mean of the probabilities over the views is the answer of the SavedModel and of every other format.
    A temperature is fitted on these means. The network's `.keras` file stays as it was trained.

    The other formats take decoded images, float32 in [0, 255], and return the scores. Those of kerasvision require the
    extra `formats`. A format of your own is a subclass of `Format`, named by its path, `"module:name"`.
    """

    temperature: bool = Field(
        default=False,
        description="divide the network's logits by the temperature that fits the validation split best, so that a score of "
        "0.9 is right nine times in ten",
    )
    test_time: tuple[ViewName, ...] = Field(
        default=(),
        description="the saved model answers with the mean over an image and views of it: flip adds its mirror image; shift "
        "adds four views, each moved by a sixteenth of the image; scale adds the image at three quarters of its size, and "
        "its middle at four thirds; ten_crop takes the corners, the centre and their mirror "
        "images of the picture of which transform.crop_fraction keeps the centre, and must be alone. Each view takes as "
        "much work as the image itself",
    )
    precision: Literal["float32", "bfloat16", "auto"] | None = Field(
        default=None,
        description="a network for serving alone: weights become constants, and batch normalisations become part of the "
        "convolutions before them. bfloat16 also rounds inside the network; auto: bfloat16 where the processor multiplies "
        "it fast, else float32. None: the network computes as in training",
    )
    max_pixels: int = Field(
        default=100_000_000, ge=1, description="the saved model rejects images whose header says that they are larger"
    )
    formats: tuple[Format, ...] = Field(
        default=(),
        description="litert: for phones and small computers; litert_int8: the same in 8-bit integers; onnx; openvino and "
        "openvino_bfloat16: also for `kerasvision serve --engine`",
    )

    @field_validator("test_time", mode="after")
    @classmethod
    def _each_view_once(cls, names: tuple[ViewName, ...]) -> tuple[ViewName, ...]:
        if repeated := _repeated(names):
            raise ValueError(f"test_time must name each entry once; received {repeated!r} more than once")
        if TEN_CROP in names and len(names) > 1:
            raise ValueError(f"ten_crop has mirror images and moved views already, so it must be alone; received {names}")
        return names

    @field_validator("formats", mode="after")
    @classmethod
    def _each_has_its_own_file(cls, formats: tuple[Format, ...]) -> tuple[Format, ...]:
        if repeated := _repeated([one.kind for one in formats]):
            raise ValueError(f"formats must name each format once; received {repeated} more than once")
        if repeated := _repeated([one.file for one in formats]):
            raise ValueError(f"each format must write a file of its own; received {repeated!r} more than once")
        for one in formats:
            folder, *below = PurePosixPath(one.file).parts or ("",)
            if not below or ".." in below or folder in ("/", "..", SAVED_MODEL_FOLDER):
                raise ConfigError(
                    f"the file of the format {one.kind} must be in a folder of its own",
                    received=one.file,
                    hint='name it, as in file: ClassVar[str] = "Format-Mine/model.bin"',
                )
        return formats


def _repeated(names: Sequence[str]) -> str:
    return next((name for place, name in enumerate(names) if name in names[:place]), "")
