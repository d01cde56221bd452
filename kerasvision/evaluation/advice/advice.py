"""A piece of advice, and all of it for a run: every rule is a function from the facts to at most one piece.

A rule gives no advice without the figure that it follows from. Its threshold and its source stand in its docstring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kerasvision.evaluation.advice.facts import Facts


@dataclass(frozen=True)
class Advice:
    """What a course would say.

    Attributes:
        rule: name of the rule.
        finding: what is the case, in one sentence.
        figures: the figures that say so.
        todo: what to do about it, the most promising first.
        source: where this comes from.
        weight: of two findings of one kind, the larger is worked on first; see `bias` and `variance`.
    """

    rule: str
    finding: str
    figures: str
    todo: str
    source: str
    weight: float = 0.0


Rule = Callable[[Facts], Advice | None]


def advise(facts: Facts, rules: Sequence[Rule]) -> list[Advice]:
    """The advice that the rules give, in their order; those with a weight change places among themselves, largest first."""
    given = [advice for rule in rules if (advice := rule(facts)) is not None]
    weighted = iter(sorted((advice for advice in given if advice.weight), key=lambda advice: -advice.weight))
    return [next(weighted) if advice.weight else advice for advice in given]
