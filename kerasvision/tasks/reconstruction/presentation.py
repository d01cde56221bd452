"""Shows a restored image: `error 0.0123, PSNR 19.1 dB`, and the image next to what was restored from it."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from kerasvision.errors import ConfigError
from kerasvision.tasks.presentation import NAME, Outputs, Presentation
from kerasvision.tasks.reconstruction.errors import decibels

ANSWER = {NAME: "restored_image"}
ERROR, IMAGE_PNG = "error", "image_png_bytes"


class RestoredImage(Presentation):
    """Answers of a restored image and its mean squared error.

    `image_png_bytes` is a PNG of the size at which the network sees images, `error` float ().

    >>> RestoredImage(ANSWER).line({"error": np.float32(0.01), "image_png_bytes": b""})
    'error 0.01000, PSNR 20.0 dB'
    """

    heading = "error"
    instead = "`kerasvision predict --draw` draws each image next to what was restored from it"
    needs = (IMAGE_PNG, ERROR)
    columns: ClassVar[Mapping[str, type]] = MappingProxyType({"error": float, "psnr": float})
    has_objects = False

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The answer itself.

        Raises:
            ConfigError: a least score is asked for, and an image without classes has no score.
        """
        if least_score:
            raise ConfigError("a restored image has an error and no score, so there is no least score", received=least_score)
        return dict(outputs)

    def line(self, kept: Outputs) -> str:
        """The error, and the same in decibels."""
        return f"error {float(kept[ERROR]):.5f}, PSNR {_decibels(kept):.1f} dB"

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """One row: the error, and the same in decibels."""
        return [{"error": float(kept[ERROR]), "psnr": _decibels(kept)}]

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The upright image, and to its right the restored one, enlarged to its height."""
        restored = Image.open(io.BytesIO(bytes(kept[IMAGE_PNG]))).convert("RGB")
        width = max(1, round(restored.width * image.height / restored.height))
        both = Image.new("RGB", (image.width + width, image.height))
        both.paste(image.convert("RGB"), (0, 0))
        both.paste(restored.resize((width, image.height), Image.Resampling.BICUBIC), (image.width, 0))
        return both

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Raises ConfigError: COCO's results contain objects, and this model finds none."""
        raise ConfigError("COCO's results contain objects; this model answers with a restored image")


def _decibels(kept: Outputs) -> float:
    return float(decibels(np.asarray(kept[ERROR])))
