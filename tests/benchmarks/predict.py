"""How much memory and processor time predictions for many images take.

    python tests/benchmarks/predict.py 10000 100000

For each number of images, a separate process predicts them. They come from a table that repeats 1,000 PNG files of 64 x 64;
the saved model is that of tests/export/brightness.py, which does little more than decode. It prints the peak memory, the
memory before the first image, and images per second of processor time, summed over all cores.
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
    """Prints a line of results for this number of images."""
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
