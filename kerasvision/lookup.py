"""Finds the code of a short name without importing that code.

Each table maps a name to `"module:attribute"`. Wherever a name is accepted, a path of that form is accepted too. Users plug
in their own networks, sources and tasks in this way.

>>> MODELS.path("lenet5")
'kerasvision.models.lenet:lenet5'
>>> COMPONENTS.path("digit")
Traceback (most recent call last):
...
kerasvision.errors.ConfigError: no component is named 'digit'; did you mean 'digits'?
>>> load("math:sqrt")(9.0)
3.0
"""

import difflib
import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from kerasvision.errors import ConfigError, shown
from kerasvision.shortened import shortened

# How many names an error message lists: all networks, for example, but not all of 10,000 classes.
MOST_CHOICES = 50


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of an error message: the closest of `names`, or all of them.

    >>> did_you_mean("epoch", ["epochs", "seed"])
    "did you mean 'epochs'?"
    >>> did_you_mean("zzz", ["epochs", "seed"])
    'choose from epochs, seed'
    """
    names = sorted(names)
    if not names:
        return "there are none"
    # The beginning of a long text is enough: the time to compare grows with the square of the length.
    close = difflib.get_close_matches(name[:200], names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else "choose from " + shortened(names, most=MOST_CHOICES)


def load(path: str) -> Any:
    """The object at `"module:attribute"`, importing the module now.

    Raises:
        ConfigError: the text does not have this form, or the module or the attribute does not exist.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError("a path to code must have the form 'module:attribute'", received=path)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise ConfigError(
                f"there is no module {module_name!r}",
                received=path,
                hint="put it in the folder that you run the command in, or install it",
            ) from None
        raise
    if not hasattr(module, attribute):
        raise ConfigError(f"{module_name} has no {attribute!r}; {did_you_mean(attribute, vars(module))}")
    return getattr(module, attribute)


