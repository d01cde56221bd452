"""What commands need that look at an experiment before it is trained: its settings, examples and fitted transform."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasvision import lookup
from kerasvision.cli.stage_lines import stage_lines


@dataclass(frozen=True)
class Prepared:
    """The pipeline's name, the trainer's settings, and what the stages before it wrote."""

    name: str
    settings: Any
    examples: Path
    schema: Path
    transform: Path

    def opened(self, names: Sequence[str] = ("settings", "examples", "classes", "transform")) -> dict[str, Any]:
        """What functions of the library take under these names, read from the files."""
        read = {
            "settings": lambda: self.settings,
            "examples": lambda: lookup.load("kerasvision.data.examples:ExampleSet")(self.examples),
            "classes": self._classes,
            "transform": lambda: lookup.load("kerasvision.data.transform:ImageTransform").load(self.transform),
        }
        return {name: read[name]() for name in names}

    def _classes(self) -> tuple[str, ...]:
        labels = lookup.load("kerasvision.data.validating.schema:DataSchema").load(self.schema).classes
        return lookup.load("kerasvision.data.names:class_names")(self.transform, labels=labels)


def prepared(pipeline_file: Path, *, overrides: Sequence[str], root: Path, purpose: str) -> Prepared:
    """Runs the stages of a pipeline up to its transform, those whose results are not there yet, for the command named."""
    from kerasvision.pipeline.local import run
    from kerasvision.pipeline.standard import load_pipeline

    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    result = run(pipeline, root=root, until="transform", purpose=purpose, listener=stage_lines())
    return Prepared(
        name=pipeline.name,
        settings=pipeline.node("trainer").settings,
        examples=result.artifact("example_gen", "examples").data,
        schema=result.artifact("schema_gen", "schema").file,
        transform=result.artifact("transform", "transform_graph").file,
    )
