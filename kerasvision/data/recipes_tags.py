"""Chooses the settings of a first pipeline that gives images any number of tags, and says why, a sentence for each choice.

the table lists                                   the recipe trains
photos, and ImageNet weights are installed        a linear layer on EfficientNet-Lite, which begins with these weights
anything else                                     a quarter of ResNet-18, from nothing
"""

from kerasvision.data.recipe import Choice, Recipe
from kerasvision.data.recipes_annotated import (
    FEW_IMAGES,
    Plan,
    augmentation_choice,
    planned,
    reason,
    splits_choice,
    training_choice,
    transform_choice,
)
from kerasvision.data.tags_look import TagsLook
from kerasvision.errors import DataError

# The side of the network's image: at least the first, and without weights at most the second.
LEAST_SIDE, PLAIN_SIDE = 32, 128
# An answer may have more tags than this by default only if an image has.
USUAL_TAGS = 20
# From this many tags on, an image has few of them, and the asymmetric loss is worth a trial.
MANY_TAGS = 50
ABOVE = 0.05


def choose_for_tags(look: TagsLook, *, network: str | None, epochs: int | None = None) -> Recipe:
    """The recipe for a table of images with tags.

    Args:
        look: what the table holds.
        network: a network whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: the recipe's own number.

    Raises:
        DataError: every image has every tag, or no image would be left to train on, or to judge by.
    """
    if min(look.counts.values()) == look.total:
        raise DataError("a tag that is learned must be missing from some images", received=", ".join(look.counts))
    plan = planned(look, network=network, epochs=epochs, usual=_epochs)
    return Recipe(
        summary=_summary(plan),
        reason=reason(plan),
        expected=plan.expected,
        epochs=plan.epochs,
        is_final=False,
        choices=(
            _splits(plan),
            _transform(plan),
            augmentation_choice(plan, annotations="Images"),
            _task(plan),
            _model(plan),
            training_choice(plan, plain_rate="4e-3", plain_decay="0.05"),
            _gate(plan),
        ),
    )


def _side(plan: Plan[TagsLook]) -> int:
    return plan.side(least=LEAST_SIDE, plain=PLAIN_SIDE)


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 60), (FEW_IMAGES, 30), (10_000, 20)) if train < most), 10)


def _summary(plan: Plan[TagsLook]) -> str:
    side = _side(plan)
    network = (
        f"{plan.network}, which begins with ImageNet weights," if plan.network else "a quarter of ResNet-18, from nothing,"
    )
    return f"{network} at {side} x {side} pixels"


def _splits(plan: Plan[TagsLook]) -> Choice:
    plain = splits_choice(plan)
    why = f"{plain.why} Each split gets its share of each tag."
    return Choice("splits", plain.code.replace(")", ", stratify=True)"), why)


def _transform(plan: Plan[TagsLook]) -> Choice:
    why = "Padding keeps everything that the tags speak of. A larger image_size shows more, and takes longer."
    return transform_choice(plan, side=_side(plan), why=why)


def _task(plan: Plan[TagsLook]) -> Choice:
    look = plan.look
    common, rare = look.counts.most_common(1)[0], look.counts.most_common()[-1]
    most = look.per_image[-1]
    why = f"{common[0]} is in {common[1]:,} images and {rare[0]} in {rare[1]:,}; an image has up to {most} tags."
    if len(look.counts) >= MANY_TAGS:
        why += ' For many tags, loss="asymmetric" may be better.'
    options = f"most_tags={most}" if most > USUAL_TAGS else ""
    return Choice("task", f"c.MultiLabel({options})", why)


def _model(plan: Plan[TagsLook]) -> Choice:
    if plan.network:
        return Choice("model", f'c.Model(name="{plan.network}", weights="imagenet")', "It knows photos already.")
    return Choice("model", 'c.Model(name="resnet18", options={"width": 0.25})', "It is small, and learns from nothing.")


def _gate(plan: Plan[TagsLook]) -> Choice:
    share = sum(plan.look.counts.values()) / (len(plan.look.counts) * plan.look.total)
    why = (
        f"A network that ranks images at random has about {share:.2f}, the mean share of the images that have a tag, and 1 "
        "is perfect. Raise the bound to what your use requires."
    )
    return Choice("gate", f'c.Gate(c.AtLeast("mean_average_precision", {min(0.95, share + ABOVE):.2f}))', why)
