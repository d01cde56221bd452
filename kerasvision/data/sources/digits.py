"""scikit-learn's handwritten digits."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from sklearn.datasets import load_digits

from kerasvision.config.sources import Digits
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record
from kerasvision.data.repeatable import Repeatable


def read_digits(settings: Digits) -> Iterator[Record]:
    """1,797 images of 8 x 8, labels "0" to "9". The data's 17 grey levels 0..16 become 0..255.

    >>> next(read_digits(Digits())).label
    '0'
    """
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        yield Record(f"{number:04d}.png", Repeatable(partial(encode_png, image)), str(label))
