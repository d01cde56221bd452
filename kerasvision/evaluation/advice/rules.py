"""All rules, in the order of the course: sanity checks, copies, bias and variance, and last what the scores can decide."""

from kerasvision.evaluation.advice import fitting, images, judging
from kerasvision.evaluation.advice.advice import Advice, Rule, advise
from kerasvision.evaluation.advice.facts import Facts

RULES: tuple[Rule, ...] = (
    fitting.exploding,
    fitting.flat,
    images.contradictions,
    images.leaks,
    fitting.bias,
    fitting.variance,
    fitting.still_falling,
    fitting.turned,
    images.few_images,
    images.imbalance,
    fitting.unlike_splits,
    judging.simple_is_as_good,
    judging.confusion,
    judging.weak_part,
    judging.overconfident,
    judging.too_wide,
    judging.beyond_people,
)


def advice_on(facts: Facts) -> list[Advice]:
    """What the rules say about a run; of bias and variance, the larger comes first (Ng, Machine Learning Yearning, ch. 20).

    >>> fits = Facts(metric="accuracy", history={"accuracy": [0.9], "val_accuracy": [0.7]})
    >>> [(advice.rule, round(advice.weight, 2)) for advice in advice_on(fits)]
    [('variance', 0.2), ('bias', 0.1)]
    """
    return advise(facts, RULES)
