"""Rules about the scores: what is confused, which part is weak, can the figures decide, and are they worth a network?"""

import math

from kerasvision.evaluation.advice.advice import Advice
from kerasvision.evaluation.advice.facts import TEST, Facts

# Of the images of a label, answered with one other label; and how many they must be.
CONFUSED, LEAST_CONFUSED = 0.1, 5
# Images of a slice.
LEAST_OF_SLICE = 20
# Expected calibration error.
MISCALIBRATED, ERROR = 0.05, "expected_calibration_error"
# Width of the interval of a score between 0 and 1.
WIDE = 0.1
YEARNING = "Ng, Machine Learning Yearning"


def too_wide(facts: Facts) -> Advice | None:
    """The interval of the headline metric on the test images, a share, is wider than 0.1.

    The width falls with the square root of the number of images, which gives the number that is named.

    Source: Ng, Machine Learning Yearning, chapter 7: how large a test set must be. The threshold is ours.
    """
    test, count = facts.score(TEST), facts.examples.get(TEST, 0)
    if test is None or not test.high - test.low > WIDE or not 0 <= test.low <= test.high <= 1:
        return None
    needed = round(count * ((test.high - test.low) / WIDE) ** 2)
    return Advice(
        "too_wide",
        "There are too few test images to decide between models.",
        f"{facts.metric} {test.value:.3f}, between {test.low:.3f} and {test.high:.3f}, on {count:,} test images",
        f"About {needed:,} test images make the interval {WIDE} wide: collect more, or raise splits.test. Until then, "
        "compare models on the same images (c.NoWorse in the gate).",
        f"{YEARNING}, chapter 7",
    )


def confusion(facts: Facts) -> Advice | None:
    """At least a tenth of the images of a class, and 5 of them, were answered with one other class.

    Source: Ng, Machine Learning Yearning, chapters 14 to 19: error analysis, look at what is confused most. The threshold is
    ours.
    """
    pairs = [
        row for row in facts.confused if float(row["share_of_label"]) >= CONFUSED and int(row["count"]) >= LEAST_CONFUSED
    ]
    if not pairs:
        return None
    worst = max(pairs, key=lambda row: (int(row["count"]), float(row["share_of_label"])))
    share = f"{float(worst['share_of_label']):.0%}"
    return Advice(
        "confusion",
        f"{worst['label']} is often answered with {worst['answered']}.",
        f"{worst['count']} test images, {share} of those of {worst['label']}",
        "Look at them on the page of the evaluation: wrong labels, or classes that people confuse too? If they differ in "
        "details, use larger images. Otherwise collect more images of these two.",
        f"{YEARNING}, chapters 14 to 19",
    )


def weak_part(facts: Facts) -> Advice | None:
    """Even the better end of a slice's interval is worse than the worse end of all test images; with 20 images or more.

    The worst slice is named. Of very many slices, some are weak by chance.

    Source: Ng, Machine Learning Yearning, chapters 14 to 19.
    """
    test = facts.score(TEST)
    sign = 1 if facts.larger_is_better else -1
    rows = [
        row for row in facts.slices if row["metric"] == facts.metric and row["low"] and int(row["count"]) >= LEAST_OF_SLICE
    ]
    if test is None or not rows or math.isnan(test.low):
        return None
    worst = min(rows, key=lambda row: sign * float(row["score"]))
    best_end, worst_end = ("high", test.low) if facts.larger_is_better else ("low", test.high)
    if sign * float(worst[best_end]) >= sign * worst_end:
        return None
    return Advice(
        "weak_part",
        f"The model is weaker where {worst['slice']} is {worst['value']}.",
        f"{facts.metric} {float(worst['score']):.3f} ({float(worst['low']):.3f} to {float(worst['high']):.3f}) on "
        f"{int(worst['count']):,} of these, {test.value:.3f} on all",
        "Look at these images, and collect more like them. A rule of the gate can bound the score of every slice.",
        f"{YEARNING}, chapters 14 to 19",
    )


def simple_is_as_good(facts: Facts) -> Advice | None:
    """The best simple model reaches the worse end of the network's interval, in the headline metric.

    Source: cs231n, Image Classification; Ng, Machine Learning Yearning, chapter 13: begin with something simple.
    """
    test = facts.score(TEST)
    rows = [row for row in facts.simple if row["metric"] == facts.metric]
    if test is None or not rows or math.isnan(test.low):
        return None
    sign = 1 if facts.larger_is_better else -1
    best = max(rows, key=lambda row: sign * float(row["score"]))
    if sign * float(best["score"]) < sign * (test.low if facts.larger_is_better else test.high):
        return None
    return Advice(
        "simple_is_as_good",
        "A simple model is nearly as good as the network.",
        f"{best['model']} on {best['features']}: {facts.metric} {float(best['score']):.3f}; the network {test.value:.3f} "
        f"({test.low:.3f} to {test.high:.3f})",
        "Either the task is easy, and the simple model is enough; or the network is not trained well: see the advice on its "
        "training.",
        f"cs231n, Image Classification; {YEARNING}, chapter 13",
    )


def overconfident(facts: Facts) -> Advice | None:
    """The expected calibration error on the test images is above 0.05, and the scores promise more than is right.

    Source: Guo et al., 2017, https://arxiv.org/abs/1706.04599, sections 2 and 4. The threshold is ours.
    """
    error = facts.score(TEST, ERROR)
    total = sum(int(row["count"]) for row in facts.calibration)
    if error is None or error.value <= MISCALIBRATED or not total:
        return None
    promised, right = (
        sum(int(row["count"]) * float(row[name]) for row in facts.calibration) / total for name in ("confidence", "accuracy")
    )
    if promised <= right or facts.settings.get("export.temperature"):
        return None
    return Advice(
        "overconfident",
        "The scores promise more than is right.",
        f"the best label has a score of {promised:.3f} on average, and is right for {right:.3f}; expected calibration error "
        f"{error.value:.3f}",
        "--set export.temperature=true fits one number to the validation images; no answer changes.",
        "Guo et al., 2017, section 4",
    )


def beyond_people(facts: Facts) -> Advice | None:
    """The score on the test images is surely above that of people: even the worse end of its interval.

    Source: Ng, Machine Learning Yearning, chapters 33 to 35.
    """
    test, human = facts.score(TEST), facts.human.get(facts.metric)
    if test is None or human is None or not (test.low > human if facts.larger_is_better else test.high < human):
        return None
    return Advice(
        "beyond_people",
        "The model is better than people on these images.",
        f"{facts.metric} {test.value:.3f} ({test.low:.3f} to {test.high:.3f}), people {human:.3f}",
        "The labels of one person no longer judge it: let several people agree on the test labels before the next step.",
        f"{YEARNING}, chapters 33 to 35",
    )
