"""What each rule of a gate says of a model: passed or failed, with the value, the bound and the reason."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from kerasvision.config.gate import FACTS, Better, Bound, Change, NoWorse
from kerasvision.errors import ConfigError, StageError
from kerasvision.evaluation import significance
from kerasvision.evaluation.bootstrap import paired_differences
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.tasks.base import Task

# Fewer images than these are not enough to test a change.
LEAST_EXAMPLES = 30
RESAMPLES = 1000

UNKNOWN = (math.nan, math.nan)
UNSURE = "not_enough_data"
Outcome = Literal["passed", "failed", "no_baseline", "not_enough_data"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule says of the model, or of one slice of its answers.

    Attributes:
        rule: the rule in words: `accuracy of label=tulips >= 0.97`.
        outcome: "passed", "failed", "no_baseline" where there is no blessed model to compare with yet, or "not_enough_data"
            where a change is tested and may as well be none.
        value: the model's.
        bound: what it was compared with; None where there was nothing.
        reason: why this outcome, in words.
        baseline: the last blessed model's value; None where there is none.
        interval: the confidence interval that was looked at: of the value, or of the change.
        p_value: of a test that gives one.
        examples: how many images the value is of.
    """

    rule: str
    outcome: Outcome
    value: float
    bound: float | None
    reason: str = ""
    baseline: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    examples: int | None = None


@dataclass(frozen=True)
class Case:
    """What a rule looks at: one metric, of all images or of one slice.

    Attributes:
        metric: its name.
        slice: (`label`, `tulips`), or None for all images.
        task: says of each metric whether more is better, and what it is the mean of.
        evaluated: the model.
        baseline: the last blessed model on the same images; None where there is none.
        facts: what infra_validator measured.
    """

    metric: str
    slice: tuple[str, str] | None
    task: Task
    evaluated: Evaluated
    baseline: Evaluated | None
    facts: Mapping[str, float]

    @property
    def name(self) -> str:
        """`accuracy`, or `accuracy of label=tulips`."""
        return self.metric if self.slice is None else f"{self.metric} of {'='.join(self.slice)}"

    @property
    def more_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return self.task.settings.best_is(self.metric) == "max"

    @cached_property
    def score(self) -> float:
        """The model's value; not a number where it was not measured."""
        if self.metric in FACTS:
            return float(self.facts.get(self.metric, math.nan))
        return self._score_of(self.evaluated)

    @cached_property
    def baseline_score(self) -> float | None:
        """The last blessed model's value; None where there is none, or it knows no such slice."""
        if self.baseline is None or self.metric in FACTS:
            return None
        if self.slice is not None and self._row_of(self.baseline) is None:
            return None
        return self._score_of(self.baseline)

    @property
    def examples(self) -> int | None:
        """How many images the score is of; None for a fact."""
        if self.metric in FACTS:
            return None
        row = self._row_of(self.evaluated)
        return len(self.evaluated.judgement.rows) if row is None else int(row["count"])

    @property
    def why_unknown(self) -> str:
        """Why the score is not a number."""
        if self.metric in FACTS:
            return "it was not measured"
        return self.evaluated.judgement.left_out.get(self.metric, "it is not a number")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The confidence interval of the score; None where the images are too few for one."""
        row = self._row_of(self.evaluated)
        found = self.evaluated.intervals.get(self.metric, UNKNOWN) if row is None else (row["low"], row["high"])
        found = (float(found[0]), float(found[1]))
        return None if math.isnan(found[0]) else found

    def change(self, rule: Change) -> significance.Change:
        """The change since the last blessed model, with its interval by the rule's test.

        Raises:
            ConfigError: the metric is not resampled.
            StageError: that model was asked about other images.
        """
        now, before = self.evaluated.judgement, self.baseline.judgement
        if now.rows["id"].tolist() != before.rows["id"].tolist():
            raise StageError("a change is tested on the same images, and the last blessed model was asked about others")
        positions = np.arange(len(now.rows))
        if self.slice is not None:
            kind, value = self.slice
            positions = np.flatnonzero(now.rows[f"slice_{kind}"] == value)
        if rule.test == "mcnemar":
            right = (judgement.rows["correct"].to_numpy()[positions] for judgement in (now, before))
            return significance.mcnemar_change(*right, confidence=rule.confidence)
        resampled = paired_differences(now, before, rows=positions, resamples=RESAMPLES).get(self.metric)
        if resampled is None:
            raise ConfigError(
                f"{self.metric} is not resampled for so many images, so its change cannot be tested",
                hint="leave `test` out of the rule, or test another metric",
            )
        return significance.bootstrap_change(self.score - self.baseline_score, resampled, confidence=rule.confidence)

    def _row_of(self, evaluated: Evaluated) -> pd.Series | None:
        if self.slice is None:
            return None
        table = evaluated.slices
        kind, value = self.slice
        found = table[(table["slice"] == kind) & (table["value"].astype(str) == value) & (table["metric"] == self.metric)]
        return None if found.empty else found.iloc[0]

    def _score_of(self, evaluated: Evaluated) -> float:
        row = self._row_of(evaluated)
        # A metric that has no value here, as with no example of a class, is no number: it passes no rule.
        return float(evaluated.judgement.scores.get(self.metric, math.nan) if row is None else row["score"])


def at_least(rule: Bound, case: Case) -> RuleResult:
    """The value, or the chosen end of its interval, reaches the bound."""
    return _bounded(rule, case, ">=", lambda value: value >= rule.value)


def at_most(rule: Bound, case: Case) -> RuleResult:
    """The value, or the chosen end of its interval, does not exceed the bound."""
    return _bounded(rule, case, "<=", lambda value: value <= rule.value)


def no_worse(rule: NoWorse, case: Case) -> RuleResult:
    """The value is at most a tolerance worse than the baseline's."""
    share = f"{rule.relative_tolerance:.4g} of it" if rule.relative_tolerance else f"{rule.tolerance:g}"
    text = f"{case.name} no worse than the last blessed model's by more than {share}"
    before = case.baseline_score
    tolerance = rule.tolerance + rule.relative_tolerance * abs(before or 0.0)
    return _compared(rule, case, text, least_gain=-tolerance, reached=lambda gain, least: gain >= least)


