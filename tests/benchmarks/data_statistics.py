"""Memory and time of statistics on 10,000, 30,000 and 100,000 small images: tables, near duplicates and page.

    python tests/benchmarks/data_statistics.py ../shared/data/fashion-mnist

The images are Fashion-MNIST's training images, repeated with noise, so that no two are equal. Each size runs in a separate
process, so that its peak memory is not affected by the others.
"""

import subprocess
import sys
import tempfile

SIZES = (10_000, 30_000, 100_000)

WRITE = """
import hashlib, sys
from pathlib import Path
import numpy as np, pandas as pd
from kerasvision.data.examples import Example, write_examples
from kerasvision.data.png import encode_png
from kerasvision.data.sources.idx import read_idx_array
source, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
pixels = read_idx_array(source / "train-images-idx3-ubyte.gz", rank=3)
random = np.random.default_rng(0)
rows = []
def examples(split):
    for number in range(count):
        image = pixels[number % len(pixels)]
        if number >= len(pixels):
            image = np.clip(image + random.normal(0, 20, image.shape), 0, 255).astype(np.uint8)
        data, label = encode_png(image), str(number % 10)
        digest = hashlib.sha256(data).hexdigest()
        rows.append((str(number), "", split, label, "", digest, len(data), 28, 28, "PNG", "L", "", "", 0, 0))
        yield Example(str(number), data, label)
write_examples(examples, splits=["train"], classes=map(str, range(10)), folder=folder / "data")
columns = "id path split label group sha256 size width height format mode notes fault captions objects".split()
pd.DataFrame(rows, columns=columns).to_parquet(folder / "manifest.parquet")
"""

READ = """
import resource, sys, time
from pathlib import Path
import pandas as pd
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.page import write_statistics_page
from kerasvision.data.measuring.statistics import compute_statistics, save_statistics_tables
folder = Path(sys.argv[1])
began = time.perf_counter()
examples = ExampleSet(folder / "data")
statistics, images = compute_statistics(examples, pd.read_parquet(folder / "manifest.parquet"))
computed = time.perf_counter() - began
images.to_parquet(folder / "images.parquet", index=False)
save_statistics_tables(statistics, images, examples=examples, folder=folder)
write_statistics_page(statistics, images, examples=examples, file=folder / "statistics.html")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
written = time.perf_counter() - began - computed
each = 1e6 * computed / len(images)
print(f"{len(images)} images: {computed:.1f} s, {each:.0f} us per image; tables and page {written:.1f} s; "
      f"peak memory {peak:.2f} GB; {len(statistics.near_duplicates)} near groups")
"""


def main() -> None:
    for count in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", WRITE, sys.argv[1], folder, str(count)], check=True, capture_output=True)
            done = subprocess.run([sys.executable, "-c", READ, folder], check=True, capture_output=True, text=True)
        print(f"{done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
