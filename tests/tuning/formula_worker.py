"""A worker whose trials compute a formula; test_machines.py runs it in a process of its own."""

import importlib.util
import time
from pathlib import Path

from kerasvision.tuning.machines import take_part
from kerasvision.tuning.role import Role

_spec = importlib.util.spec_from_file_location("conftest", Path(__file__).with_name("conftest.py"))
conftest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(conftest)


class Worker(conftest.Here):
    is_hanging = False

    def wait(self, seconds):
        if not self.ready or self.is_hanging:
            for job in self.ready:
                job.folder.mkdir(parents=True, exist_ok=True)
            time.sleep(0.1)
            return []
        return super().wait(seconds)


def take_part_by_formula(address, name, folder, *, is_hanging=False):
    """Takes part in a search until it ends, and writes the number of finished trials into `folder`.txt.

    A hanging worker finishes none.
    """
    worker = Worker()
    worker.is_hanging = is_hanging
    finished = take_part(Role(name, address), workers=worker, folder=folder)
    folder.with_suffix(".txt").write_text(str(finished))
