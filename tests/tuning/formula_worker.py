"""`python formula_worker.py ADDRESS NAME FOLDER HOW`: a worker whose trials compute a formula; with `hang`, none ends."""

import importlib.util
import sys
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


def main(address, name, folder, how):
    worker = Worker()
    worker.is_hanging = how == "hang"
    print("carried out", take_part(Role(name, address), workers=worker, folder=Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
