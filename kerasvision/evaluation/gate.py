"""Whether a model may be served: every rule of the gate judged, with its value, its bound and the reason."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from kerasvision import lookup
from kerasvision.config.gate import FACTS, Gate, Rule
from kerasvision.errors import ConfigError
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.rules import Case, RuleResult
from kerasvision.tasks.base import Task

MOST_REASONS = 5


@dataclass(frozen=True)
class Verdict:
    """BLESSED: all rules that could be judged passed, at least one. NOT_BLESSED: one failed. UNDECIDED: all else.

    Attributes:
        verdict: the word.
        reason: why, in words.
        rules: what each said.
        baseline: which model it was compared with, as the evaluator names it; None where there was none.
    """

    verdict: Literal["BLESSED", "NOT_BLESSED", "UNDECIDED"]
    reason: str
    rules: tuple[RuleResult, ...]
    baseline: Mapping[str, object] | None = None

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.verdict == "BLESSED"

    def save(self, folder: Path) -> None:
        """Writes `verdict.json` and the empty file that bears the verdict's name, as TFX does. What is no number is null."""
        text = json.dumps(_plain(asdict(self)), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "verdict.json").write_text(text + "\n", encoding="utf-8")
        (folder / self.verdict).touch()


def judge(
    gate: Gate,
    *,
    task: Task,
    evaluated: Evaluated,
    baseline: Evaluated | None = None,
    facts: Mapping[str, float] | None = None,
    baseline_identity: Mapping[str, object] | None = None,
) -> Verdict:
    """Judges a model.

    A rule with a `slice` of a kind (`label`) is judged for each slice. A fact that was not measured fails its rule.

    Args:
        gate: the rules.
        task: says of each metric whether more is better, and what it is the mean of.
        evaluated: the model, on the test split.
        baseline: the last blessed model, on the same images; None where there is none.
        facts: what infra_validator measured: latency, size, start-up.
        baseline_identity: which model the baseline is, for the record.

    Raises:
        ConfigError: a rule names a metric or slice that was not measured, or asks for a test or interval that it has not.

    >>> from kerasvision import config as c
    >>> from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
    >>> from kerasvision.tasks.base import Judgement, make_task
    >>> judgement = Judgement({"accuracy": .85}, rows=pd.DataFrame({"id": ["a"]}))
    >>> known = Evaluated("test", judgement, intervals={}, slices=pd.DataFrame(columns=SLICE_COLUMNS))
    >>> task = make_task(c.Classification(), ["cat", "dog"])
    >>> print(judge(c.Gate(c.AtLeast("accuracy", 0.9), c.NoWorse("accuracy")), task=task, evaluated=known).reason)
    accuracy >= 0.9 failed with 0.85
    """
    known = (task, evaluated, baseline, facts or {})
    cases = [(rule, Case(rule.metric, part, *known)) for rule in gate.rules for part in _slices(rule, evaluated)]
    results = tuple(lookup.load(rule.implementation)(rule, case) for rule, case in cases)
    word, reason = _decide(results)
    return Verdict(word, reason, results, dict(baseline_identity) if baseline_identity else None)


def _slices(rule: Rule, evaluated: Evaluated) -> Iterator[tuple[str, str] | None]:
    """The slices that a rule is judged on, None for all images.

    Raises:
        ConfigError: an unknown metric or slice.
    """
    scores, left_out, table = evaluated.judgement.scores, evaluated.judgement.left_out, evaluated.slices
    if rule.metric not in FACTS and rule.slice is None and rule.metric not in {*scores, *left_out}:
        raise ConfigError(f"no metric is named {rule.metric!r}; {lookup.did_you_mean(rule.metric, [*scores, *FACTS])}")
    if rule.slice is None:
        yield None
        return
    kind, _, value = rule.slice.partition("=")
    table = _chosen(table, "slice", kind, "no slice is named {!r}")
    if "=" in rule.slice:
        table = _chosen(table, "value", value, f"no slice of {kind} is named {{!r}}")
    table = _chosen(table, "metric", rule.metric, f"slices of {kind} have no metric {{!r}}")
    yield from ((kind, str(name)) for name in table["value"])


def _chosen(table: pd.DataFrame, column: str, name: str, complaint: str) -> pd.DataFrame:
    values = table[column].astype(str)
    if not (values == name).any():
        raise ConfigError(f"{complaint.format(name)}; {lookup.did_you_mean(name, set(values))}")
    return table[values == name]


def _decide(results: tuple[RuleResult, ...]) -> tuple[str, str]:
    """The verdict and why."""
    failed = [f"{r.rule} failed with {r.value:.6g}" for r in results if r.outcome == "failed"]
    if failed:
        return "NOT_BLESSED", _few(failed)
    unsure = [f"not enough data for {r.rule}: {r.reason}" for r in results if r.outcome == "not_enough_data"]
    if unsure:
        return "UNDECIDED", f"{_few(unsure)}; take more test images or a larger tolerance"
    if not any(result.outcome == "passed" for result in results):
        why = "no rule could be judged yet" if results else "the gate has no rules"
        return "UNDECIDED", f"{why}; add one such as gate=c.Gate(c.AtLeast('accuracy', 0.9))"
    return "BLESSED", "every rule that could be judged passed"


def _few(reasons: list[str]) -> str:
    more = len(reasons) - MOST_REASONS
    return "; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more, see verdict.json" if more > 0 else "")


def _plain(value: object) -> object:
    """JSON has no number for what is none."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
