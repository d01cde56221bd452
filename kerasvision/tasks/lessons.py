"""What the loss teaches which part of a network: pictures and tables for the page of an evaluation.

`kerasvision.tasks.base` has these names too: the packages above the tasks use them from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Lessons:
    """Plots and tables about some training images.

    Attributes:
        figures: title -> figure. Their text must not come from the data: fonts lack many scripts.
        tables: by name; files contain them too.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


# (the trained network, images before scaling, float32 (N, H, W, C) in [0, 255], inputs and targets as `Task.encode` returns
# them for these images) -> lessons.
Teaching = Callable[[keras.Model, np.ndarray, Any, Any], Lessons]
