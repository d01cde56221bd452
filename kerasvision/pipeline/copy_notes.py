"""What a plan says about reduced copies of large photos, from what earlier runs have written."""

import json
from collections.abc import Mapping
from contextlib import suppress

from kerasvision.config.preparing import REDUCED_FROM
from kerasvision.config.stages import TrainerSettings, TransformSettings
from kerasvision.pipeline.artifacts import Artifact, Examples, ExampleStatistics, TransformGraph
from kerasvision.pipeline.graph import Channel, Node, Pipeline
from kerasvision.pipeline.records import ArtifactRecord

# Node -> key -> artifact, of the results that can be reused.
Done = Mapping[str, Mapping[str, ArtifactRecord]]


def copy_notes(pipeline: Pipeline, done: Done) -> dict[str, str]:
    """The name of the stage that keeps copies, and a sentence on what these save and take (see `advice_on_copies`).

    It is empty if that is not known yet, or not worth saying. With folds, the last of these stages, whose network is
    pushed, stands for all.
    """
    transforms = [node for node in pipeline.nodes.values() if isinstance(node.settings, TransformSettings)]
    for node in transforms[-1:]:
        # A file that is gone or damaged is reported by the stage that reads it.
        with suppress(OSError, ValueError, KeyError):
            if sentence := _sentence(pipeline, node, done, stages=len(transforms)):
                return {node.name: sentence}
    return {}


def _sentence(pipeline: Pipeline, node: Node, done: Done, *, stages: int) -> str:
    examples = _made(done, node.inputs.get("examples"))
    if not isinstance(examples, Examples) or not isinstance(node.settings, TransformSettings):
        return ""
    settings = node.settings.transform
    if settings.working_side is None and _are_small(_statistics(pipeline, node, done)):
        return ""
    # Imported here, because it imports NumPy, and reads a file that may be large.
    from kerasvision.data.copy_advice import advice_on_copies

    graphs = (record.open() for record in done.get(node.name, {}).values())
    transform_file = next((graph.file for graph in graphs if isinstance(graph, TransformGraph)), None)
    if transform_file is not None and not transform_file.exists():
        # It comes from an object store, perhaps with copies.
        return ""
    readers = [one for one in pipeline.nodes.values() if node.name in one.upstream]
    return advice_on_copies(
        examples.data,
        examples.manifest,
        settings=settings,
        trainings=[one.settings for one in readers if isinstance(one.settings, TrainerSettings)],
        transform_file=transform_file,
        stages=stages,
    )


def _made(done: Done, source: object) -> Artifact | None:
    """The artifact that an input reads, if it exists."""
    record = done.get(source.producer, {}).get(source.key) if isinstance(source, Channel) else None
    return record.open() if record else None


def _statistics(pipeline: Pipeline, node: Node, done: Done) -> ExampleStatistics | None:
    """The statistics of the examples that a node reads, if they exist."""
    same = (other for other in pipeline.nodes.values() if other.inputs.get("examples") == node.inputs["examples"])
    made = (record.open() for other in same for record in done.get(other.name, {}).values())
    return next((one for one in made if isinstance(one, ExampleStatistics)), None)


def _are_small(statistics: ExampleStatistics | None) -> bool:
    """Whether no image has a megapixel. Then the plan need not read the manifest, which takes longer than all the rest."""
    if statistics is None:
        return False
    largest: int = json.loads(statistics.summary.read_text(encoding="utf-8"))["max_side"]
    return largest**2 < REDUCED_FROM
