"""Imports everything that the standard stages need, in the process from which stage processes are forked.

Nothing may be computed here: a fork of a process in which TensorFlow has computed something hangs.
"""

import importlib
from contextlib import suppress

from kerasvision import quiet

if not quiet.is_installed():
    quiet.install()

USED = (
    "kerasvision.data.ingesting.ingest",
    "kerasvision.data.measuring.page",
    "kerasvision.data.measuring.statistics",
    "kerasvision.data.validating.validation",
    "kerasvision.training.session",
    "kerasvision.export.writing.exporting",
    "kerasvision.export.proof.canary",
    "kerasvision.evaluation.session",
    "kerasvision.evaluation.simple_models",
)
# A later garbage collection would write to every object, and so copy nearly all memory into each process. So this also
# freezes the objects.
with quiet.without_garbage_collection():
    for name in USED:
        # If an import fails, the stage that needs it reports the error.
        with suppress(Exception):
            importlib.import_module(name)
