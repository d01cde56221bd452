"""Prepares an experiment for commands that examine it before training: settings, examples and fitted transform."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kerasvision.cli.stage_lines import stage_lines
from kerasvision.errors import GraphError

if TYPE_CHECKING:
    from kerasvision.config.stages import TrainerSettings
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.transform import ImageTransform
    from kerasvision.pipeline.graph import Pipeline


@dataclass(frozen=True)
class Prepared:
    """The pipeline's name, the trainer's settings, and the paths of the trainer's inputs."""

    name: str
    settings: "TrainerSettings"
    examples_folder: Path
    manifest_file: Path
    schema_file: Path
    transform_file: Path

    @property
    def training_folder(self) -> Path:
        """The examples that the trainer reads: reduced copies, if the transform keeps some."""
        from kerasvision.data.reduced_copies import examples_to_train_on

        return examples_to_train_on(self.examples_folder, self.transform_file)

    def examples(self) -> "ExampleSet":
        """The images of every split, as the trainer reads them."""
        from kerasvision.data.examples import ExampleSet

        return ExampleSet(self.training_folder)

    def transform(self) -> "ImageTransform":
        """The fitted transform."""
        from kerasvision.data.transform import ImageTransform

        return ImageTransform.load(self.transform_file)

    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or the words of the vocabulary, in the order of their numbers."""
        from kerasvision.data.names import class_names
        from kerasvision.data.validating.schema import DataSchema

        return class_names(self.transform_file, labels=DataSchema.load(self.schema_file).classes)


def prepared(pipeline_file: Path, *, overrides: Sequence[str], root: Path, purpose: str) -> Prepared:
    """Runs the stages of a pipeline up to its transform, or reuses their results, for the command `purpose`.

    Raises:
        GraphError: the pipeline has no stage `trainer`, or its settings are not `TrainerSettings`.
    """
    from kerasvision.pipeline.artifacts import Examples, Schema, TransformGraph
    from kerasvision.pipeline.local import run
    from kerasvision.pipeline.standard import load_pipeline

    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    settings = _trainer_settings(pipeline, purpose)
    result = run(pipeline, root=root, until="transform", purpose=purpose, listener=stage_lines())
    examples = Examples(result.artifact("example_gen", "examples").uri)
    return Prepared(
        name=pipeline.name,
        settings=settings,
        examples_folder=examples.data,
        manifest_file=examples.manifest,
        schema_file=Schema(result.artifact("schema_gen", "schema").uri).file,
        transform_file=TransformGraph(result.artifact("transform", "transform_graph").uri).file,
    )


def _trainer_settings(pipeline: "Pipeline", purpose: str) -> "TrainerSettings":
    from kerasvision.config.overrides import with_value
    from kerasvision.config.stages import TrainerSettings
    from kerasvision.config.warm_start import LATEST

    settings = pipeline.node("trainer").settings
    if not isinstance(settings, TrainerSettings):
        raise GraphError(f"`kerasvision {purpose}` requires a stage trainer with TrainerSettings", received=settings)
    # These commands look at a training from nothing; which model is the latest, only the stage itself finds out.
    return with_value(settings, "model.weights", None) if settings.model.weights == LATEST else settings
