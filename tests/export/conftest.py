"""Fixtures of the tests of export."""

import json
from dataclasses import asdict

import pytest


@pytest.fixture(scope="session")
def forked_process(warm):
    """A class like `FreshProcess`, whose processes are forks of the warm one; use it as `parity.take`."""
    from kerasvision.export.proof.fresh_process import PROBE, complaint

    class Fork:
        def ask(self, request):
            code = "import json, runpy, sys; runpy.run_path(sys.argv[1])['main'](**json.loads(sys.argv[2]))"
            done = warm.run(code, PROBE, json.dumps(asdict(request)))
            return complaint(done.returncode, done.stderr)

    return Fork
