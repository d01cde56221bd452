"""Our average precision of boxes against pycocotools: processor time of all twelve figures, and of a bootstrap.

    python tests/benchmarks/box_evaluation.py
    python tests/benchmarks/box_evaluation.py --images 1000 --classes 80 --objects 7000 --answers 60000 --rounds 3

Both judge the same random scenes, in turns, and the figures are medians over the rounds. The largest difference between two
figures is printed too. The bootstrap draws 1,000 times from 300 images with 8 classes, and computes every figure each time.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

JUDGE = Path(__file__).parent.parent / "tasks" / "detection" / "test_average_precision.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("images", 1000), ("classes", 80), ("objects", 7000), ("answers", 60_000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    judge = tests()
    sizes = {"images": arguments.images, "classes": arguments.classes}
    scenes = judge.scenes(**sizes, objects=arguments.objects, answers=arguments.answers)
    ours, theirs, gaps = [], [], []
    for _ in range(arguments.rounds):
        found, seconds = timed(lambda: judge.ours(*scenes, **sizes))
        ours.append(seconds)
        figures, seconds = timed(lambda: judge.by_pycocotools(*scenes, **sizes))
        theirs.append(seconds)
        gaps += [abs(found[name][0] - figure) for name, figure in zip(judge.FIGURES, figures, strict=True) if figure != -1]
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"ours {mine:.2f} s, pycocotools {other:.2f} s: {mine / other:.3f}; largest difference {max(gaps):.1e}")
    few = judge.scenes(images=300, classes=8, objects=900, answers=6000)
    draws = np.random.default_rng(0).multinomial(300, np.full(300, 1 / 300), 1000).T.astype(np.float64)
    _, seconds = timed(lambda: judge.ours(*few, images=300, classes=8, weights=draws))
    print(f"1,000 draws: {seconds:.2f} s")


def tests():
    """The module with the scenes and with pycocotools' judgement of them."""
    spec = importlib.util.spec_from_file_location("judge", JUDGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """The result, and the processor seconds that it took. pycocotools also builds its tables within it."""
    began = time.process_time()
    return call(), time.process_time() - began


if __name__ == "__main__":
    main()