class Table:
    """A table of names of one kind, each with the path of its code. It does not list the names of `others`."""

    def __init__(self, noun: str, entries: dict[str, str], *, group: str = "", others: dict[str, str] | None = None) -> None:
        self.noun = noun
        self._entries = dict(entries)
        self._group = group
        self._known = self._entries | (others or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def path(self, name: str) -> str:
        """`"module:attribute"` of a name; a text that already has that form is returned unchanged.

        Raises:
            ConfigError: no such name; the message suggests the closest one, and lists all if the table has groups.
        """
        if name in self._known:
            return self._known[name]
        if ":" in name:
            return name
        hint = f"by {self._group}: {self._by_module()}" if self._group else ""
        close = did_you_mean(name, self._known)
        # A list of choices has only the table's own names.
        close = close if close.endswith("?") else did_you_mean(name, self._entries)
        raise ConfigError(f"no {self.noun} is named {shown(name)}; {close}", hint=hint)

    def _by_module(self) -> str:
        groups: dict[str, list[str]] = {}
        for name, path in self._entries.items():
            groups.setdefault(path.partition(":")[0].rpartition(".")[2], []).append(name)
        more = len(self._known) - len(self._entries)
        listed = [f"{module}: {', '.join(names)}" for module, names in groups.items()]
        return "; ".join([*listed, *([f"and {more} names such as {[*self._known][-1]}"] if more else [])])

    def name(self, path: str) -> str:
        """The short name of a path, or the path itself if it is not in the table."""
        return next((name for name, entry in self._known.items() if entry == path), path)

    def load(self, name: str) -> Any:
        """The object with a name, importing its module now."""
        return load(self.path(name))


# The networks of keras.applications. Their functions there have these names without underscores.
OF_KERAS = {
    f"keras/{name}": f"kerasvision.models.keras_applications:{name}"
    for name in (
        "mobilenet", "mobilenetv2", "mobilenetv3_large", "mobilenetv3_small",
        *(f"efficientnet_b{size}" for size in range(8)),
        *(f"efficientnetv2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")),
        *(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge")),
        "resnet50", "resnet101", "resnet152", "resnet50v2", "resnet101v2", "resnet152v2", "vgg16", "vgg19", "xception",
        "densenet121", "densenet169", "densenet201", "inceptionv3", "inceptionresnetv2", "nasnet_mobile", "nasnet_large",
    )
}  # fmt: skip

# Networks that make images. They have other inputs and outputs than those of `MODELS`, which answer about an image.
GENERATORS = {
    "vae": "kerasvision.models.vae:vae",
    "dcgan": "kerasvision.models.dcgan:dcgan",
}

MODELS = Table(
    "model",
    {
        "linear": "kerasvision.models.linear:linear",
        "mlp": "kerasvision.models.mlp:mlp",
        "lenet5": "kerasvision.models.lenet:lenet5",
        "alexnet": "kerasvision.models.alexnet:alexnet",
        "alexnet_2012": "kerasvision.models.alexnet:alexnet_2012",
        "vgg11": "kerasvision.models.vgg:vgg11",
        "vgg13": "kerasvision.models.vgg:vgg13",
        "vgg16": "kerasvision.models.vgg:vgg16",
        "vgg19": "kerasvision.models.vgg:vgg19",
        "nin": "kerasvision.models.nin:nin",
        "googlenet": "kerasvision.models.googlenet:googlenet",
        "inception_v3": "kerasvision.models.inception:inception_v3",
        "resnet18": "kerasvision.models.resnet:resnet18",
        "resnet34": "kerasvision.models.resnet:resnet34",
        "resnet50": "kerasvision.models.resnet:resnet50",
        "resnet101": "kerasvision.models.resnet:resnet101",
        "resnet152": "kerasvision.models.resnet:resnet152",
        "resnet20": "kerasvision.models.resnet_small:resnet20",
        "resnet32": "kerasvision.models.resnet_small:resnet32",
        "resnet44": "kerasvision.models.resnet_small:resnet44",
        "resnet56": "kerasvision.models.resnet_small:resnet56",
        "resnet110": "kerasvision.models.resnet_small:resnet110",
        "resnet9": "kerasvision.models.resnet9:resnet9",
        "resnet18_v2": "kerasvision.models.resnet_v2:resnet18_v2",
        "resnet34_v2": "kerasvision.models.resnet_v2:resnet34_v2",
        "resnet50_v2": "kerasvision.models.resnet_v2:resnet50_v2",
        "resnet101_v2": "kerasvision.models.resnet_v2:resnet101_v2",
        "resnet152_v2": "kerasvision.models.resnet_v2:resnet152_v2",
        "densenet121": "kerasvision.models.densenet:densenet121",
        "densenet169": "kerasvision.models.densenet:densenet169",
        "densenet201": "kerasvision.models.densenet:densenet201",
        "densenet_small": "kerasvision.models.densenet:densenet_small",
        "efficientnet_lite0": "kerasvision.models.efficientnet_lite:efficientnet_lite0",
        "efficientnet_lite1": "kerasvision.models.efficientnet_lite:efficientnet_lite1",
        "efficientnet_lite2": "kerasvision.models.efficientnet_lite:efficientnet_lite2",
        "efficientnet_lite3": "kerasvision.models.efficientnet_lite:efficientnet_lite3",
        "efficientnet_lite4": "kerasvision.models.efficientnet_lite:efficientnet_lite4",
        "show_and_tell": "kerasvision.models.captioner:show_and_tell",
        "show_attend_tell": "kerasvision.models.captioner:show_attend_tell",
        "localizer": "kerasvision.models.localizer:localizer",
        "autoencoder": "kerasvision.models.autoencoder:autoencoder",
        "fcos": "kerasvision.models.fcos:fcos",
        "retinanet": "kerasvision.models.retinanet:retinanet",
        "ssd300": "kerasvision.models.ssd:ssd300",
        "ssd": "kerasvision.models.ssd:ssd",
        "yolo_v1": "kerasvision.models.yolo:yolo_v1",
        "yolo": "kerasvision.models.yolo:yolo",
        "rcnn": "kerasvision.models.fast_rcnn:rcnn",
        "fast_rcnn": "kerasvision.models.fast_rcnn:fast_rcnn",
        "faster_rcnn": "kerasvision.models.faster_rcnn:faster_rcnn",
        "faster_rcnn_fpn": "kerasvision.models.faster_rcnn:faster_rcnn_fpn",
        "rfcn": "kerasvision.models.rfcn:rfcn",
        "unet": "kerasvision.models.unet:unet",
        "fcn32s": "kerasvision.models.fcn:fcn32s",
        "fcn16s": "kerasvision.models.fcn:fcn16s",
        "fcn8s": "kerasvision.models.fcn:fcn8s",
        "fcn": "kerasvision.models.fcn:fcn",
        "deconvnet": "kerasvision.models.deconvnet:deconvnet",
        "deeplab_v3": "kerasvision.models.deeplab:deeplab_v3",
    },
    group="family",
    others=GENERATORS | OF_KERAS,
)

# The functions that check the values of a network's options, without Keras.
OPTION_CHECKS = Table(
    "check of options",
    {
        "mlp": "kerasvision.config.network_options:check_mlp",
        "autoencoder": "kerasvision.config.network_options:check_autoencoder",
        "localizer": "kerasvision.config.network_options:check_localizer",
        "fcos": "kerasvision.config.network_options:check_fcos",
        "retinanet": "kerasvision.config.network_options:check_retinanet",
        "ssd300": "kerasvision.config.network_options:check_ssd300",
        "ssd": "kerasvision.config.network_options:check_ssd",
        "yolo_v1": "kerasvision.config.network_options:check_yolo_v1",
        "yolo": "kerasvision.config.network_options:check_yolo",
        "rcnn": "kerasvision.config.region_options:check_rcnn",
        "fast_rcnn": "kerasvision.config.region_options:check_fast_rcnn",
        "faster_rcnn": "kerasvision.config.region_options:check_faster_rcnn",
        "faster_rcnn_fpn": "kerasvision.config.region_options:check_faster_rcnn_fpn",
        "rfcn": "kerasvision.config.region_options:check_rfcn",
        **dict.fromkeys(GENERATORS, "kerasvision.config.generator_sizes:check_generator"),
    },
)

# The kinds of component that a pipeline file may name; each entry is its settings class.
COMPONENTS = Table(
    "component",
    {
        "digits": "kerasvision.config.sources:Digits",
        "image_folder": "kerasvision.config.sources:ImageFolder",
        "idx": "kerasvision.config.sources:Idx",
        "tfds": "kerasvision.config.sources:Tfds",
        "table": "kerasvision.config.table_source:Table",
        "coco": "kerasvision.config.coco:Coco",
        "yolo": "kerasvision.config.box_sources:Yolo",
        "voc": "kerasvision.config.box_sources:Voc",
        "masks": "kerasvision.config.map_sources:Masks",
        "tf_record": "kerasvision.config.sources:TfRecord",
        "shapes": "kerasvision.config.sources:Shapes",
        "pca_whitening": "kerasvision.config.whitening:PcaWhitening",
        "zca_whitening": "kerasvision.config.whitening:ZcaWhitening",
        "pad_crop": "kerasvision.config.augmentation:PadCrop",
        "random_crop": "kerasvision.config.augmentation:RandomCrop",
        "random_flip": "kerasvision.config.augmentation:RandomFlip",
        "rotate": "kerasvision.config.augmentation:Rotate",
        "translate": "kerasvision.config.augmentation:Translate",
        "zoom": "kerasvision.config.augmentation:Zoom",
        "scale_jitter": "kerasvision.config.augmentation:ScaleJitter",
        "iou_crop": "kerasvision.config.augmentation:IouCrop",
        "visible_objects": "kerasvision.config.augmentation:VisibleObjects",
        "random_resized_crop": "kerasvision.config.augmentation:RandomResizedCrop",
        "color_jitter": "kerasvision.config.augmentation_pixels:ColorJitter",
        "lighting": "kerasvision.config.augmentation_pixels:Lighting",
        "grayscale": "kerasvision.config.augmentation_pixels:Grayscale",
        "gaussian_blur": "kerasvision.config.augmentation_pixels:GaussianBlur",
        "random_erasing": "kerasvision.config.augmentation_pixels:RandomErasing",
        "cutout": "kerasvision.config.augmentation_pixels:Cutout",
        "randaugment": "kerasvision.config.augmentation_pixels:RandAugment",
        "augmix": "kerasvision.config.augmentation_pixels:AugMix",
        "mixup": "kerasvision.config.augmentation_mixing:MixUp",
        "cutmix": "kerasvision.config.augmentation_mixing:CutMix",
        "mosaic": "kerasvision.config.augmentation_mixing:Mosaic",
        "classification": "kerasvision.config.classification:Classification",
        "captioning": "kerasvision.config.captioning:Captioning",
        "detection": "kerasvision.config.detection:Detection",
        "localization": "kerasvision.config.localization:Localization",
        "regression": "kerasvision.config.regression:Regression",
        "generation": "kerasvision.config.generation:Generation",
        "segmentation": "kerasvision.config.segmentation:Segmentation",
        "multi_label": "kerasvision.config.multi_label:MultiLabel",
        "reconstruction": "kerasvision.config.reconstruction:Reconstruction",
        "no_classes": "kerasvision.config.reconstruction:NoClasses",
        "object_classes": "kerasvision.config.detection:ObjectClasses",
        "pixel_classes": "kerasvision.config.segmentation:PixelClasses",
        "value_names": "kerasvision.config.regression:ValueNames",
        "tag_classes": "kerasvision.config.multi_label:TagClasses",
        "words": "kerasvision.config.captioning:Words",
        "subwords": "kerasvision.config.captioning:Subwords",
        "greedy": "kerasvision.config.captioning:Greedy",
        "beam_search": "kerasvision.config.captioning:BeamSearch",
        "sample": "kerasvision.config.captioning:Sample",
        "sgd": "kerasvision.config.optimizers:Sgd",
        "adagrad": "kerasvision.config.optimizers:Adagrad",
        "rmsprop": "kerasvision.config.optimizers:RmsProp",
        "adam": "kerasvision.config.optimizers:Adam",
        "adamw": "kerasvision.config.optimizers:AdamW",
        "lion": "kerasvision.config.optimizers:Lion",
        "muon": "kerasvision.config.optimizers:Muon",
        "constant": "kerasvision.config.schedules:Constant",
        "step": "kerasvision.config.schedules:Step",
        "exponential": "kerasvision.config.schedules:Exponential",
        "inverse_time": "kerasvision.config.schedules:InverseTime",
        "polynomial": "kerasvision.config.schedules:Polynomial",
        "cosine": "kerasvision.config.schedules:Cosine",
        "one_cycle": "kerasvision.config.schedules:OneCycle",
        "float": "kerasvision.config.search:Float",
        "log_uniform": "kerasvision.config.search:LogUniform",
        "int": "kerasvision.config.search:Int",
        "choice": "kerasvision.config.search:Choice",
        "local": "kerasvision.config.runners:Local",
        "beam": "kerasvision.config.runners:Beam",
        "mlflow": "kerasvision.config.listeners:Mlflow",
        "open_lineage": "kerasvision.config.listeners:OpenLineage",
        "litert": "kerasvision.config.export:LiteRt",
        "litert_int8": "kerasvision.config.export:LiteRtInt8",
        "onnx": "kerasvision.config.export:Onnx",
        "openvino": "kerasvision.config.export:OpenVino",
        "openvino_bfloat16": "kerasvision.config.export:OpenVinoBfloat16",
        "at_least": "kerasvision.config.gate:AtLeast",
        "at_most": "kerasvision.config.gate:AtMost",
        "no_worse": "kerasvision.config.gate:NoWorse",
        "better": "kerasvision.config.gate:Better",
    },
)

# How people see the answers of a saved model; the file in the model holds the name.
PRESENTATIONS = Table(
    "presentation",
    {
        "found_objects": "kerasvision.tasks.detection.presentation:FoundObjects",
        "named_numbers": "kerasvision.tasks.regression.presentation:NamedNumbers",
        "located_object": "kerasvision.tasks.detection.presentation:LocatedObject",
        "pixel_classes": "kerasvision.tasks.segmentation.presentation:PixelClasses",
        "chosen_tags": "kerasvision.tasks.multi_label.presentation:ChosenTags",
        "restored_image": "kerasvision.tasks.reconstruction.presentation:RestoredImage",
    },
)

# What computes the network of a served model in place of TensorFlow; the names are those of the export formats.
ENGINES = Table(
    "engine",
    {
        "openvino": "kerasvision.served.openvino:in_float32",
        "openvino_bfloat16": "kerasvision.served.openvino:in_bfloat16",
    },
)

# The stages of the standard graph, in the order in which they run.
STAGES = Table(
    "stage",
    {
        "example_gen": "kerasvision.pipeline.stages.example_gen:example_gen",
        "statistics_gen": "kerasvision.pipeline.stages.statistics_gen:statistics_gen",
        "schema_gen": "kerasvision.pipeline.stages.schema_gen:schema_gen",
        "example_validator": "kerasvision.pipeline.stages.example_validator:example_validator",
        "transform": "kerasvision.pipeline.stages.transform:transform",
        "tuner": "kerasvision.pipeline.stages.tuner:tuner",
        "trainer": "kerasvision.pipeline.stages.trainer:trainer",
        "exporter": "kerasvision.pipeline.stages.exporter:exporter",
        "simple_models": "kerasvision.pipeline.stages.simple_models:simple_models",
        "evaluator": "kerasvision.pipeline.stages.evaluator:evaluator",
        "fold_evaluator": "kerasvision.pipeline.stages.fold_evaluator:fold_evaluator",
        "cross_validation": "kerasvision.pipeline.stages.cross_validation:cross_validation",
        "infra_validator": "kerasvision.pipeline.stages.infra_validator:infra_validator",
        "final_plan": "kerasvision.pipeline.stages.final_plan:final_plan",
        "final_trainer": "kerasvision.pipeline.stages.final_trainer:final_trainer",
        "final_exporter": "kerasvision.pipeline.stages.final_exporter:final_exporter",
        "final_infra_validator": "kerasvision.pipeline.stages.final_infra_validator:final_infra_validator",
        "pusher": "kerasvision.pipeline.stages.pusher:pusher",
        "bulk_inferrer": "kerasvision.pipeline.stages.bulk_inferrer:bulk_inferrer",
    },
)
