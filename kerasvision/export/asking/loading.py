"""A SavedModel in memory, once its files were compared with what was pushed: what `predict` asks and the server serves."""

from pathlib import Path

import tensorflow as tf

from kerasvision.errors import ExportError
from kerasvision.export.publishing.versions import check_whole

# What TensorFlow raises for files that are cut short, overwritten or of something else.
LOAD_ERRORS = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, tf.errors.OpError)


def load_saved_model(folder: Path) -> object:
    """What `tf.saved_model.load` gives for a version. Keep it: its signatures are of no use once it is gone.

    Args:
        folder: that of `saved_model.pb`.

    Raises:
        ExportError: it is not whole, not what was pushed, damaged, or has no signature.
    """
    check_whole(folder)
    try:
        loaded = tf.saved_model.load(str(folder))
        signatures = loaded.signatures
    except LOAD_ERRORS as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ExportError(f"{folder} cannot be loaded because it is damaged: {reason}") from error
    if not signatures:
        raise ExportError(
            f"{folder} has no signature that could be asked",
            hint="save it with signatures, as in tf.saved_model.save(module, folder, signatures={...})",
        )
    return loaded
