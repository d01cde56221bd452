"""Writes seven.png, one of scikit-learn's handwritten digits."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

Image.fromarray((load_digits().images[7] * 255 / 16).astype(np.uint8)).save("seven.png")
