"""What a task takes of the examples, as keywords of `training_batches` and `evaluation_batches`."""

from typing import TypedDict

from kerasvision.config.base import canonical_json
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.feeding.inputs import NO_REDUCTION, Reduction
from kerasvision.tasks.base import Task


class TaskInputs(TypedDict):
    """See `training_batches`."""

    reads: frozenset[ExamplePart]
    reduction: Reduction
    draws: int


def task_inputs(task: Task, settings: TrainerSettings) -> TaskInputs:
    """The parts that the task and the augmentations of these settings read, and what the task makes of an example."""
    if type(task).reduced is Task.reduced:
        return {"reads": settings.reads, "reduction": NO_REDUCTION, "draws": task.draws}
    # Two tasks with equal settings share the examples in memory: each trial of a search makes a task of its own.
    key = (type(task), canonical_json(task.settings.to_data()), task.classes)
    return {"reads": settings.reads, "reduction": Reduction(key, task.reduced), "draws": task.draws}
