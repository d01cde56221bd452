"""A SavedModel in memory, once its files were compared with what was pushed: what all who ask one load it by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from kerasvision.errors import ExportError
from kerasvision.served.versions import check_whole

# What TensorFlow raises for files that are cut short, overwritten or of something else.
LOAD_ERRORS = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, tf.errors.OpError)


class SignatureFunction(Protocol):
    """What TensorFlow gives for a signature.

    Attributes:
        structured_input_signature: (positional inputs, always empty; name -> tf.TensorSpec).
        structured_outputs: name -> tf.TensorSpec.
    """

    structured_input_signature: tuple[tuple[()], dict[str, tf.TensorSpec]]
    structured_outputs: dict[str, tf.TensorSpec]

    def __call__(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The named outputs of a batch."""


class ServedModel:
    """A SavedModel, asked through its named signatures.

    Args:
        folder: that of `saved_model.pb`.

    Attributes:
        folder: likewise.
        signatures: name -> function; there is one at least. They are of no use once the model is gone.

    Raises:
        ExportError: it is not whole, not what was pushed, damaged, or has no signature.
    """

    def __init__(self, folder: Path) -> None:
        check_whole(folder)
        try:
            # Kept: the signatures of a model that was forgotten cannot be called.
            self._loaded = tf.saved_model.load(str(folder))
            self.signatures: Mapping[str, SignatureFunction] = dict(self._loaded.signatures)
        except LOAD_ERRORS as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ExportError(f"{folder} cannot be loaded because it is damaged: {reason}") from error
        if not self.signatures:
            raise ExportError(
                f"{folder} has no signature that could be asked",
                hint="save it with signatures, as in tf.saved_model.save(module, folder, signatures={...})",
            )
        self.folder = folder

    def __call__(self, signature: str, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Named outputs of a batch.

        Raises:
            ExportError: there is no such signature.
        """
        if signature not in self.signatures:
            raise ExportError(
                f"{self.folder} has no signature {signature!r}; it has {', '.join(self.signatures)}",
                hint="export the model with this version of kerasvision",
            )
        return self.signatures[signature](**inputs)
