"""Which trials are hopeless: the median stopping rule (Golovin et al., 2017, Google Vizier, section 3.2.2).

A trial is stopped after an epoch if its best value so far is worse than this threshold: for each earlier trial, the mean of
its values up to that epoch; of these means, the median. https://doi.org/10.1145/3097983.3098043
"""

from collections.abc import Sequence
from statistics import fmean, median

from kerasvision.tuning.trials import Rows, TunedMetric

# The median of fewer trials is not reliable.
LEAST_TRIALS = 3


def thresholds(histories: Sequence[Rows], *, objective: TunedMetric, epochs: int) -> tuple[float | None, ...]:
    """The worst allowed best value of a trial after epoch 1, 2, ... `epochs`.

    Args:
        histories: of the earlier trials; epochs without a finite value do not count.
        objective: by which trials are compared.
        epochs: number of epochs of the trial.

    Returns:
        A value per epoch; None for every epoch if there are too few measured trials to stop any.

    >>> earlier = [[{"val_loss": 3.0}, {"val_loss": 1.0}], [{"val_loss": 4.0}, {"val_loss": 2.0}], [{"val_loss": 5.0}]]
    >>> thresholds(earlier, objective=TunedMetric("val_loss", "min"), epochs=2)
    (4.0, 3.0)
    >>> thresholds(earlier[:2], objective=TunedMetric("val_loss", "min"), epochs=2)
    (None, None)
    """
    measured = [values for values in map(objective.measured, histories) if values]
    if len(measured) < LEAST_TRIALS:
        return (None,) * epochs
    return tuple(median(fmean(values[:epoch]) for values in measured) for epoch in range(1, epochs + 1))


def why_hopeless(rows: Rows, limits: Sequence[float | None], *, objective: TunedMetric) -> str | None:
    """Why a trial with this history must stop now; None if it may continue.

    >>> why_hopeless([{"val_loss": 4.5}], (4.0, 3.0), objective=TunedMetric("val_loss", "min"))
    'hopeless: after epoch 1 its best val_loss is 4.5; the median of earlier trials is 4'
    """
    limit = limits[len(rows) - 1] if len(rows) <= len(limits) else None
    values = objective.measured(rows)
    if limit is None or (values and not objective.better(limit, objective.best(values))):
        return None
    best = f"{objective.best(values):.6g}" if values else "not a number"
    median_so_far = f"the median of earlier trials is {limit:.6g}"
    return f"hopeless: after epoch {len(rows)} its best {objective.name} is {best}; {median_so_far}"
