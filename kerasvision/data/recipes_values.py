"""Chooses the settings of a first pipeline that estimates numbers, and says why, a sentence for each choice.

the table lists                                   the recipe trains
photos, and ImageNet weights are installed        EfficientNet-Lite, which begins with these weights
anything else                                     a quarter of ResNet-18, from nothing
"""

from kerasvision.data.recipe import Choice, Recipe
from kerasvision.data.recipes import PRETRAINED
from kerasvision.data.recipes_annotated import FEW_IMAGES, Plan, planned, reason, splits_choice, training_choice
from kerasvision.data.values_look import ValuesLook

# The sides of the network's image without weights.
LEAST_SIDE, PLAIN_SIDE = 32, 96
# What the first gate requires: more than the mean explains.
LEAST_R2 = 0.1


def choose_for_values(look: ValuesLook, *, network: str | None, epochs: int | None = None) -> Recipe:
    """The recipe for a table of images with numbers.

    Args:
        look: what the table holds.
        network: a network whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: the recipe's own number.

    Raises:
        DataError: no image would be left to train on, or to judge by.
    """
    plan = planned(look, network=network, epochs=epochs, usual=_epochs)
    ingest = [Choice("ingest", 'c.Ingest(missing_values="ignore")', _why_missing(look))] if look.has_missing else []
    return Recipe(
        summary=_summary(plan),
        reason=reason(plan),
        expected=plan.expected,
        epochs=plan.epochs,
        is_final=False,
        choices=(
            splits_choice(plan),
            *ingest,
            _transform(plan),
            _augmentation(plan),
            Choice(
                "task",
                'c.Regression(loss="huber")',
                "A few wrong numbers change little. The answers have the table's units.",
            ),
            _model(plan),
            training_choice(plan, plain_rate="2e-3", plain_decay="1e-2"),
            _gate(plan),
        ),
    )


def _side(plan: Plan[ValuesLook]) -> int:
    return PRETRAINED[plan.network] if plan.network else plan.side(least=LEAST_SIDE, plain=PLAIN_SIDE)


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 80), (FEW_IMAGES, 40), (10_000, 20)) if train < most), 10)


def _summary(plan: Plan[ValuesLook]) -> str:
    network = (
        f"{plan.network}, which begins with ImageNet weights," if plan.network else "a quarter of ResNet-18, from nothing,"
    )
    return f"{network} to estimate {', '.join(plan.look.values)} at {_side(plan)} x {_side(plan)} pixels"


def _why_missing(look: ValuesLook) -> str:
    missing = ", ".join(
        f"{numbers.missing:,} images lack {name}" for name, numbers in look.values.items() if numbers.missing
    )
    return f"{missing}. A number that is missing is neither learned nor measured; without this the image is left out."


def _transform(plan: Plan[ValuesLook]) -> Choice:
    side, mode = _side(plan), "grayscale" if plan.look.is_grey and not plan.network else "rgb"
    scale = "" if plan.network else ', scale="standardize"'
    why = "Stretching keeps all of the image. If proportions matter to the numbers, set fit='pad'."
    return Choice("transform", f'c.Transform(image_size=({side}, {side}), color_mode="{mode}"{scale})', why)


def _augmentation(plan: Plan[ValuesLook]) -> Choice:
    why = (
        "Only brightness and colours change. Numbers do not follow moved pixels: add c.RandomFlip() and c.PadCrop() if no "
        "number says where something is."
    )
    saturation = "0.0" if plan.look.is_grey else "0.2"
    return Choice("augment", f"(c.ColorJitter(brightness=0.2, contrast=0.2, saturation={saturation}),)", why)


def _model(plan: Plan[ValuesLook]) -> Choice:
    if plan.network:
        return Choice(
            "model", f'c.Model(name="{plan.network}", weights="imagenet")', "Its last layer is new: a number each."
        )
    return Choice("model", 'c.Model(name="resnet18", options={"width": 0.25})', "It is small, and a step is fast.")


def _gate(plan: Plan[ValuesLook]) -> Choice:
    deviations = ", ".join(f"{name} {numbers.deviation:.3g}" for name, numbers in plan.look.values.items())
    why = (
        f"R2 is the share of the variance that is explained: 0 is no better than the mean, 1 is perfect. The deviations: "
        f'{deviations}. Raise the bound, or bound an error such as c.AtMost("mae", ...).'
    )
    return Choice("gate", f'c.Gate(c.AtLeast("r2", {LEAST_R2}))', why)
