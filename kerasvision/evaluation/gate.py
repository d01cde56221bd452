"""Whether a model may be served: every rule of the gate judged, with its value and its bound."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kerasvision import lookup
from kerasvision.config.gate import AtLeast, AtMost, Gate, NoWorse
from kerasvision.config.tasks import Task
from kerasvision.errors import ConfigError

Scores = Mapping[str, float]
Outcome = Literal["passed", "failed", "no_baseline"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule says.

    Attributes:
        rule: the rule in words: `accuracy >= 0.97`.
        outcome: "passed", "failed", or "no_baseline" where there is no blessed model to compare with yet.
        value: the model's.
        bound: what it was compared with; None where there was nothing.
    """

    rule: str
    outcome: Outcome
    value: float
    bound: float | None


@dataclass(frozen=True)
class Verdict:
    """BLESSED: all rules that could be judged passed, at least one. NOT_BLESSED: one failed. UNDECIDED: none judged."""

    verdict: Literal["BLESSED", "NOT_BLESSED", "UNDECIDED"]
    reason: str
    rules: tuple[RuleResult, ...]

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.verdict == "BLESSED"

    def save(self, folder: Path) -> None:
        """Writes `verdict.json` and the empty file that bears the verdict's name, as TFX does."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / "verdict.json").write_text(text + "\n", encoding="utf-8")
        (folder / self.verdict).touch()


def judge(gate: Gate, *, task: Task, scores: Scores, baseline: Scores | None) -> Verdict:
    """Judges a model's scores.

    Args:
        gate: the rules.
        task: says of each metric whether more is better.
        scores: the model's, on the test split.
        baseline: the last blessed model's, on the same images; None where there is none.

    Raises:
        ConfigError: a rule names a metric that was not measured.

    >>> from kerasvision import config as c
    >>> gate = c.Gate(c.AtLeast("accuracy", 0.9), c.NoWorse("log_loss", 0.01))
    >>> judge(gate, task=c.Classification(), scores={"accuracy": .95, "log_loss": .2}, baseline=None).verdict
    'BLESSED'
    >>> print(judge(gate, task=c.Classification(), scores={"accuracy": .85, "log_loss": .2}, baseline=None).reason)
    accuracy >= 0.9 failed with 0.85
    """
    for rule in gate.rules:
        if rule.metric not in scores:
            raise ConfigError(f"no metric is named {rule.metric!r}; {lookup.did_you_mean(rule.metric, scores)}")
    results = tuple(lookup.load(rule.implementation)(rule, task, scores, baseline) for rule in gate.rules)
    failed = [result for result in results if result.outcome == "failed"]
    if failed:
        return Verdict("NOT_BLESSED", "; ".join(f"{r.rule} failed with {r.value:.6g}" for r in failed), results)
    if not any(result.outcome == "passed" for result in results):
        why = "no rule could be judged yet" if results else "the gate has no rules"
        return Verdict("UNDECIDED", f"{why}; add one such as gate=c.Gate(c.AtLeast('accuracy', 0.9))", results)
    return Verdict("BLESSED", "every rule that could be judged passed", results)


def at_least(rule: AtLeast, task: Task, scores: Scores, baseline: Scores | None) -> RuleResult:
    """The value reaches the bound."""
    value = scores[rule.metric]
    return RuleResult(f"{rule.metric} >= {rule.value:g}", _outcome(value >= rule.value), value, rule.value)


def at_most(rule: AtMost, task: Task, scores: Scores, baseline: Scores | None) -> RuleResult:
    """The value does not exceed the bound."""
    value = scores[rule.metric]
    return RuleResult(f"{rule.metric} <= {rule.value:g}", _outcome(value <= rule.value), value, rule.value)


def no_worse(rule: NoWorse, task: Task, scores: Scores, baseline: Scores | None) -> RuleResult:
    """The value is at most `tolerance` worse than the baseline's."""
    value = scores[rule.metric]
    text = f"{rule.metric} no worse than the last blessed model's by more than {rule.tolerance:g}"
    if baseline is None:
        return RuleResult(text, "no_baseline", value, None)
    more_is_better = task.best_is(rule.metric) == "max"
    bound = baseline[rule.metric] - rule.tolerance if more_is_better else baseline[rule.metric] + rule.tolerance
    return RuleResult(text, _outcome(value >= bound if more_is_better else value <= bound), value, bound)


def _outcome(holds: bool) -> Outcome:
    return "passed" if holds else "failed"
