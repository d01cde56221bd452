"""A pipeline that only pushes, whose operations on files and statements to the store the system refuses in turn.

    python tests/faults/refused_push.py                 each refusal at each operation, once and from then on
    python tests/faults/refused_push.py --every 23      at each 23rd

After a refusal

- what a server can see is no version, or a whole one;
- the run has finished, or raised one of our errors that says what was refused;
- the next run ends with the one version, whole, and the run after that reuses it;
- nothing temporary is left.

It prints how often each thing was refused. At the first fault it exits with 1.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

from children import Child, Fault
from disturbed import REFUSALS, refused_from
from push_and_die import pipeline, state

from kerasvision.errors import KerasvisionError
from kerasvision.pipeline.local import run

WHOLE = {1: ""}
MOST_SECONDS = 60.0


def copy(source, target, **_):
    """As `shutil.copyfile`, by operations that can be refused."""
    with Path(target).open("wb") as file:
        file.write(Path(source).read_bytes())


def refused_run(root, number, refusal, *, lasts):
    """Whether the operation with this number was reached, and our error or "". Any other error is a fault."""
    with mock.patch.object(shutil, "copyfile", copy), refused_from(number, refusal, lasts=lasts) as seen:
        try:
            run(pipeline(), root=root)
        except KerasvisionError as error:
            return len(seen) > number, f"{type(error).__name__}: {error}"
    return len(seen) > number, ""


def check(root, number, refusal, *, lasts):
    """Refuses, and looks at what is left; the same as `refused_run`."""
    reached, error = Child(lambda: refused_run(root, number, refusal, lasts=lasts)).result(MOST_SECONDS)
    if state(root) not in ({}, WHOLE):
        raise Fault(f"a server could see {state(root)}")
    resumed = run(pipeline(), root=root)
    version = json.loads(resumed.artifact("pusher", "pushed_model").record.read_text())["version"]
    if (version, state(root)) != (1, WHOLE):
        raise Fault(f"the next run recorded version {version}; there are {state(root)}")
    if not run(pipeline(), root=root).stages[-1].reused:
        raise Fault("the run after that did not reuse the push")
    left = [str(path) for path in root.rglob("*") if path.name.endswith((".tmp", ".copying"))]
    if left:
        raise Fault(f"left: {left}")
    return reached, error


def check_all(folder, every):
    """(refusal, whether it lasts, "stopped" or "went on") -> how many runs did."""
    run(pipeline(), root=folder / "prepared", until="make")
    counts = Counter()
    for refusal in REFUSALS:
        for lasts in (False, True):
            number, reached = 0, True
            while reached:
                root = folder / "root"
                shutil.copytree(folder / "prepared", root)
                try:
                    reached, error = check(root, number, refusal, lasts=lasts)
                except (Fault, KerasvisionError) as fault:
                    how = "from then on" if lasts else "once"
                    raise Fault(f"{refusal}, {how}, at operation {number}: {fault}") from fault
                counts[refusal, lasts, "stopped" if error else "went on"] += reached
                shutil.rmtree(root)
                number += every
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts = check_all(Path(folder), arguments.every)
        except Fault as fault:
            sys.exit(f"fault: {fault}")
    for (refusal, lasts, end), count in sorted(counts.items()):
        print(f"{refusal}, {'from then on' if lasts else 'once'}: {end} {count}")


if __name__ == "__main__":
    main()
