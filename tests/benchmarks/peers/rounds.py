"""What the workers of `compare.py` share: each measures a round for each line of its standard input."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

# Passes over a batch in a round, the objects of each image, and the photos of an epoch.
PASSES, OBJECTS, LEAST = 3, 10, 1000


def serve(kinds: Mapping[str, Callable[[Mapping[str, Any]], Callable[[], int]]]) -> None:
    """Measures what the first argument of the process asks for; prints milliseconds for each image, `processor` and `wall`.

    Args:
        kinds: comparison -> function from the settings to one that does some work and returns how many images it had.
    """
    settings = json.loads(sys.argv[1])
    run = kinds[settings["comparison"]](settings)
    print("{}", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter(), sum(os.times()[:4])
        count = run()
        wall, processor = time.perf_counter() - began[0], sum(os.times()[:4]) - began[1]
        print(json.dumps({"wall": 1000 * wall / count, "processor": 1000 * processor / count}), flush=True)
