"""Rules about the images: are there enough of each class, and are the splits apart?"""

from collections.abc import Iterator

from kerasvision.evaluation.advice.advice import Advice
from kerasvision.evaluation.advice.facts import TRAIN, Facts
from kerasvision.shortened import shortened

# Training images, or objects, of a class.
FEW = 50
# The commonest class divided by the rarest.
UNEVEN = 10
MOST_NAMED = 5
# A setting of the tasks that can weigh their classes; None without weights.
WEIGHTS, SET = "task.class_weights", object()


def few_images(facts: Facts) -> Advice | None:
    """A class or a tag has fewer than 50 training images; of a task that learns objects, fewer than 50 of these.

    Source: cs231n, Transfer Learning: with little data, start from a network that was trained on other images. The threshold
    is ours.
    """
    few = sorted((count, label) for label, count in facts.counts.get(TRAIN, {}).items() if count < FEW)
    if not few:
        return None
    named = shortened([f"{label} {count:,}" for count, label in few], most=MOST_NAMED)
    return Advice(
        "few_images",
        f"Some {facts.many} have few training {facts.things}.",
        f"fewer than {FEW}: {named}",
        f"More {facts.things} of these {facts.many} first. Begin with trained weights (model.weights), freeze most of them "
        "(training.freeze), and augment.",
        "cs231n, Transfer Learning",
    )


def imbalance(facts: Facts) -> Advice | None:
    """The commonest class has at least 10 times as many training images as the rarest; tags and objects likewise.

    Source: He and Garcia, 2009, Learning from Imbalanced Data, sections 2 and 4. The threshold is ours.
    """
    counts = facts.counts.get(TRAIN, {})
    if len(counts) < 2:
        return None
    (least, rarest), (most, commonest) = (end((count, label) for label, count in counts.items()) for end in (min, max))
    if most < UNEVEN * max(least, 1):
        return None
    return Advice(
        "imbalance",
        f"The {facts.many} are uneven.",
        f"{most:,} training {facts.things} of {commonest}, {least:,} of {rarest}",
        " ".join(_against_imbalance(facts)),
        "He and Garcia, 2009, sections 2 and 4",
    )


def _against_imbalance(facts: Facts) -> Iterator[str]:
    """Sentences: only metrics that the task has, and class weights only if it can have them and has none."""
    if facts.even:
        yield f"Judge by a metric that gives every {facts.one} the same weight: {' or '.join(facts.even)}."
    if facts.settings.get(WEIGHTS, SET) is None:
        yield f"Let the rare {facts.many} weigh more in the training: --set {WEIGHTS}=balanced."
    yield f"More {facts.things} of the rare {facts.many}."


def leaks(facts: Facts) -> Advice | None:
    """An image, or one that looks like it, is in several splits.

    Source: Barz and Denzler, 2020, Do We Train on Test Data? Purging CIFAR of Near-Duplicates.
    """
    if not facts.shared:
        return None
    return Advice(
        "leaks",
        "The scores are too good: images that look alike are in several splits.",
        f"{facts.shared:,} groups of copies or look-alikes in more than one split",
        "Say which images belong together (source.group of a table), or leave them out: ingest.quarantine_file names the "
        "file that the stage example_validator wrote.",
        "Barz and Denzler, 2020",
    )


def contradictions(facts: Facts) -> Advice | None:
    """Copies of an image have different labels.

    Source: Ng, Machine Learning Yearning, chapter 16: clean up mislabelled examples.
    """
    if not facts.contradictions:
        return None
    return Advice(
        "contradictions",
        "Some labels are wrong.",
        f"{facts.contradictions:,} groups of copies whose labels differ",
        "`kerasvision data scan FILE` names them. Correct the labels, or leave these images out: ingest.quarantine_file.",
        "Ng, Machine Learning Yearning, chapter 16",
    )
