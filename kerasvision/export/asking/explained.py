"""What of a saved model's answers can be explained, and what an explanation needs: its transform and its Keras network."""

from pathlib import Path
from typing import Any

from kerasvision.config.keras_files import head_names
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.models.saved import load_network
from kerasvision.served.signatures import TRANSFORM_FILE
from kerasvision.tasks.presentation import Explained

# What a model without a presentation of its own answers.
CLASS_SCORES = Explained("scores", "class")
# The signature of a model that itself answers where it looks.
OWN_REASONS = "explain"


def explained_by(model: ImagePredictor) -> Explained:
    """The part of a model's answer that can be explained: a score or a number for each name of its `labels.txt`.

    Raises:
        ConfigError: its answer has no such part.
    """
    shown = model.presentation
    explained = CLASS_SCORES if shown is None else shown.explained
    dtype, shape = model.outputs.get(explained.output, ("", ())) if explained else ("", ())
    labels = model.labels() if dtype == "float32" and len(shape) == 1 else ()
    if explained is None or not labels or shape not in ((None,), (len(labels),)):
        raise ConfigError(
            "explain requires a model that answers with a score for each class or tag, or with numbers",
            received=f"{model.folder}, which answers with {', '.join(model.outputs)}",
            hint=_instead(model),
        )
    return explained


def transform_of(model: ImagePredictor) -> ImageTransform:
    """The transform of a saved model.

    Raises:
        ConfigError: the model has none.
    """
    file = model.folder / TRANSFORM_FILE
    if not file.is_file():
        raise ConfigError(f"explain requires a saved model with {TRANSFORM_FILE}", hint="export the model again")
    return ImageTransform.load(file)


def network_of(model: ImagePredictor, file: Path) -> Any:
    """The network in a `.keras` file, which must fit the saved model: the same images, and the same classes.

    Raises:
        ConfigError: it does not fit.
        ExportError: the file is missing or damaged.
    """
    network, shape = load_network(file), transform_of(model).settings.image_shape
    inputs = list(getattr(network, "inputs", None) or [])
    if len(inputs) != 1 or tuple(inputs[0].shape[1:]) != shape:
        raise ConfigError(f"{file} must be the network of {model.folder}, whose images have the shape {shape}")
    names = head_names(file)
    if names is not None and tuple(" ".join(name.splitlines()) for name in names) != model.labels():
        raise ConfigError(
            f"{file} must be the network of {model.folder}: the classes differ",
            hint="give the .keras file that the saved model was exported from",
        )
    return network


def _instead(model: ImagePredictor) -> str:
    """What shows the answers of a model that cannot be explained."""
    if model.presentation is not None:
        return model.presentation.instead
    if OWN_REASONS in model.served.signatures:
        return f"its signature {OWN_REASONS} answers where the network looks"
    return "`kerasvision predict` prints its answers"
