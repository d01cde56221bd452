"""The time for one image: a saved detector from its bytes, in turns with another program, which the peer is.

    python tests/benchmarks/detection_latency.py saved_models/shapes_detection/1 photo.png --peer "python peer.py"

The peer runs in an environment of its own. It loads its network once, and then, for each line of its standard input, answers
for the same image once and prints how many seconds that took. Without a peer, only ours is measured. Both have two threads.
"""

import argparse
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

UNMEASURED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved_model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--peer", help="a command; the path of the image is added as its last argument")
    parser.add_argument("--queries", type=int, default=100)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    served = tf.saved_model.load(str(arguments.saved_model)).signatures["serving_default"]
    data = tf.constant([arguments.image.read_bytes()])

    def ours() -> float:
        began = time.perf_counter()
        served(image_bytes=data)["boxes"].numpy()
        return time.perf_counter() - began

    if arguments.peer is None:
        report({"ours": ours}, arguments.queries)
        return
    with peer(arguments.peer, arguments.image) as theirs:
        report({"ours": ours, "the peer": theirs}, arguments.queries)


@contextmanager
def peer(command: str, image: Path) -> Iterator[Callable[[], float]]:
    """A function that asks the peer once, and returns its seconds."""
    words = [*shlex.split(command), str(image.resolve())]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:

        def ask() -> float:
            print("once", file=process.stdin, flush=True)
            return float(process.stdout.readline())

        yield ask
        process.stdin.close()


def report(ways: dict[str, Callable[[], float]], queries: int) -> None:
    """Asks in turns, and prints medians, 95th percentiles and the ratio of the medians."""
    seconds = {name: [] for name in ways}
    for _ in range(queries + UNMEASURED):
        for name, ask in ways.items():
            seconds[name].append(ask())
    medians = {}
    for name, measured in seconds.items():
        medians[name], high = np.percentile(1000 * np.array(measured[UNMEASURED:]), (50, 95))
        print(f"{name}: median {medians[name]:.2f} ms, p95 {high:.2f} ms, {queries} images one by one")
    if len(medians) == 2:
        first, second = medians.values()
        print(f"ratio {first / second:.2f}")


if __name__ == "__main__":
    main()
