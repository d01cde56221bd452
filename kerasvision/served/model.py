"""Loads a SavedModel after comparing its files with what was pushed; everything that uses a SavedModel loads it here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from kerasvision.errors import ExportError
from kerasvision.served.engine import through
from kerasvision.served.signatures import BYTES_INPUT, TENSOR_INPUT, TENSOR_SIGNATURE
from kerasvision.served.versions import check_whole

# Errors that TensorFlow raises for files that are truncated, overwritten or of another kind.
LOAD_ERRORS = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, tf.errors.OpError)


class SignatureFunction(Protocol):
    """TensorFlow's function for a signature.

    Attributes:
        structured_input_signature: (positional inputs, always empty; name -> tf.TensorSpec).
        structured_outputs: name -> tf.TensorSpec.
    """

    structured_input_signature: tuple[tuple[()], dict[str, tf.TensorSpec]]
    structured_outputs: dict[str, tf.TensorSpec]

    def __call__(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Named outputs of a batch, from named inputs; dtypes and shapes are those of the specifications."""


class ServedModel:
    """A SavedModel in memory, called through its named signatures.

    Args:
        folder: the folder of `saved_model.pb`.
        engine: a name in `kerasvision.lookup.ENGINES`: what computes the network for the signatures that take images and
            pixels; None: TensorFlow.

    Attributes:
        folder: the same.
        signatures: name -> function; there is at least one. They cannot be called after the model is deleted.

    Raises:
        ExportError: it is incomplete, differs from what was pushed, is damaged, has no signature, or no network for the
            engine.
        ConfigError: there is no such engine, or its package is missing.
    """

    def __init__(self, folder: Path, *, engine: str | None = None) -> None:
        check_whole(folder)
        try:
            # Kept, because the signatures of a deleted model cannot be called.
            self._loaded = tf.saved_model.load(str(folder))
            self.signatures: Mapping[str, SignatureFunction] = dict(self._loaded.signatures)
        except LOAD_ERRORS as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ExportError(f"{folder} cannot be loaded because it is damaged: {reason}") from error
        if not self.signatures:
            raise ExportError(
                f"{folder} has no signature to call",
                hint="save it with signatures, as in tf.saved_model.save(module, folder, signatures={...})",
            )
        if engine is not None:
            self.signatures = {**self.signatures, **through(engine, saved_model=folder, loaded=self._loaded)}
        self.folder = folder

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(height, width, channels) of what the network sees; None if no signature takes decoded images of one shape."""
        if TENSOR_SIGNATURE not in self.signatures:
            return None
        inputs = self.signatures[TENSOR_SIGNATURE].structured_input_signature[1]
        shape = inputs[TENSOR_INPUT].shape.as_list()[1:] if TENSOR_INPUT in inputs else []
        return None if len(shape) != 3 or None in shape else tuple(shape)

    def takes_images(self, signature: str) -> bool:
        """Whether a signature receives encoded images; true for one that does not exist, which a call then rejects."""
        function = self.signatures.get(signature)
        return function is None or BYTES_INPUT in function.structured_input_signature[1]

    def __call__(self, signature: str, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Named outputs of a batch, from named inputs; dtypes and shapes are those of the signature.

        Raises:
            ExportError: there is no such signature.
        """
        if signature not in self.signatures:
            raise ExportError(
                f"{self.folder} has no signature {signature!r}; it has {', '.join(self.signatures)}",
                hint="export the model with this version of kerasvision",
            )
        return self.signatures[signature](**inputs)
