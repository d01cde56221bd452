#!/usr/bin/env bash
# More than a third of the processor time of a process that only imports TensorFlow 2.21.0 is Python's garbage collector.
#
# The import creates hundreds of thousands of objects that live as long as the process. While they are created, CPython's
# collector looks through them again and again, and once more when the interpreter ends. With gc.disable() before the import
# and gc.freeze() at the end, the same process does the same work for much less, and the collector may be enabled in between.
#
# Observed with tensorflow 2.21.0 and Python 3.11.7 on 2 cores, processor seconds, medians of 5 in turns:
#     import tensorflow                             3.32
#     the same without collections                  2.10
#
# Exits with 0 if the plain import still takes at least 1.3 times as much, and with 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0
CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import resource
import statistics
import subprocess
import sys
from importlib.metadata import version

WAYS = {
    "import tensorflow": "import tensorflow",
    "the same without collections": "import atexit, gc; gc.disable(); atexit.register(gc.freeze); import tensorflow",
}


def processor_seconds(code):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


print("tensorflow", version("tensorflow"), "python", sys.version.split()[0])
processor_seconds("import tensorflow")  # the first one reads the files from disk
rounds = [{name: processor_seconds(code) for name, code in WAYS.items()} for _ in range(5)]
plain, without = (statistics.median(one[name] for one in rounds) for name in WAYS)
print(f"import tensorflow: {plain:.2f} s; without collections: {without:.2f} s; {plain / without:.2f} times")
if plain < 1.3 * without:
    sys.exit("changed: the collector no longer takes a quarter of the time")
print("as described")
PYTHON
