"""The main score of a run: the metric that its task names as the headline, the verdict, and what is served."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord

EVALUATION, BLESSING, MODEL, FOLDS = "ModelEvaluation", "ModelBlessing", "Model", "CrossValidation"
PUSHED = "PushedModel"


@dataclass(frozen=True)
class Headline:
    """The main score of a model.

    Attributes:
        metric: its name, such as `accuracy`.
        score: its value.
        split: the split on which the evaluator measured it.
        deviation: of the scores of several folds, whose mean `score` is; None without cross-validation.
        folds: how many of them there are; None without cross-validation.
    """

    metric: str
    score: float
    split: str
    deviation: float | None = None
    folds: int | None = None

    def __str__(self) -> str:
        if self.deviation is not None:
            return f"{self.metric} {self.score:.4f} +- {self.deviation:.4f} over {self.folds} folds"
        return f"{self.metric} {self.score:.4f} on {self.split}"


def headline(executions: Iterable[ExecutionRecord]) -> Headline | None:
    """The main score of a run; None if it did not reach the evaluator, or the task names no headline metric.

    With cross-validation: the mean over the folds that the run has evaluated.

    Args:
        executions: of the run.
    """
    executions = list(executions)
    for artifact in made(executions, FOLDS):
        known = artifact.properties
        if "headline" in known:
            mean, deviation, folds = float(known["mean"]), float(known["deviation"]), int(known["folds"])
            return Headline(str(known["headline"]), mean, "test", deviation, folds)
    for artifact in made(executions, EVALUATION):
        known = artifact.properties
        score = known.get(str(known.get("headline", "")))
        if isinstance(score, int | float):
            return Headline(str(known["headline"]), float(score), str(known["split"]))
    return None


def verdict(executions: Iterable[ExecutionRecord]) -> str:
    """The gate's verdict on the model of a run, such as `blessed` or `not blessed`; "" if it was not judged.

    Args:
        executions: of the run.
    """
    found = (str(artifact.properties.get("verdict", "")) for artifact in made(executions, BLESSING))
    return next(found, "").lower().replace("_", " ")


def final_images(executions: Iterable[ExecutionRecord]) -> int | None:
    """On how many images the final training of a run trained another network than the judged one; None if there was none.

    Args:
        executions: of the run.
    """
    found = (artifact.properties.get("final_images") for artifact in made(executions, MODEL))
    return next((int(images) for images in found if images is not None), None)


def is_pushed(executions: Iterable[ExecutionRecord]) -> bool | None:
    """Whether the pusher of a run copied its model to saved_models; None if the run did not get that far.

    Args:
        executions: of the run.
    """
    return next((artifact.properties.get("pushed") == 1 for artifact in made(executions, PUSHED)), None)


def made(executions: Iterable[ExecutionRecord], kind: str) -> Iterator[ArtifactRecord]:
    """The artifacts of a type that the stages of a run wrote or reused, newest stage first."""
    for execution in reversed(list(executions)):
        # A stage that did not finish has promised artifacts, which do not exist.
        if not execution.error:
            yield from (artifact for artifact in execution.outputs.values() if artifact.type == kind)
