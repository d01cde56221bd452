"""Writes `torchvision_regions.json`: what torchvision pools from a map, for `test_regions.py`.

python tests/ops/make_torchvision_regions.py      # requires torch and torchvision, and nothing of kerasvision
"""

import json
from pathlib import Path

import numpy as np

STRIDE, SIZE = 4, 2


def main() -> None:
    """The map is that of `test_regions.py`; boxes are y_min, x_min, y_max, x_max, and torchvision has x first."""
    # Imported here, because the tests collect this file too.
    import torch
    import torchvision
    from torchvision.ops import roi_align, roi_pool

    random = np.random.default_rng(5)
    corners = np.sort(random.uniform(size=(60, 2, 2)) * [40, 52] - 6, axis=1).reshape(-1, 4).round(2).astype("float32")
    rows, columns = np.indices((7, 10))
    x = torch.tensor(np.sin(rows * 1.3 + columns**2 * 0.7).astype("float32"))[None, None]
    boxes = [torch.tensor(corners[:, [1, 0, 3, 2]])]
    options = {"output_size": SIZE, "spatial_scale": 1 / STRIDE}
    found = {
        "version": torchvision.__version__,
        "boxes": corners,
        "max": roi_pool(x, boxes, **options),
        "align": roi_align(x, boxes, sampling_ratio=2, aligned=False, **options),
        "aligned": roi_align(x, boxes, sampling_ratio=2, aligned=True, **options),
    }
    plain = {name: value if isinstance(value, str) else np.asarray(value).round(6).tolist() for name, value in found.items()}
    Path(__file__).with_name("torchvision_regions.json").write_text(json.dumps(plain, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
