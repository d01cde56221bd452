"""What the evaluation of maps costs: processor time of 1,000 bootstrap draws, and memory at twice the side of the images.

    python tests/benchmarks/pixel_evaluation.py

300 images of 9 classes are drawn at random as discs; an answer is the truth moved by some pixels. `Task.measured` gets them
in batches of 64, as an evaluation does, and `Task.judge` what it keeps. Each size runs in a process of its own. "memory" is
the peak of the process above what it had before the first batch; "kept" is the size of what is kept of all images.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

COUNT, CLASSES, BATCH = 300, 9, 64
SIDES = (256, 512, 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, help="measure one size in this process, and print JSON")
    side = parser.parse_args().side
    if side:
        print(json.dumps(measured(side)))
        return
    for side in SIDES:
        done = subprocess.run([sys.executable, __file__, "--side", str(side)], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{side} x {side}: memory +{found['memory_mb']:.0f} MB, kept {found['kept_mb']:.2f} MB, "
            f"{found['seconds_per_image'] * 1000:.0f} ms of processor time per image, "
            f"1,000 draws {found['draw_seconds']:.2f} s",
            flush=True,
        )


def measured(side: int) -> dict[str, float]:
    from kerasvision import config as c
    from kerasvision.evaluation.bootstrap import intervals
    from kerasvision.tasks.base import make_task

    task = make_task(c.Segmentation(), [str(number) for number in range(CLASSES)])
    task.measured(*batch(np.random.default_rng(0), 1, side))  # imports
    random, kept = np.random.default_rng(0), []
    before, began = peak_mb(), time.process_time()
    seconds = 0.0
    for start in range(0, COUNT, BATCH):
        pair = batch(random, min(BATCH, COUNT - start), side)
        began = time.process_time()
        kept.append(task.measured(*pair))
        seconds += time.process_time() - began
    memory = peak_mb() - before
    width = max(part["confusion"].shape[1] for _, part in kept)
    for _, part in kept:
        part["confusion"] = np.pad(part["confusion"], ((0, 0), (0, width - part["confusion"].shape[1]), (0, 0)))
    predictions = {name: np.concatenate([part[name] for _, part in kept]) for name in kept[0][1]}
    truth = np.concatenate([rows for rows, _ in kept])
    judgement = task.judge(ids=[str(number) for number in range(COUNT)], truth=truth, predictions=predictions)
    began = time.process_time()
    intervals(judgement, resamples=1000, confidence=0.95)
    return {
        "memory_mb": memory,
        "kept_mb": size(predictions) / 2**20,
        "seconds_per_image": seconds / COUNT,
        "draw_seconds": time.process_time() - began,
    }


def batch(random: np.random.Generator, count: int, side: int):
    """The truth of `count` images, and their answers."""
    from kerasvision.data.png import encode_png
    from kerasvision.tasks.segmentation.truth import ImageMap

    truth, answers = np.empty(count, object), np.empty(count, object)
    y, x = np.ogrid[:side, :side]
    for row in range(count):
        pixels = np.zeros((side, side), np.uint8)
        for number in random.integers(1, CLASSES, 3):
            down, right, radius = random.uniform(0.1, 0.9, 3) * (side, side, side / 4)
            pixels[(y - down) ** 2 + (x - right) ** 2 < radius**2] = number
        truth[row] = ImageMap(png=encode_png(pixels, compress_level=1))
        answers[row] = encode_png(np.roll(pixels, side // 50, axis=1), compress_level=1)
    return truth, {"mask_png_bytes": answers}


def size(arrays: dict[str, np.ndarray]) -> int:
    return sum(sum(map(len, one)) if one.dtype == object else one.nbytes for one in arrays.values())


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    main()
