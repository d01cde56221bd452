"""What the stages of the standard graph import: processes that execute stages begin as copies of one that has it all.

Nothing may be computed here: a copy of a TensorFlow that is at work hangs.
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
# A later collection of garbage would write to every object, and so copy nearly all memory into each process: the objects
# are frozen here, too.
with quiet.without_garbage_collection():
    for name in USED:
        # The stage that needs it says what is wrong with it.
        with suppress(Exception):
            importlib.import_module(name)
