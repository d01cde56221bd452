"""What a model must reach before it may be served."""

from typing import Any, ClassVar

from pydantic import Field

from kerasvision.config.base import Component, Config


class Rule(Component):
    """Base of the rules of a gate. `implementation` judges: (rule, scores, baseline scores or None) -> RuleResult."""

    metric: str

    def __init__(self, metric: str, *bounds: float, **fields: Any) -> None:
        names = [name for name in type(self).model_fields if name != "metric"]
        super().__init__(metric=metric, **dict(zip(names, bounds, strict=False)), **fields)


class AtLeast(Rule):
    """The metric must reach a value: `AtLeast("accuracy", 0.97)`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.gate:at_least"

    value: float


class AtMost(Rule):
    """The metric must not exceed a value: `AtMost("log_loss", 0.2)`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.gate:at_most"

    value: float


class NoWorse(Rule):
    """The metric must not be worse than the last blessed model's by more than `tolerance`, on the same images.

    While there is no blessed model yet the rule cannot be judged and says so; the other rules decide.
    """

    implementation: ClassVar[str] = "kerasvision.evaluation.gate:no_worse"

    tolerance: float = Field(default=0.0, ge=0)


class Gate(Config):
    """All rules must hold: `Gate(AtLeast("accuracy", 0.97), NoWorse("accuracy", 0.005))`.

    A gate without rules leaves a model undecided, which is not blessed: nothing is pushed.
    """

    rules: tuple[Rule, ...] = ()

    def __init__(self, *rules: Rule, **fields: Any) -> None:
        super().__init__(rules=(*rules, *fields.pop("rules", ())), **fields)

    @property
    def needs_baseline(self) -> bool:
        """Whether a rule compares with the last blessed model."""
        return any(isinstance(rule, NoWorse) for rule in self.rules)
