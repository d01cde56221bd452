"""What a model must reach before it may be served."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision import lookup
from kerasvision.config.base import Component, Config, Needs
from kerasvision.config.metrics import FACTS
from kerasvision.config.tasks import Task
from kerasvision.errors import ConfigError


class Rule(Component):
    """Base class of the rules of a gate. `implementation`: (rule, `kerasvision.evaluation.rules.Case`) -> RuleResult.

    `slice` limits the rule to a part of the examples, `slice="label=tulips"`, or judges every slice of a kind separately,
    `slice="label"`. Every label counts, however many there are. A slice without a test image, or on which the metric is
    NaN, leaves the model undecided; the reason names it.
    """

    implementation: ClassVar[str] = ""
    # Whether the rule looks at the last blessed model.
    compares: ClassVar[bool] = False

    metric: str = Field(description="a metric of the task, or a fact such as latency_p95_ms")
    slice: str | None = Field(default=None, description="`label=tulips`, or `label` for each of its slices")

    def __init__(self, metric: str, *bounds: float, **fields: Any) -> None:
        # A class's own fields come before those that it inherits.
        own = type(self).__annotations__
        names = sorted((n for n in type(self).model_fields if n not in Rule.model_fields), key=lambda name: name not in own)
        given: dict[str, Any] = {"metric": metric, **dict(zip(names, bounds, strict=False))}
        super().__init__(**given, **fields)

    def check(self, task: Task, *, slices: Iterable[str] | None = None) -> None:
        """Rejects mistakes that can be found before training.

        Args:
            task: defines the metrics.
            slices: the kinds of slices that are evaluated; None if that is not known.

        Raises:
            ConfigError: an unknown metric or slice, or one that the rule cannot judge.
        """
        if self.metric in FACTS:
            if self.slice is not None or self.compares or self._end() != "score":
                raise ConfigError(
                    f"{self.metric} is a single number of the served model, without slices, an interval or an earlier value "
                    f"to compare with; received {type(self).__name__} with {self._asked()}",
                    hint=f'bound the number itself: AtMost("{self.metric}", ...)',
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
        """What is compared. A rule that is not a `Bound` has no interval."""
        return getattr(self, "end", "score")


class Bound(Rule):
    """Base class of the rules that compare with a value.

    `end` says what is compared: the score itself, or the lower or upper end of its 95 % interval. `AtLeast(..., end="low")`
    requires that the score would be high enough with any other test images. Few images prove little: 20 right answers
    of 20 give a low end of 0.832, and a low end of 0.99 requires 368 images without a mistake. With fewer images the model
    is undecided, and the reason says how many are needed. It fails if its whole interval violates the bound.
    """

    value: float = Field(description="the bound, in the metric's unit")
    end: Literal["score", "low", "high"] = Field(
        default="score", description="what is compared: the score, or the low or high end of its interval"
    )


class AtLeast(Bound):
    """The metric must reach a value: `AtLeast("accuracy", 0.97)`, `AtLeast("accuracy", 0.8, slice="label=tulips")`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:at_least"


class AtMost(Bound):
    """The metric must not exceed a value: `AtMost("log_loss", 0.2)`, `AtMost("latency_p95_ms", 50)`."""

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:at_most"


class Change(Rule):
    """Base class of the rules that compare with the last blessed model, on the same images.

    If there is no blessed model yet, the rule cannot be judged and says so; the other rules decide. Without a `test`, the
    two scores are compared directly. With a test, the change has an interval of the given confidence, and the rule passes
    or fails only if the whole interval does. Otherwise, or with fewer than 30 images, the outcome is "not_enough_data",
    which leaves the model undecided. Every slice is tested separately: raise `confidence` if there are many.

    - `bootstrap`, for any metric: images are drawn with replacement 1,000 times, each with the answers of both models. The
      interval lies between the quantiles of the change (Efron & Tibshirani, 1993), and allows for an image on which the
      models differ, even if there was no such image.
    - `mcnemar`, for `accuracy`: an exact test on the images that only one of the models answers rightly (McNemar, 1947). At
      least 6 of them are needed to prove a change with 95 % confidence.

    Equal answers to all images do not prove that two models are equal: on 200 images the change is within 0.0183. So
    `NoWorse` with a test needs a tolerance; 0.01 requires 368 such images.
    """

    compares: ClassVar[bool] = True

    test: Literal["bootstrap", "mcnemar"] | None = Field(
        default=None, description="the test that must confirm the change; None: the scores are compared directly"
    )
    confidence: float = Field(default=0.95, ge=0.5, lt=1, description="confidence level of the test's interval")

    @model_validator(mode="after")
    def _counts_right_answers(self) -> "Change":
        if self.test == "mcnemar" and self.metric != "accuracy":
            raise ValueError(
                "test='mcnemar' counts right answers, so it requires metric='accuracy'; use test='bootstrap' for others; "
                f"received metric={self.metric!r}"
            )
        return self


class NoWorse(Change):
    """The metric must not be worse than the last blessed model's by more than `tolerance`, or by more than
    `relative_tolerance` times that model's score: `NoWorse("accuracy", 0.01, test="bootstrap")`.

    >>> NoWorse("accuracy", 0.01, relative_tolerance=0.1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: NoWorse: a tolerance is absolute or relative; received tolerance=0.01,
    relative_tolerance=0.1.
    """

    implementation: ClassVar[str] = "kerasvision.evaluation.rules:no_worse"
    used_with: ClassVar[Mapping[str, Needs]] = {"confidence": Needs("test")}

    tolerance: float = Field(default=0.0, ge=0, description="how much worse the score may be, in the metric's unit")
    relative_tolerance: float = Field(
        default=0.0, ge=0, lt=1, description="how much worse the score may be, as a share of the last blessed model's score"
    )

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
    used_with: ClassVar[Mapping[str, Needs]] = {"confidence": Needs("test")}

    margin: float = Field(default=0.0, ge=0, description="how much better the score must be, in the metric's unit")


class Gate(Config):
    """All rules must pass: `Gate(AtLeast("accuracy", 0.97), NoWorse("accuracy", 0.005))`.

    A gate without rules leaves the model undecided. An undecided model is not blessed and not pushed.
    """

    rules: tuple[Rule, ...] = Field(
        default=(), description="the rules, all of which must pass; without rules nothing is pushed"
    )

    def __init__(self, *rules: Rule, **fields: Any) -> None:
        super().__init__(rules=(*rules, *fields.pop("rules", ())), **fields)

    @property
    def needs_baseline(self) -> bool:
        """Whether a rule compares with the last blessed model."""
        return any(rule.compares for rule in self.rules)

    @property
    def needs_facts(self) -> bool:
        """Whether a rule bounds a number that infra_validator measures."""
        return any(rule.metric in FACTS for rule in self.rules)

    def slices(self) -> Iterator[tuple[str, str]]:
        """(kind, value) of each rule's slice; the value is empty if the rule is for every slice of the kind."""
        for rule in self.rules:
            if rule.slice is not None:
                kind, _, value = rule.slice.partition("=")
                yield kind, value

    def check(self, task: Task, *, slices: Iterable[str] | None = None) -> None:
        """Rejects mistakes in the rules before training; see `Rule.check`."""
        known = None if slices is None else tuple(slices)
        for rule in self.rules:
            rule.check(task, slices=known)
