"""Rules about the training: does the loss fall, does the network fit the training images, does it carry over to others?"""

import math

from kerasvision.evaluation.advice.advice import Advice
from kerasvision.evaluation.advice.facts import TEST, VALIDATION, Facts

# A share of the loss of a network that knows nothing.
FLAT = 0.95
# By how much the loss fell from one fifth of the epochs to the next, as a share.
STILL_FALLING, PART, GOOD = 0.05, 5, 0.98
# By how much the loss of the validation images rose above its minimum, as a share.
TURNED = 0.1
# Of a score between 0 and 1.
BIAS = VARIANCE = 0.05
# The loss of the validation images divided by that of the training images.
LOSS_RATIO = 1.5
CS231N = "cs231n, Neural Networks Part 3"
YEARNING = "Ng, Machine Learning Yearning"


def exploding(facts: Facts) -> Advice | None:
    """The training loss is not a number, or ends above where it began.

    Source: cs231n, Neural Networks Part 3, "Loss function": a learning rate that is too high makes the loss rise.
    """
    losses = facts.history.get("loss", ())
    bad = next((epoch for epoch, loss in enumerate(losses, 1) if not math.isfinite(loss)), None)
    if bad is None and (len(losses) < 2 or losses[-1] <= losses[0]):
        return None
    figures = f"loss {losses[0]:.3g} after the first epoch, {losses[-1]:.3g} after the last"
    return Advice(
        "exploding",
        "The training loss grew.",
        figures if bad is None else f"the loss of epoch {bad} is not a finite number",
        "Divide training.optimizer.learning_rate by 10, or set training.clip_norm and training.warmup_epochs. "
        "`kerasvision tune FILE --find-learning-rate` shows where the loss falls fastest.",
        f"{CS231N}, Loss function",
    )


def flat(facts: Facts) -> Advice | None:
    """The loss never fell below 0.95 times that of a network that gives every class the same score: ln(C) for C classes.

    Source: cs231n, Neural Networks Part 3, "Sanity checks": the loss begins at ln(C). The threshold is ours.
    """
    column, value = facts.chance or ("", 0.0)
    finite = [loss for loss in facts.history.get(column, ()) if math.isfinite(loss)]
    if not finite or min(finite) < FLAT * value:
        return None
    return Advice(
        "flat",
        "The network learned nothing.",
        f"{column} {min(finite):.3f} at best; equal scores for all classes give {value:.3f}",
        "Look at images with their labels: `kerasvision data show FILE`. If they are right, the learning rate is too low or "
        "far too high: `kerasvision tune FILE --find-learning-rate`. `kerasvision doctor --overfit FILE` says whether the "
        "network can fit one batch at all.",
        f"{CS231N}, Sanity checks",
    )


def still_falling(facts: Facts) -> Advice | None:
    """The loss fell by more than 5 % from the fifth of the epochs before the last fifth to the last; from 5 epochs on.

    The loss of the validation images, or of the training images if it was not measured on others. Nothing is said if the
    headline metric is above 0.98 on the validation images: there is little left to gain.

    Source: cs231n, Neural Networks Part 3, "Loss function". The threshold is ours.
    """
    column = "val_loss" if facts.history.get("val_loss") else "loss"
    losses = facts.history.get(column, ())
    part = len(losses) // PART
    is_good = facts.fitted is not None and facts.fitted[1] > GOOD
    if is_good or not part or not all(math.isfinite(loss) for loss in losses):
        return None
    before, after = (sum(some) / part for some in (losses[-2 * part : -part], losses[-part:]))
    if not before > 0 or after >= (1 - STILL_FALLING) * before:
        return None
    return Advice(
        "still_falling",
        "The loss was still falling when the training ended.",
        f"mean {column} {before:.3f} in epochs {len(losses) - 2 * part + 1} to {len(losses) - part}, {after:.3f} after that",
        f"Train longer: --set training.epochs={2 * len(losses)}.",
        f"{CS231N}, Loss function",
    )


