"""How a process that only trains starts, before it imports TensorFlow."""

from kerasvision import quiet
from kerasvision.training.interruption import end_with_parent


def begin(*, quietly: bool) -> None:
    """The initializer of a process made by multiprocessing.

    Args:
        quietly: whether to keep TensorFlow's startup messages off the screen, as in the parent process.
    """
    end_with_parent()
    if quietly:
        quiet.install()
