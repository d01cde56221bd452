"""Which rules of a verdict a page shows: all of them or, if there are too many, the failed ones first."""

from collections.abc import Callable, Sequence
from typing import TypeVar

MOST_RULES = 100
Rule = TypeVar("Rule")


def urgent_rules(rules: Sequence[Rule], *, outcome: Callable[[Rule], str]) -> list[Rule]:
    """The rules that a page shows: all in their order or, of more than 100, the first 100 with the failed ones first.

    >>> urgent_rules(["passed"] * 100 + ["failed"], outcome=str)[:2]
    ['failed', 'passed']
    """
    if len(rules) <= MOST_RULES:
        return list(rules)
    urgency = {"failed": 0, "not_enough_data": 1, "no_baseline": 2}
    return sorted(rules, key=lambda rule: urgency.get(outcome(rule), 3))[:MOST_RULES]
