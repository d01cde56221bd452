"""What Kubeflow Pipelines says about a task of a container, and how the task says what its artifacts are.

Source: the messages ExecutorInput and ExecutorOutput of
https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto, in protobuf's JSON form.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasvision.errors import ConfigError
from kerasvision.pipeline.records import ArtifactRecord


@dataclass(frozen=True)
class ExecutorInput:
    """A task as Kubeflow describes it, in place of `{{$}}` in its arguments.

    Attributes:
        output_file: where the task writes the metadata of its artifacts.
        artifacts: output -> its name and address in the object store.
    """

    output_file: Path
    artifacts: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, text: str) -> "ExecutorInput":
        """Reads the description.

        Raises:
            ConfigError: it is not an ExecutorInput in JSON.

        >>> ExecutorInput.parse('{"outputs": {"outputFile": "/tmp/out.json"}}').output_file.name
        'out.json'
        >>> ExecutorInput.parse("{{$}}")
        Traceback (most recent call last):
        ...
        kerasvision.errors.ConfigError: --executor-input must be the JSON text that Kubeflow puts in place of {{$}}; ...
        """
        try:
            outputs = json.loads(text)["outputs"]
            listed = {key: found["artifacts"][0] for key, found in outputs.get("artifacts", {}).items()}
            return cls(Path(outputs["outputFile"]), listed)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                "--executor-input must be the JSON text that Kubeflow puts in place of {{$}}", received=text
            ) from None

    def write_output(self, outputs: Mapping[str, ArtifactRecord]) -> None:
        """Writes the metadata of the task's artifacts: their properties, `digest` and `artifact_type`.

        Args:
            outputs: output -> artifact; those that Kubeflow does not know are left out.
        """
        described = {
            key: {"artifacts": [{"name": told.get("name", key), "uri": told["uri"], "metadata": _metadata(outputs[key])}]}
            for key, told in self.artifacts.items()
            if key in outputs
        }
        self.output_file.parent.mkdir(parents=True, exist_ok=True)
        self.output_file.write_text(json.dumps({"artifacts": described}, allow_nan=False), encoding="utf-8")


def _metadata(artifact: ArtifactRecord) -> dict[str, int | float | str]:
    """Numbers and texts; JSON has no number for infinity."""
    facts = {**artifact.properties, "digest": artifact.digest, "artifact_type": artifact.type}
    return {name: _finite(value) for name, value in facts.items()}


def _finite(value: int | float | str) -> int | float | str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