def better(rule: Better, case: Case) -> RuleResult:
    """The value is better than the baseline's by more than a margin."""
    text = f"{case.name} better than the last blessed model's by more than {rule.margin:g}"
    return _compared(rule, case, text, least_gain=rule.margin, reached=lambda gain, least: gain > least)


def _bounded(rule: Bound, case: Case, sign: str, holds: Callable[[float], bool]) -> RuleResult:
    interval = None if case.metric in FACTS else case.interval
    value = case.score if rule.end == "score" else (interval or UNKNOWN)[("low", "high").index(rule.end)]
    text = f"{case.name if rule.end == 'score' else f'{rule.end} end of {case.name}'} {sign} {rule.value:g}"
    why = f"{value:.6g} {'is' if holds(value) else 'is not'} {sign} {rule.value:g}"
    if math.isnan(value):
        why = case.why_unknown if math.isnan(case.score) else f"{case.examples} images are too few for an interval"
    return RuleResult(
        text, "passed" if holds(value) else "failed", value, rule.value, why,
        baseline=case.baseline_score, interval=interval, examples=case.examples,
    )  # fmt: skip


def _compared(
    rule: Change, case: Case, text: str, *, least_gain: float, reached: Callable[[float, float], bool]
) -> RuleResult:
    """A gain is a change for the better: of a loss, downwards."""
    before, direction = case.baseline_score, 1 if case.more_is_better else -1
    if before is None:
        why = "there is no blessed model to compare with yet"
        why = why if case.baseline is None else f"the last blessed model has no {case.name}"
        return RuleResult(text, "no_baseline", case.score, None, why, examples=case.examples)
    bound = before + direction * least_gain
    common = {"value": case.score, "bound": bound, "baseline": before, "examples": case.examples}
    if rule.test is None or math.isnan(case.score) or math.isnan(before):
        # Compared with the bound as it is reported, so that rounding cannot make the two disagree.
        holds = reached(direction * case.score, direction * bound)
        return RuleResult(text, "passed" if holds else "failed", reason=f"{case.score:.6g} after {before:.6g}", **common)
    if case.examples < LEAST_EXAMPLES:
        why = f"{case.examples} images are too few to test a change; {LEAST_EXAMPLES} are needed"
        return RuleResult(text, UNSURE, reason=why, **common)
    change = case.change(rule)
    low, high = sorted((direction * change.low, direction * change.high))
    is_known = not math.isnan(low)
    outcome = "passed" if reached(low, least_gain) else "failed" if is_known and not reached(high, least_gain) else UNSURE
    why = (
        f"the change lies between {change.low:+.4g} and {change.high:+.4g} with {100 * rule.confidence:g} % confidence "
        f"({rule.test}, {case.examples} images)"
    )
    why += ": it may be enough or not" if outcome == UNSURE else ""
    return RuleResult(text, outcome, reason=why, interval=(change.low, change.high), p_value=change.p_value, **common)