def turned(facts: Facts) -> Advice | None:
    """The loss of the validation images ended more than 10 % above its minimum, and the weights of the last epoch are kept.

    Source: Goodfellow et al., Deep Learning, section 7.8, early stopping. The threshold is ours.
    """
    losses = [loss for loss in facts.history.get("val_loss", ()) if math.isfinite(loss)]
    if not losses or facts.settings.get("training.keep") == "best" or not min(losses) > 0:
        return None
    if losses[-1] <= (1 + TURNED) * min(losses):
        return None
    return Advice(
        "turned",
        "The loss of the validation images rose again.",
        f"val_loss {min(losses):.3f} in epoch {losses.index(min(losses)) + 1}, {losses[-1]:.3f} in the last, {len(losses)}",
        "Keep the best weights, --set training.keep=best, or set training.early_stopping. More images, augmentation or "
        "weight decay move that point.",
        "Goodfellow et al., Deep Learning, section 7.8",
    )


def bias(facts: Facts) -> Advice | None:
    """The score on the training images is more than 0.05 below that of people or, if that is not known, below 1.

    Source: Ng, Machine Learning Yearning, chapters 20 to 25: avoidable bias is the distance to the best possible score. The
    threshold is ours.
    """
    if facts.fitted is None:
        return None
    train, _ = facts.fitted
    best = facts.human.get(facts.metric, 1.0)
    if best - train <= BIAS:
        return None
    whose = "people reach" if facts.metric in facts.human else "the best possible is"
    return Advice(
        "bias",
        "The network does not fit its training images.",
        f"{facts.metric} {train:.3f} on training images, as augmented; {whose} {best:.3f}",
        "A larger network (model.name, or its width), more epochs, another learning rate or schedule; less augmentation, "
        "training.l2 and weight decay; larger images (transform.image_size).",
        f"{YEARNING}, chapters 20 to 25",
        weight=best - train,
    )


def variance(facts: Facts) -> Advice | None:
    """The score on the validation images is more than 0.05 below that on the training images.

    If the scores are not shares, or were not measured on both: the loss of the validation images is more than 1.5 times that
    of the training images.

    Source: Ng, Machine Learning Yearning, chapters 20 to 27; cs231n, Neural Networks Part 3, "Train/val accuracy". The
    thresholds are ours.
    """
    if facts.fitted is not None:
        train, validation = facts.fitted
        gap, metric = train - validation, facts.metric
        is_large = gap > VARIANCE
    else:
        train, validation = facts.last("loss") or 0.0, facts.last("val_loss") or 0.0
        gap, metric = 0.0, "loss"
        is_large = train > 0 and validation > LOSS_RATIO * train and not facts.mixes
    if not is_large:
        return None
    return Advice(
        "variance",
        "The network does better on its training images than on others.",
        f"{metric} {train:.3f} on training images, as augmented, {validation:.3f} on validation images",
        "More training images; stronger augment; weights trained on other images (model.weights); "
        "training.optimizer.weight_decay or training.l2; early stopping; at last a smaller network.",
        f"{YEARNING}, chapters 20 to 27; {CS231N}, Train/val accuracy",
        weight=gap,
    )


def unlike_splits(facts: Facts) -> Advice | None:
    """The intervals of the headline metric on the validation and on the test images do not overlap.

    Source: Ng, Machine Learning Yearning, chapters 5 to 9 and 41: both must come from the same images, and a development set
    that was used for many decisions is overfitted.
    """
    validation, test = facts.score(VALIDATION), facts.score(TEST)
    if validation is None or test is None:
        return None
    if not (validation.low > test.high or test.low > validation.high):
        return None
    return Advice(
        "unlike_splits",
        "Validation and test images are unlike each other.",
        f"{facts.metric} {validation.value:.3f} ({validation.low:.3f} to {validation.high:.3f}) on validation images, "
        f"{test.value:.3f} ({test.low:.3f} to {test.high:.3f}) on test images",
        "Let both come from the same source: without splits of its own, it is divided by content. If the validation images "
        "chose many settings, they are used up: another splits.salt draws others.",
        f"{YEARNING}, chapters 5 to 9 and 41",
    )
