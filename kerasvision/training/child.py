"""How a process that only trains begins: before TensorFlow is imported in it."""

from kerasvision import quiet
from kerasvision.training.interruption import end_with_parent


def begin(*, quietly: bool) -> None:
    """The initializer of a process made by multiprocessing.

    Args:
        quietly: whether TensorFlow's greetings are kept off the screen, as in the process that made this one.
    """
    end_with_parent()
    if quietly:
        quiet.install()
