"""Images described by a network: by a SavedModel with a signature of features, or by a network with ImageNet's weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.published import IMAGENET
from kerasvision.data.embedding.features import Features
from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build
from kerasvision.models.backbones import last_map
from kerasvision.models.table import usual
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import BYTES_INPUT, FEATURES_SIGNATURE, VALID
from kerasvision.served.versions import find_saved_model

# Without a shape of its own, a SavedModel gets batches as for images of this side.
USUAL_SIDE = 224
_OTHERS = (
    "export a model of classes, tags or numbers with task.features=true, or name a network with weights for ImageNet: "
    "efficientnet_lite0"
)


def model_features(model: str) -> Features:
    """The features that a model gives.

    Args:
        model: the folder of a SavedModel, or of its versions; otherwise the name of a network.

    Raises:
        ConfigError: neither, or a SavedModel without features.
        ExportError: a damaged SavedModel.
    """
    return saved_model_features(Path(model)) if Path(model).exists() else network_features(model)


def network_features(name: str) -> Features:
    """The mean of a network's last map over its places, with the weights for ImageNet.

    Images are stretched to the size that the network was made for.

    Args:
        name: of `kerasvision.lookup.MODELS`.

    Raises:
        ConfigError: no such network, no weights for it, or they cannot be read here.
    """
    shape = usual(name).image_shape
    network = build(name, image_shape=(*shape[:2], 3), num_classes=None, weights=IMAGENET)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(last_map(network.output))
    model = keras.Model(network.input, pooled)

    def describe(batch: Mapping[str, Any]) -> NDArray[np.float32]:
        # A network with published weights takes images in [0, 1].
        return np.asarray(model.predict_on_batch(batch["pixels"] / np.float32(255)), np.float32)

    return Features(f"{name} with weights for ImageNet", shape[:2], "rgb", describe)


def saved_model_features(folder: Path) -> Features:
    """The only output of a SavedModel's signature `features`, as numbers in a row.

    The model decodes and resizes the images itself, as it does when it is served.

    Raises:
        ConfigError: there is no SavedModel, or it has no such signature of encoded images.
        ExportError: it is damaged.
    """
    version = find_saved_model(folder)
    served = ServedModel(version)
    output = _output(served)
    side = served.image_shape or (USUAL_SIDE, USUAL_SIDE, 3)

    def describe(batch: Mapping[str, Any]) -> NDArray[np.float32]:
        answers = served(FEATURES_SIGNATURE, **{BYTES_INPUT: tf.constant(batch["file"])})
        rows = np.array(answers[output], np.float32).reshape(len(batch["file"]), -1)
        if VALID in answers:
            rows[~answers[VALID].numpy()] = np.nan
        return rows

    return Features(f"the features of {version}", (side[0], side[1]), "rgb", describe, reads_files=True)


def _output(served: ServedModel) -> str:
    """The name of the output with the features.

    Raises:
        ConfigError: there is no signature for that.
        ExportError: the signature is of another form.
    """
    if FEATURES_SIGNATURE not in served.signatures:
        raise ConfigError(
            f"features require a SavedModel with a signature {FEATURES_SIGNATURE}",
            received=f"{served.folder}, which has {', '.join(served.signatures)}",
            hint=_OTHERS,
        )
    signature = served.signatures[FEATURES_SIGNATURE]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    numbers = [name for name, spec in outputs.items() if spec.dtype.is_floating]
    if list(inputs) != [BYTES_INPUT] or inputs[BYTES_INPUT].dtype != tf.string or len(numbers) != 1:
        raise ExportError(
            f"the signature {FEATURES_SIGNATURE} must take {BYTES_INPUT} and give one output of floating-point numbers",
            received=f"inputs {', '.join(inputs)}; outputs {', '.join(outputs)}",
            hint=_OTHERS,
        )
    return numbers[0]
