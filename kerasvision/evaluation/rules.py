"""Judges a model by each rule of a gate: passed or failed, with the value, the bound and the reason."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from kerasvision.config.gate import Better, Bound, Change, NoWorse
from kerasvision.config.metrics import FACTS
from kerasvision.errors import ConfigError, StageError
from kerasvision.evaluation import significance
from kerasvision.evaluation.bootstrap import LEAST_ROWS, difference_evidence, paired_differences
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.exact import best_ends, needed_examples
from kerasvision.tasks.base import Counted, Evidence, Task

# Fewer images than this are not enough to test a change.
LEAST_EXAMPLES = 30
RESAMPLES = 1000

UNKNOWN = (math.nan, math.nan)
UNSURE: Final = "not_enough_data"
RuleOutcome = Literal["passed", "failed", "no_baseline", "not_enough_data"]
OUTCOMES: tuple[RuleOutcome, ...] = get_args(RuleOutcome)


@dataclass(frozen=True)
class RuleResult:
    """The result of one rule for the model, or for one slice.

    Attributes:
        rule: the rule in words: `accuracy of label=tulips >= 0.97`.
        outcome: "passed"; "failed"; "no_baseline" if there is no blessed model to compare with yet; or "not_enough_data" if
            a slice has no test image, the value is not a number, so few images could not pass whatever the answers, or the
            tested change could be zero.
        value: the model's.
        bound: what it was compared with; None if there was nothing.
        reason: why this outcome, in words.
        baseline: the last blessed model's value; None if no model was blessed yet.
        interval: the confidence interval that was used: of the value, or of the change.
        p_value: of a test that gives one.
        examples: the number of images behind the value.
    """

    rule: str
    outcome: RuleOutcome
    value: float
    bound: float | None
    reason: str = ""
    baseline: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    examples: int | None = None


@dataclass(frozen=True)
class Case:
    """What a rule judges: one metric, on all images or on one slice.

    Attributes:
        metric: its name.
        slice: (`label`, `tulips`), or None for all images.
        task: says for each metric whether more is better.
        evaluated: the model's results.
        baseline: those of the last blessed model on the same images; None if no model was blessed yet.
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
        """The model's value; NaN if it was not measured."""
        if self.metric in FACTS:
            return float(self.facts.get(self.metric, math.nan))
        return self._score_of(self.evaluated)

    @cached_property
    def baseline_score(self) -> float | None:
        """The last blessed model's value; None if there is no such model, or it has no such slice."""
        if self.baseline is None or self.metric in FACTS:
            return None
        if self.slice is not None and self._row_of(self.baseline) is None:
            return None
        return self._score_of(self.baseline)

    @property
    def examples(self) -> int | None:
        """The number of images behind the score; None for a fact."""
        if self.metric in FACTS:
            return None
        if self.slice is None:
            return len(self.evaluated.judgement.rows)
        part = self.evaluated.parts.get(self.slice)
        return 0 if part is None else int(part["count"].iloc[0])

    @property
    def is_missing(self) -> bool:
        """Whether the slice has no test image, or no value of the metric."""
        return self.slice is not None and self._row_of(self.evaluated) is None

    @property
    def why_missing(self) -> str:
        """Why a slice has no score."""
        kind_and_value = "=".join(self.slice or ())
        if not self.examples:
            return f"no image of the {self.evaluated.split} split has {kind_and_value}"
        return f"{self.metric} has no value on the {self.examples} images with {kind_and_value}"

    @property
    def why_unknown(self) -> str:
        """Why the score is not a number."""
        if self.metric in FACTS:
            return "it was not measured"
        judgement = self.evaluated.judgement
        return {**judgement.undefined, **judgement.left_out}.get(self.metric, "it is not a number")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The confidence interval of the score; None if there are too few images for one."""
        row = self._row_of(self.evaluated)
        found = self.evaluated.intervals.get(self.metric, UNKNOWN) if row is None else (row["low"], row["high"])
        found = (float(found[0]), float(found[1]))
        return None if math.isnan(found[0]) else found

    @property
    def rows(self) -> np.ndarray:
        """int64 (M,), the positions of the images behind the score."""
        rows = self.evaluated.judgement.rows
        if self.slice is None:
            return np.arange(len(rows))
        kind, value = self.slice
        # A judgement that was made by hand may lack the column.
        return np.flatnonzero(rows[f"slice_{kind}"] == value) if f"slice_{kind}" in rows else np.arange(0)

    @cached_property
    def evidence(self) -> Evidence | None:
        """How the metric is measured on these images; None if unknown."""
        return self.evaluated.judgement.evidence(self.rows).get(self.metric) if len(self.rows) else None

    def change(self, rule: Change) -> significance.ScoreChange:
        """The change since the last blessed model, with its interval by the rule's test.

        Raises:
            ConfigError: the metric is not resampled, or there is no blessed model with a score for it.
            StageError: that model was asked about other images.
        """
        if self.baseline is None or self.baseline_score is None:
            raise ConfigError(
                f"there is no {self.name} of a last blessed model, so there is no change to test",
                hint="check that `case.baseline_score` is not None first",
            )
        now, before = self.evaluated.judgement, self.baseline.judgement
        if now.rows["id"].tolist() != before.rows["id"].tolist():
            raise StageError("a change must be tested on the same images; the last blessed model was asked about others")
        positions = self.rows
        if rule.test == "mcnemar":
            right = (judgement.rows["correct"].to_numpy()[positions] for judgement in (now, before))
            return significance.mcnemar_change(*right, confidence=rule.confidence)
        resampled = paired_differences(now, before, rows=positions, resamples=RESAMPLES).get(self.metric)
        if resampled is None:
            raise ConfigError(
                f"{self.metric} is not resampled for {len(positions):,} images, so its change cannot be tested",
                hint="remove `test` from the rule, or test another metric",
            )
        evidence = difference_evidence(self.evidence, before.evidence(positions).get(self.metric))
        return significance.bootstrap_change(
            self.score - self.baseline_score, resampled, confidence=rule.confidence, evidence=evidence
        )

    def _row_of(self, evaluated: Evaluated) -> pd.Series | None:
        part = None if self.slice is None else evaluated.parts.get(self.slice)
        found = pd.DataFrame() if part is None else part[part["metric"] == self.metric]
        return None if found.empty else found.iloc[0]

    def _score_of(self, evaluated: Evaluated) -> float:
        row = self._row_of(evaluated)
        # A metric without a value here, as without an example of a class, is NaN: it passes no rule.
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
    outcome: RuleOutcome = "passed" if holds(value) else "failed"
    why = f"{value:.6g} {'is' if holds(value) else 'is not'} {sign} {rule.value:g}"
    if math.isnan(value):
        # A missing fact is not due to too few images.
        outcome = "failed" if case.metric in FACTS else UNSURE
        why = case.why_unknown if math.isnan(case.score) else _why_no_interval(case)
    elif outcome == "failed" and (few := _why_too_few(rule, case, sign, value, holds)):
        outcome, why = UNSURE, f"{why}; {few}"
    return RuleResult(
        text,
        outcome,
        value,
        rule.value,
        why,
        baseline=case.baseline_score,
        interval=interval,
        examples=case.examples,
    )


def _why_no_interval(case: Case) -> str:
    count = case.examples or 0
    if count < LEAST_ROWS:
        return f"{count} images are too few for an interval of {case.metric}; {LEAST_ROWS} are needed"
    return f"{case.metric} has no interval here: too few resamples give it a value, or all give the same"


def _why_too_few(rule: Bound, case: Case, sign: str, value: float, holds: Callable[[float], bool]) -> str:
    """Why so few images could not pass, whatever the answers; empty if they could, or if the whole interval fails.

    The number of images limits only the end for which the bound is hard to keep: the low end of what must be at least some
    value, and the high end of what must be at most some value.
    """
    hard_end = "low" if sign == ">=" else "high"
    if rule.end != hard_end or case.evidence is None or case.interval is None:
        return ""
    # More images would not help a model whose whole interval breaks the bound.
    if not holds(case.interval[1] if hard_end == "low" else case.interval[0]):
        return ""
    count = case.evidence.of if isinstance(case.evidence, Counted) else case.evidence.count
    confidence = case.evaluated.confidence
    best = best_ends(case.evidence, count, confidence=confidence)[hard_end == "high"]
    if holds(best):
        return ""
    needed = needed_examples(case.evidence, rule.value, end=hard_end, confidence=confidence)
    enough = "no number of images would be enough" if needed is None else f"{needed:,} are needed"
    return f"even without a mistake {count:,} images would give {best:.4g}, and {enough}"


def _compared(
    rule: Change, case: Case, text: str, *, least_gain: float, reached: Callable[[float, float], bool]
) -> RuleResult:
    """Judges a gain: a change for the better, which for a loss is downwards."""
    before, direction = case.baseline_score, 1 if case.more_is_better else -1
    if before is None:
        why = "there is no blessed model to compare with yet"
        why = why if case.baseline is None else f"the last blessed model has no {case.name}"
        return RuleResult(text, "no_baseline", case.score, None, why, examples=case.examples)
    bound = before + direction * least_gain
    count = case.examples or 0
    says = partial(RuleResult, text, value=case.score, bound=bound, baseline=before, examples=count)
    if math.isnan(case.score) or math.isnan(before):
        why = case.why_unknown if math.isnan(case.score) else "the last blessed model's value is not a number"
        return says(outcome=UNSURE, reason=why)
    if rule.test is None:
        # Compare with the bound as reported, so that rounding cannot make the two disagree.
        holds = reached(direction * case.score, direction * bound)
        return says(outcome="passed" if holds else "failed", reason=f"{case.score:.6g} after {before:.6g}")
    if count < LEAST_EXAMPLES:
        why = f"{count} images are too few to test a change; {LEAST_EXAMPLES} are needed"
        return says(outcome=UNSURE, reason=why)
    return _tested(rule, case, says, least_gain=least_gain, reached=reached)


def _tested(
    rule: Change,
    case: Case,
    says: Callable[..., RuleResult],
    *,
    least_gain: float,
    reached: Callable[[float, float], bool],
) -> RuleResult:
    """Passed or failed if the whole interval of the change is; `says` makes the result from the outcome and the reason."""
    change, direction = case.change(rule), 1 if case.more_is_better else -1
    if math.isnan(change.low):
        why = f"the change of {case.metric} has no interval here: too few resamples give it a value, or all give the same"
        return says(outcome=UNSURE, reason=why)
    low, high = sorted((direction * change.low, direction * change.high))
    outcome: RuleOutcome = "passed" if reached(low, least_gain) else UNSURE if reached(high, least_gain) else "failed"
    why = (
        f"the change is between {change.low:+.4g} and {change.high:+.4g} with {100 * rule.confidence:g} % confidence "
        f"({rule.test}, {case.examples} images)"
    )
    why += f"; that may or may not be enough{_why_undecided(rule, case, least_gain)}" if outcome == UNSURE else ""
    return says(outcome=outcome, reason=why, interval=(change.low, change.high), p_value=change.p_value)


def _why_undecided(rule: Change, case: Case, least_gain: float) -> str:
    """What two models with the same answers need to pass: without a tolerance, no number of images is enough."""
    if case.score != case.baseline_score or least_gain > 0:
        return ""
    if not least_gain:
        return "; models with the same answers pass only with a tolerance"
    unit = Counted(case.examples or 0, case.examples or 0)
    needed = needed_examples(unit, 1 + least_gain, end="low", confidence=rule.confidence)
    is_share = isinstance(case.evidence, Counted) or rule.test == "mcnemar"
    return f"; models with the same answers pass with {needed:,} images" if is_share and needed else ""
