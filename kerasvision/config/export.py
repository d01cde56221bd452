"""What is made of a trained network: the SavedModel, and files of other formats that users' own converters may add to.

>>> Export(formats=("onnx", LiteRtInt8(calibration_images=64))).formats
(Onnx(max_difference=0.0001, opset=18), LiteRtInt8(max_difference=0.15, calibration_images=64))
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from pydantic import Field, field_validator

from kerasvision.config.base import Component, Config
from kerasvision.errors import ConfigError

# Where the SavedModel lies in the artifact; no format writes there.
SAVED_MODEL_FOLDER = "Format-Serving"


class Format(Component):
    """Base of the formats besides the SavedModel. All are proven alike: on images of the test split, against the network.

    `implementation` is a class that follows `kerasvision.export.writing.formats.converter.Converter`. `packages` names
    the packages that it needs beyond the core.
    """

    # Where its file lies in the folder of the SavedModel artifact; it may have more files next to that one.
    file: ClassVar[str] = ""

    max_difference: float = Field(
        default=1e-4, gt=0, description="largest difference of a number from the trained network's that is allowed"
    )


class LiteRt(Format):
    """LiteRT (formerly TensorFlow Lite) in float32: phones and small computers."""

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.litert:LiteRtConverter"
    file: ClassVar[str] = "Format-LiteRT/model.tflite"

    def packages(self) -> frozenset[str]:
        """The runtime that asks it; TensorFlow itself writes it."""
        return super().packages() | {"ai_edge_litert"}


class LiteRtInt8(Format):
    """LiteRT in whole numbers of 8 bits: a quarter of the size. Scales are chosen on images of the train split.

    Rounding moves scores: LeNet-5's by 0.003.
    """

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.litert:LiteRtInt8Converter"
    file: ClassVar[str] = "Format-LiteRT/model_int8.tflite"

    max_difference: float = Field(
        default=0.15, gt=0, description="largest difference of a number from the trained network's that is allowed"
    )
    calibration_images: int = Field(default=128, ge=1, description="how many training images choose the scales")

    def packages(self) -> frozenset[str]:
        """The runtime that asks it; TensorFlow itself writes it."""
        return super().packages() | {"ai_edge_litert"}


class Onnx(Format):
    """ONNX: runtimes other than TensorFlow's."""

    implementation: ClassVar[str] = "kerasvision.export.writing.formats.onnx:OnnxConverter"
    file: ClassVar[str] = "Format-ONNX/model.onnx"

    opset: int = Field(default=18, ge=14, le=18, description="version of ONNX' operators; an old runtime knows no new ones")

    def packages(self) -> frozenset[str]:
        """What writes it, and the runtime that asks it."""
        return super().packages() | {"onnx", "onnxruntime", "tf2onnx"}


class Export(Config):
    """What is made of a trained network besides the SavedModel, and how sure of itself it may be.

    The other formats take decoded images, float32 in [0, 255], and give the scores. Those of kerasvision need the extra
    `formats`; a format of your own is a subclass of `Format`, named by its path, `"module:name"`.
    """

    temperature: bool = Field(
        default=False,
        description="divide the network's outputs by the number that makes the validation images likeliest, so that a score "
        "of 0.9 is right nine times in ten",
    )
    max_pixels: int = Field(
        default=100_000_000, ge=1, description="the served model refuses larger images by their header, undecoded"
    )
    formats: tuple[Format, ...] = Field(
        default=(), description="litert: phones and small computers; litert_int8: the same in whole numbers; onnx"
    )

    @field_validator("formats", mode="after")
    @classmethod
    def _each_has_its_own_file(cls, formats: tuple[Format, ...]) -> tuple[Format, ...]:
        if repeated := _repeated([one.kind for one in formats]):
            raise ValueError(f"each format stands there once; received {repeated} more than once")
        if repeated := _repeated([one.file for one in formats]):
            raise ValueError(f"each format writes a file of its own; received {repeated!r} more than once")
        for one in formats:
            folder, *below = PurePosixPath(one.file).parts or ("",)
            if not below or ".." in below or folder in ("/", "..", SAVED_MODEL_FOLDER):
                raise ConfigError(
                    f"the file of the format {one.kind} must lie in a folder of its own",
                    received=one.file,
                    hint='name it, as in file: ClassVar[str] = "Format-Mine/model.bin"',
                )
        return formats


def _repeated(names: Sequence[str]) -> str:
    return next((name for place, name in enumerate(names) if name in names[:place]), "")
