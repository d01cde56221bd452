"""kerasvision and PyTorch: the training input, the inference and the training step of a network, in turns.

    python tests/benchmarks/peers/compare.py input --torch ENVIRONMENT/bin/python --images FOLDER
    python tests/benchmarks/peers/compare.py inference --torch ENVIRONMENT/bin/python
    python tests/benchmarks/peers/compare.py training --torch ENVIRONMENT/bin/python
    python tests/benchmarks/peers/compare.py detection --torch ENVIRONMENT/bin/python --side 256 --batch 2

`detection` is a training step of Faster R-CNN on a pyramid of ResNet-50: 1,000 candidates of each level, 300 proposals and
10 objects in each image. The normalisations of torchvision's network are frozen, and those of ours learn.

PyTorch is not a dependency. Make an environment for it: `python -m venv ENVIRONMENT`, then
`ENVIRONMENT/bin/pip install torch torchvision pillow`. OpenVINO is measured by `tests/benchmarks/engines.py`.

Each way is a process of its own that waits until it is asked for a round, so only one works at a time, and a disturbance
affects all of them. The results are medians of processor time and of wall time for each image, and ratios to the first way.
The processor time is that of the process and of the processes that it started.
"""

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
# Comparison -> (worker, way) of each line of the table.
WAYS = {
    "input": (("torch", "torchvision v2"), ("torch", "torchvision v2, 2 workers"), ("own", "kerasvision")),
    "inference": (
        ("torch", "float32"),
        ("torch", "bfloat16"),
        ("own", "as trained"),
        ("own", "float32"),
        ("own", "bfloat16"),
    ),
    "detection": (("torch", "float32"), ("torch", "bfloat16"), ("own", "float32"), ("own", "bfloat16")),
    "training": (("torch", "float32"), ("torch", "bfloat16"), ("own", "float32"), ("own", "bfloat16")),
}


class Worker:
    """A process that measures one way whenever it is asked."""

    def __init__(self, python: str, script: str, settings: dict) -> None:
        command = [python, str(HERE / f"{script}_worker.py"), json.dumps(settings)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def measure(self) -> dict[str, float]:
        """Milliseconds for each image: `processor` and `wall`."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit(f"{self._process.args[1]} ended with exit code {self._process.wait()}")

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", choices=WAYS)
    parser.add_argument("--torch", required=True, metavar="PYTHON", help="the Python of an environment with torchvision")
    parser.add_argument("--images", type=Path, help="for the input: a folder with JPEG files, at any depth")
    parser.add_argument("--network", default="resnet50", help="also of keras.applications: keras/convnext_tiny")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.comparison == "input" and arguments.images is None:
        parser.error("input requires --images")
    settings = {
        **{name: getattr(arguments, name) for name in ("comparison", "network", "side", "batch")},
        "images": str(arguments.images),
    }
    pythons = {"torch": arguments.torch, "own": sys.executable}
    with ExitStack() as stack:
        workers = {
            f"{script}: {way}": stack.enter_context(Worker(pythons[script], script, {**settings, "way": way}))
            for script, way in WAYS[arguments.comparison]
        }
        rounds = [{name: worker.measure() for name, worker in workers.items()} for _ in range(arguments.rounds + 1)]
    report(rounds[1:])


def report(rounds: list[dict[str, dict[str, float]]]) -> None:
    """Prints medians and the medians of the ratios within a round."""
    first = next(iter(rounds[0]))
    for name in rounds[0]:
        line = f"{name:35}"
        for kind in ("processor", "wall"):
            taken = statistics.median(one[name][kind] for one in rounds)
            ratio = statistics.median(one[name][kind] / one[first][kind] for one in rounds)
            line += f" {kind} {taken:8.2f} ms for each image ({ratio:.2f}x)"
        print(line)


if __name__ == "__main__":
    main()
