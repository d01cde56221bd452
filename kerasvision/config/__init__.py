"""What a pipeline file may say: frozen settings, checked where they are written, no TensorFlow.

>>> from kerasvision import config as c
>>> c.Training(epochs=3).batch_size
32
"""

from kerasvision.config.augmentation import Augmentation, PadCrop, RandomFlip
from kerasvision.config.base import Component, Config
from kerasvision.config.experiment import Experiment, Ingest, Model, Serving, Splits, Transform
from kerasvision.config.gate import AtLeast, AtMost, Gate, NoWorse, Rule
from kerasvision.config.search import Choice, Float, Int, LogUniform, Search, Space
from kerasvision.config.sources import Digits, Idx, ImageFolder, Source, Tfds
from kerasvision.config.tasks import Classification, Task
from kerasvision.config.training import Adam, AdamW, Optimizer, Sgd, Training

__all__ = [
    "Adam", "AdamW", "AtLeast", "AtMost", "Augmentation", "Choice", "Classification", "Component", "Config", "Digits",
    "Experiment", "Float", "Gate", "Idx", "ImageFolder", "Ingest", "Int", "LogUniform", "Model", "NoWorse", "Optimizer",
    "PadCrop", "RandomFlip", "Rule", "Search", "Serving", "Sgd", "Source", "Space", "Splits", "Task", "Tfds", "Training",
    "Transform",
]  # fmt: skip
