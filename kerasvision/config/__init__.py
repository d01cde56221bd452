"""The settings that a pipeline file may contain: frozen, checked where they are written, without TensorFlow.

>>> from kerasvision import config as c
>>> c.Training(epochs=3).batch_size
32
"""

from kerasvision.config.augmentation import (
    Augmentation,
    EncodedCrop,
    IouCrop,
    Mixing,
    PadCrop,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    Rotate,
    ScaleJitter,
    Translate,
    VisibleObjects,
    Zoom,
)
from kerasvision.config.augmentation_mixing import CutMix, MixUp, Mosaic
from kerasvision.config.augmentation_pixels import (
    AugMix,
    ColorJitter,
    Cutout,
    GaussianBlur,
    Grayscale,
    Lighting,
    RandAugment,
    RandomErasing,
)
from kerasvision.config.base import Component, Config
from kerasvision.config.box_sources import Voc, Yolo
from kerasvision.config.captioning import BeamSearch, Captioning, Decoding, Greedy, Sample, Subwords, Vocabulary, Words
from kerasvision.config.classification import Classification
from kerasvision.config.cluster import Cluster, Resources, Secret
from kerasvision.config.coco import Coco
from kerasvision.config.detection import Detection
from kerasvision.config.evaluation import Evaluation, SimpleModels
from kerasvision.config.experiment import Experiment, Serving
from kerasvision.config.export import Export, Format, LiteRt, LiteRtInt8, Onnx, OpenVino, OpenVinoBfloat16
from kerasvision.config.gate import AtLeast, AtMost, Better, Gate, NoWorse, Rule
from kerasvision.config.generation import Generation
from kerasvision.config.hooks import Hooks
from kerasvision.config.inference import Predict
from kerasvision.config.listeners import Listener, Mlflow, OpenLineage
from kerasvision.config.localization import Localization
from kerasvision.config.map_sources import Masks
from kerasvision.config.metrics import Metric
from kerasvision.config.model import Model
from kerasvision.config.multi_label import MultiLabel
from kerasvision.config.optimizers import Adagrad, Adam, AdamW, Lion, Muon, Optimizer, RmsProp, Sgd
from kerasvision.config.preparing import Ingest, Splits, Transform
from kerasvision.config.reconstruction import Reconstruction
from kerasvision.config.regression import Regression
from kerasvision.config.runners import Beam, Local, Runner
from kerasvision.config.schedules import Constant, Cosine, Exponential, InverseTime, OneCycle, Polynomial, Schedule, Step
from kerasvision.config.search import Choice, Float, Int, LogUniform, Search, Space
from kerasvision.config.segmentation import Segmentation
from kerasvision.config.sources import Digits, Idx, ImageFolder, Shapes, Source, Tfds, TfRecord
from kerasvision.config.table_source import Table
from kerasvision.config.tasks import MeasuredTask, Task
from kerasvision.config.training import EarlyStopping, FineTuning, Training
from kerasvision.config.whitening import PcaWhitening, Whitening, ZcaWhitening

__all__ = [
    "Adagrad", "Adam", "AdamW", "AtLeast", "AtMost", "AugMix", "Augmentation", "Beam", "BeamSearch", "Better",
    "Captioning",
    "Choice", "Classification", "Cluster", "Coco", "ColorJitter", "Component", "Config", "Constant", "Cosine",
    "CutMix", "Cutout",
    "Decoding", "Detection", "Digits", "EarlyStopping", "EncodedCrop", "Evaluation", "Experiment", "Exponential", "Export",
    "FineTuning", "Float", "Format", "Gate", "GaussianBlur", "Generation", "Grayscale", "Greedy", "Hooks", "Idx",
    "ImageFolder",
    "Ingest", "Int", "InverseTime", "IouCrop", "Lighting", "Lion", "Listener", "LiteRt", "LiteRtInt8",
    "Local", "Localization", "LogUniform",
    "Masks", "MeasuredTask", "Metric", "MixUp", "Mixing", "Mlflow", "Model", "Mosaic", "MultiLabel", "Muon", "NoWorse",
    "OneCycle",
    "Onnx", "OpenLineage", "OpenVino", "OpenVinoBfloat16", "Optimizer", "PadCrop", "PcaWhitening", "Polynomial", "Predict",
    "RandAugment",
    "RandomCrop", "RandomErasing",
    "RandomFlip", "RandomResizedCrop", "Reconstruction", "Regression", "Resources", "RmsProp", "Rotate", "Rule", "Runner",
    "Sample",
    "ScaleJitter",
    "Schedule", "Search", "Secret", "Segmentation", "Serving", "Sgd", "Shapes", "SimpleModels", "Source", "Space", "Splits",
    "Step",
    "Subwords", "Table", "Task", "TfRecord", "Tfds", "Training", "Transform", "Translate", "VisibleObjects", "Voc",
    "Vocabulary", "Whitening", "Words", "Yolo", "ZcaWhitening", "Zoom",
]  # fmt: skip
