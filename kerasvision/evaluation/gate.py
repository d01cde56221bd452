"""Decides whether a model may be served: judges every rule of the gate, with its value, its bound and the reason."""

import json
import math
import numbers
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kerasvision import lookup
from kerasvision.config.gate import Gate, Rule
from kerasvision.config.metrics import FACTS
from kerasvision.errors import ConfigError, KerasvisionError, StageError
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.rules import OUTCOMES, UNSURE, Case, RuleResult
from kerasvision.shortened import shortened
from kerasvision.tasks.base import Task

MOST_REASONS = 5
VerdictWord = Literal["BLESSED", "NOT_BLESSED", "UNDECIDED"]


@dataclass(frozen=True)
class Verdict:
    """BLESSED: at least one rule passed, and so did all that could be judged. NOT_BLESSED: one failed. UNDECIDED: all else.

    Attributes:
        verdict: the word.
        reason: why, in words.
        rules: the result of each rule.
        baseline: the model it was compared with, as the evaluator names it; None if there was none.
        remarks: what a person should know about the model first, whatever the rules say.
    """

    verdict: VerdictWord
    reason: str
    rules: tuple[RuleResult, ...]
    baseline: Mapping[str, object] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def blessed(self) -> bool:
        """Whether the model may be served."""
        return self.verdict == "BLESSED"

    def save(self, folder: Path) -> None:
        """Writes `verdict.json` and an empty file named after the verdict, as TFX does. NaN and infinity become null."""
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

    A rule for a kind of slice (`label`) is judged for each slice, and so for each label. A slice without a test image, or
    without a value of the metric, leaves the model undecided. A fact that was not measured fails its rule.

    Args:
        gate: the rules.
        task: says for each metric whether more is better.
        evaluated: the model's results on the test split.
        baseline: those of the last blessed model on the same images; None if no model was blessed yet.
        facts: what infra_validator measured: latency, size, start-up.
        baseline_identity: which model the baseline is, for the record.

    Raises:
        ConfigError: a rule names a metric or slice that was not measured, or requires a test or interval that it does not
            have; or a custom rule does not return a RuleResult.
        StageError: a custom rule raised an error.

    >>> import pandas as pd
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
    expected = {**evaluated.expected, **({"label": task.labels} if task.labels else {})}
    cases = [(rule, Case(rule.metric, part, *known)) for rule in gate.rules for part in _slices(rule, evaluated, expected)]
    results = tuple(_answer(rule, case) for rule, case in cases)
    word, reason = _decide(results, _example(task, evaluated.judgement.scores))
    identity = dict(baseline_identity) if baseline_identity else None
    return Verdict(word, reason, results, identity, evaluated.judgement.remarks)


def _answer(rule: Rule, case: Case) -> RuleResult:
    """The result of a rule, or that there is nothing for it to judge.

    Raises:
        ConfigError: the rule returns anything other than a RuleResult with a known outcome.
        StageError: the rule raised an error.
    """
    if case.slice is not None and case.is_missing:
        return RuleResult(f"{case.name} ({_name(rule)})", UNSURE, math.nan, None, case.why_missing, examples=case.examples)
    try:
        result = lookup.load(rule.implementation)(rule, case)
    except KerasvisionError:
        raise
    except Exception as error:
        raise StageError(
            f"the rule {_name(rule)} for {case.name} raised {type(error).__name__}: {error}",
            hint=f"correct {rule.implementation}, or leave the rule out of the gate",
        ) from error
    said = result.outcome if isinstance(result, RuleResult) else result
    if not isinstance(result, RuleResult) or said not in OUTCOMES:
        raise ConfigError(
            f"the rule {_name(rule)} for {case.name} must return a RuleResult whose outcome is one of {', '.join(OUTCOMES)}",
            received=said,
            hint=f"correct {rule.implementation}",
        )
    if result.outcome == "passed" and not (_is_number(result.value) and not math.isnan(result.value)):
        return replace(result, outcome=UNSURE, value=math.nan, reason=result.reason or "its value is not a number")
    return result


def _name(rule: Rule) -> str:
    return type(rule).__name__


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _slices(rule: Rule, evaluated: Evaluated, expected: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str] | None]:
    """Yields the slices that a rule is judged on; None stands for all images.

    Raises:
        ConfigError: an unknown metric or slice.
    """
    judgement, table = evaluated.judgement, evaluated.slices
    known = {*judgement.scores, *judgement.left_out, *judgement.undefined}
    if rule.metric not in FACTS and rule.slice is None and rule.metric not in known:
        meant = lookup.did_you_mean(rule.metric, [*judgement.scores, *FACTS])
        raise ConfigError(f"no metric is named {rule.metric!r}; {meant}")
    if rule.slice is None:
        yield None
        return
    kind, equals, value = rule.slice.partition("=")
    of_kind = table[table["slice"].astype(str) == kind]
    wanted = dict.fromkeys([*of_kind["value"].astype(str), *expected.get(kind, ())])
    if not wanted:
        raise ConfigError(f"no slice is named {kind!r}; {lookup.did_you_mean(kind, {*table['slice'], *expected})}")
    if equals and value not in wanted:
        raise ConfigError(f"no slice of {kind} is named {value!r}; {lookup.did_you_mean(value, wanted)}")
    metrics = set(of_kind["metric"])
    if metrics and rule.metric not in metrics:
        raise ConfigError(f"slices of {kind} have no metric {rule.metric!r}; {lookup.did_you_mean(rule.metric, metrics)}")
    yield from ((kind, name) for name in ([value] if equals else wanted))


def _example(task: Task, scores: Mapping[str, float]) -> str:
    """A rule that this model would pass: about its own value of the task's main metric."""
    metric = task.settings.headline_metric()
    if metric is None or not math.isfinite(scores.get(metric, math.nan)):
        return "c.AtMost('size_mb', 50)"
    is_smaller = task.settings.best_is(metric) == "min"
    # Computed with fractions and written with all digits, so that the model passes it however large its value is.
    hundredths = (math.ceil if is_smaller else math.floor)(100 * Fraction(float(scores[metric])))
    bound = repr(hundredths / 100).removesuffix(".0")
    return f"c.{'AtMost' if is_smaller else 'AtLeast'}({metric!r}, {bound})"


def _decide(results: tuple[RuleResult, ...], example: str) -> tuple[VerdictWord, str]:
    """The verdict and why; `example` is a rule to add where nothing could be judged."""
    failed = [f"{r.rule} failed with {_shown(r.value)}" for r in results if r.outcome == "failed"]
    if failed:
        return "NOT_BLESSED", _few(failed)
    unsure = [f"not enough data for {r.rule}: {r.reason}" for r in results if r.outcome == "not_enough_data"]
    if unsure:
        return "UNDECIDED", f"{_few(unsure)}; use more test images, or relax these rules"
    if not any(result.outcome == "passed" for result in results):
        why = "no rule could be judged yet" if results else "the gate has no rules"
        return "UNDECIDED", f"{why}; add one such as gate=c.Gate({example})"
    return "BLESSED", "every rule that could be judged passed"


def _shown(value: object) -> str:
    return f"{value:.6g}" if _is_number(value) else repr(value)


def _few(reasons: list[str]) -> str:
    where = ", see verdict.json" if len(reasons) > MOST_REASONS else ""
    return shortened(reasons, most=MOST_REASONS, separator="; ") + where


def _plain(value: object) -> object:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
