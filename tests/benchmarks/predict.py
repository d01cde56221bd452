"""How much memory, and how much processor time, answers for many images take.

    python tests/benchmarks/predict.py 10000 100000

For each number of images a process of its own answers for them, from a table that names 1,000 PNG files of 64 x 64 again
and again, with the saved model of tests/export/brightness.py, which does little but decode. Prints the peak of its memory,
what of that TensorFlow took before the first image, and images per second of processor time, all cores together.
"""

import io
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES = 1_000


def answer(folder: Path, count: int) -> None:
    """One line of figures for so many images."""
    from kerasvision.config.inference import asked_for
    from kerasvision.export.asking.bulk import predict_to_file

    (folder / "list.csv").write_text("path\n" + "".join(f"images/{number % FILES}.png\n" for number in range(count)))
    before, began = _peak_mb(), time.process_time()
    predict_to_file(folder / "model", lambda: asked_for([folder / "list.csv"]), out=folder / "answers.parquet")
    seconds = time.process_time() - began
    print(f"{count:>9,} images: peak {_peak_mb():,.0f} MB ({before:,.0f} MB before), {count / seconds:,.0f} images/s")


def prepare(folder: Path) -> None:
    """The images and the model."""
    import importlib.util

    import numpy as np
    from PIL import Image

    spec = importlib.util.spec_from_file_location("brightness", Path(__file__).parent.parent / "export" / "brightness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.saved(folder / "model")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    for number in range(FILES):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "PNG")
        (folder / "images" / f"{number}.png").write_bytes(buffer.getvalue())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1] == "--in":
        answer(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            prepare(Path(scratch))
            for count in sys.argv[1:]:
                subprocess.run([sys.executable, __file__, "--in", scratch, count], check=True)
