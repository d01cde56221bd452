"""Writes made-up scans to the folder scans/: 40 patients, 8 slices of 24 x 24 pixels each, a bright spot in half of them."""

from pathlib import Path

import numpy as np

random = np.random.default_rng(0)
y, x = np.mgrid[:24, :24]
folder = Path("scans")
folder.mkdir(exist_ok=True)
for patient in range(40):
    has_spot = random.random(8) < 0.5
    slices = random.normal(90, 20, (8, 24, 24))
    for number in np.flatnonzero(has_spot):
        row, column = random.integers(5, 19, 2)
        slices[number] += 110 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    np.savez(folder / f"patient{patient:02d}.npz", slices=slices.clip(0, 255).astype(np.uint8), has_spot=has_spot)
print(f"{len(list(folder.iterdir()))} scans in {folder}/")
