"""What most stages import: processes that execute stages begin as copies of one that has imported it already.

Nothing may be computed here: a copy of a TensorFlow that is at work hangs.
"""

from kerasvision import quiet

if not quiet.is_installed():
    quiet.install()

import kerasvision.data.ingesting.ingest
import kerasvision.data.measuring.statistics  # noqa: F401
