"""What a model must reach before it may be served."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision import lookup
from kerasvision.config.base import Component, Config
from kerasvision.config.metrics import FACTS
from kerasvision.config.tasks import Task
from kerasvision.errors import ConfigError


class Rule(Component):
    """Base of the rules of a gate. `implementation` judges: (rule, `kerasvision.evaluation.rules.Case`) -> RuleResult.

    `slice` takes a part of the examples: `slice="label=tulips"`, or every slice of a kind, each judged by itself:
    `slice="label"`. Every label counts, however many there are. A slice without a test image, or on which the metric is not
    a number, leaves the model undecided and is named.
    """

    implementation: ClassVar[str] = ""
    # Whether the rule looks at the last blessed model.
    compares: ClassVar[bool] = False

    metric: str
    slice: str | None = Field(default=None, description="`label=tulips`, or `label` for each of its slices")

    def __init__(self, metric: str, *bounds: float, **fields: Any) -> None:
        # A class's own fields come before those that it inherits.
        own = type(self).__annotations__
        names = sorted((n for n in type(self).model_fields if n not in Rule.model_fields), key=lambda name: name not in own)
        given: dict[str, Any] = {"metric": metric, **dict(zip(names, bounds, strict=False))}
        super().__init__(**given, **fields)

    def check(self, task: Task, *, slices: Iterable[str] | None = None) -> None:
        """Refuses what can be seen to be wrong before anything is trained.

        Args:
            task: says which metrics there are.
            slices: the kinds of slices that are evaluated; None where that is not known.

        Raises:
            ConfigError: an unknown metric or slice, or one that the rule can say nothing about.
        """
        if self.metric in FACTS:
            if self.slice is not None or self.compares or self._end() != "score":
                raise ConfigError(
                    f"{self.metric} is one number of the served model, without slices, interval or a change that could be "
                    f"told; received {type(self).__name__} with {self._asked()}",
                    hint=f'bound it as a whole: AtMost("{self.metric}", ...)',
                )
            return
        try:
            task.check_metric(self.metric)
        except ConfigError:
            close = lookup.did_you_mean(self.metric, FACTS)
            if not close.startswith("did you mean"):
                raise
            raise ConfigError(f"no metric and no fact is named {self.metric!r}; {close}") from None
        kind = (self.slice or "").partition("=")[0]
        if self.slice is not None and slices is not None and kind not in (known := tuple(slices)):
            raise ConfigError(f"no slice is named {kind!r}; {lookup.did_you_mean(kind, known)}")

    def _asked(self) -> str:
        if self.slice is not None:
            return f"slice={self.slice!r}"
        return f"end={self._end()!r}" if self._end() != "score" else "a comparison"

    def _end(self) -> str:
        """What is compared; a rule that is no `Bound` has no interval."""
        return getattr(self, "end", "score")


class Bound(Rule):
    """Base of the rules that compare with a value.

    `end` says what is compared: the score itself, or the lower or upper end of its 95 % interval. `AtLeast(..., end="low")`
    asks that the score is high enough whichever images the test split had got. Few images cannot show much: 20 right answers
    of 20 give a low end of 0.832, and 0.99 takes 368 images without a mistake. Below such a number the model is undecided,
    and the reason says how many images are needed; it fails where its whole interval breaks the bound.
    """

    value: float
    end: Literal["score", "low", "high"] = "score"


class AtLeast(Bound):
    """The metric must reach a value: `AtLeast("accuracy", 0.97)`, `AtLeast("accuracy", 0.8, slice="label=tulips")`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:at_least"


class AtMost(Bound):
    """The metric must not exceed a value: `AtMost("log_loss", 0.2)`, `AtMost("latency_p95_ms", 50)`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:at_most"


class Change(Rule):
    """Base of the rules that compare with the last blessed model, on the same images.

    While there is no blessed model yet the rule cannot be judged and says so; the other rules decide. Without a `test` the
    two scores are compared as they are. With one, the change has an interval of the given confidence, and the rule passes or
    fails only where the whole interval does; else, or with fewer than 30 images, the outcome is "not_enough_data", which
    leaves a model undecided. Every slice is tested by itself: raise `confidence` where there are many.

    - `bootstrap`: images are drawn with replacement 1,000 times, each with the answers of both models, for any metric. The
      interval lies between the quantiles of the change (Efron & Tibshirani, 1993), and allows for an image on which the
      models differ, even where none was seen.
    - `mcnemar`: exact, for `accuracy`, by the images on which one model is right and the other wrong (McNemar, 1947). At
      least 6 of them are needed to tell a change from none with 95 % confidence.

    Two models that answer all images alike are not proven to be alike: on 200 images the change lies within 0.0183. So a
    tested `NoWorse` needs a tolerance; 0.01 takes 368 such images.
    """

    compares: ClassVar[bool] = True

    test: Literal["bootstrap", "mcnemar"] | None = None
    confidence: float = Field(default=0.95, ge=0.5, lt=1)

    @model_validator(mode="after")
    def _counts_right_answers(self) -> "Change":
        if self.test == "mcnemar" and self.metric != "accuracy":
            raise ValueError(
                "McNemar's test counts right answers, so it is for accuracy, and test='bootstrap' for the rest; "
                f"received metric={self.metric!r}"
            )
        return self


class NoWorse(Change):
    """The metric must not be worse than the last blessed model's by more than `tolerance`, or by more than the share
    `relative_tolerance` of that model's score: `NoWorse("accuracy", 0.01, test="bootstrap")`.

    >>> NoWorse("accuracy", 0.01, relative_tolerance=0.1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: NoWorse: a tolerance is absolute or relative; received tolerance=0.01,
    relative_tolerance=0.1.
    """

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:no_worse"

    tolerance: float = Field(default=0.0, ge=0)
    relative_tolerance: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_tolerance(self) -> "NoWorse":
        if self.tolerance and self.relative_tolerance:
            raise ValueError(
                "a tolerance is absolute or relative; "
                f"received tolerance={self.tolerance}, relative_tolerance={self.relative_tolerance}"
            )
        return self


class Better(Change):
    """The metric must beat the last blessed model's by more than `margin`: `Better("accuracy", test="mcnemar")`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:better"

    margin: float = Field(default=0.0, ge=0)


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
        return any(rule.compares for rule in self.rules)

    @property
    def needs_facts(self) -> bool:
        """Whether a rule bounds something that infra_validator measures."""
        return any(rule.metric in FACTS for rule in self.rules)

    def slices(self) -> Iterator[tuple[str, str]]:
        """(kind, value) of each rule's slice; the value is empty where the rule is for every slice of the kind."""
        for rule in self.rules:
            if rule.slice is not None:
                kind, _, value = rule.slice.partition("=")
                yield kind, value

    def check(self, task: Task, *, slices: Iterable[str] | None = None) -> None:
        """Refuses rules that can be seen to be wrong before anything is trained; see `Rule.check`."""
        known = None if slices is None else tuple(slices)
        for rule in self.rules:
            rule.check(task, slices=known)
