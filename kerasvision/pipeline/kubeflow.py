"""Writes a pipeline for Kubeflow Pipelines: each stage becomes a container that runs `kerasvision stage`.

The text has two YAML documents. The first is a PipelineSpec, schema 2.1.0; the second says what Kubernetes gives to each
container: a volume, and secrets as environment variables. kfp is not required to write them.

Sources: https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto and
https://github.com/kubeflow/pipelines/blob/master/kubernetes_platform/proto/kubernetes_executor_config.proto.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kerasvision.config.cluster import OBJECT_PATTERN, Resources, Secret
from kerasvision.errors import ConfigError, GraphError
from kerasvision.pipeline.artifacts import (
    Artifact,
    CrossValidation,
    Examples,
    InferenceResult,
    Model,
    ModelEvaluation,
    SavedModel,
    SimpleScores,
)
from kerasvision.pipeline.graph import Node, Pipeline

SCHEMA_VERSION = "2.1.0"
# Kubeflow shows the numbers among the properties of Metrics, and the address of the others.
SHOWN_AS: dict[type[Artifact], str] = {
    Examples: "Dataset",
    InferenceResult: "Dataset",
    Model: "Model",
    SavedModel: "Model",
    ModelEvaluation: "Metrics",
    SimpleScores: "Metrics",
    CrossValidation: "Metrics",
}


@dataclass(frozen=True)
class Containers:
    """What the containers of all stages have in common.

    Attributes:
        image: the container image; it has kerasvision, the pipeline file and the modules that the file names.
        file: the pipeline file, as a path in the image's working folder.
        overrides: settings that differ from the file's, as `training.epochs=3`.
        claim: the PersistentVolumeClaim of the root.
        root: the folder where the claim is mounted: the root of all stages.

    Raises:
        ConfigError: the image has no name, the file is outside the current folder, or the root is not an absolute path.

    >>> Containers("registry/vision:1", Path("/home/ann/digits.py"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the image has the pipeline file at the same path in its working folder, so ...
    """

    image: str
    file: Path
    overrides: Sequence[str] = ()
    claim: str = "kerasvision"
    root: Path = Path("/kerasvision")

    def __post_init__(self) -> None:
        if not self.image.strip():
            raise ConfigError(
                "the container image requires a name", received=self.image, hint="add --image registry/name:tag"
            )
        if self.file.is_absolute() or ".." in self.file.parts:
            raise ConfigError(
                "the image has the pipeline file at the same path in its working folder, so the path must be inside the "
                "current folder",
                received=str(self.file),
                hint="give the command in the folder that the image copies, with a path such as pipelines/digits.py",
            )
        if not self.root.is_absolute():
            raise ConfigError(
                "the volume is mounted at an absolute path", received=str(self.root), hint=f"write /{self.root}, for example"
            )
        if not re.fullmatch(OBJECT_PATTERN, self.claim):
            raise ConfigError(
                "the name of a claim consists of lower-case letters, digits, - and .",
                received=self.claim,
                hint="give --volume the name of a PersistentVolumeClaim of the cluster",
            )


def kubeflow_text(pipeline: Pipeline, containers: Containers) -> str:
    """The pipeline as YAML, which Kubeflow Pipelines accepts as a file.

    Args:
        pipeline: the stages.
        containers: the image, the volume and the pipeline file in it.

    Raises:
        GraphError: two stages have the same name for Kubeflow, which has no `_` in its names.
    """
    documents = [pipeline_spec(pipeline, containers), platform_spec(pipeline, containers)]
    text: str = yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True, width=1000)
    return text


def pipeline_spec(pipeline: Pipeline, containers: Containers) -> dict[str, Any]:
    """The first document: what each stage reads, writes and runs, as JSON data."""
    _check_names(pipeline)
    nodes = pipeline.nodes.values()
    return {
        "components": {f"comp-{_label(node.name)}": _component(node, pipeline) for node in nodes},
        "deploymentSpec": {
            "executors": {
                f"exec-{_label(node.name)}": {"container": _container(node, pipeline, containers)} for node in nodes
            }
        },
        "pipelineInfo": {"name": _label(pipeline.name)},
        "root": {"dag": {"tasks": {_label(node.name): _task(node, pipeline) for node in nodes}}},
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": "kerasvision",
    }


def platform_spec(pipeline: Pipeline, containers: Containers) -> dict[str, Any]:
    """The second document: the volume and the secrets of each stage, as JSON data."""
    executors: dict[str, dict[str, Any]] = {}
    for name in pipeline.nodes:
        secrets = [_secret(one) for one in pipeline.cluster.secrets_of(name)]
        mounted = {"pvcMount": [_mount(containers)]}
        executors[f"exec-{_label(name)}"] = {**mounted, "secretAsEnv": secrets} if secrets else mounted
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _component(node: Node, pipeline: Pipeline) -> dict[str, Any]:
    """The types of what a stage reads and writes."""
    read = {key: source.type for key, source in pipeline.sources(node.name).items()}
    named = {"inputDefinitions": read, "outputDefinitions": node.signature.outputs}
    typed = {
        place: {"artifacts": {key: {"artifactType": _type(kind)} for key, kind in artifacts.items()}}
        for place, artifacts in named.items()
        if artifacts
    }
    return {"executorLabel": f"exec-{_label(node.name)}", **typed}


def _type(kind: type[Artifact]) -> dict[str, str]:
    name = next((SHOWN_AS[one] for one in kind.__mro__ if one in SHOWN_AS), "Artifact")
    return {"schemaTitle": f"system.{name}", "schemaVersion": "0.0.1"}


def _container(node: Node, pipeline: Pipeline, containers: Containers) -> dict[str, Any]:
    """The image, and the command with placeholders that Kubeflow replaces."""
    arguments = ["stage", containers.file.as_posix(), node.name, "--root", str(containers.root)]
    for override in containers.overrides:
        arguments += ["--set", override]
    # The run of our store has the id of Kubeflow's run.
    arguments += ["--run", "{{$.pipeline_job_uuid}}", "--executor-input", "{{$}}"]
    for key in pipeline.sources(node.name):
        arguments += ["--in", _joined(key, f"{{{{$.inputs.artifacts['{key}'].path}}}}")]
    for key in node.signature.outputs:
        arguments += ["--out", _joined(key, f"{{{{$.outputs.artifacts['{key}'].path}}}}")]
    resources = _resources(pipeline.cluster.resources.get(node.name, Resources()))
    container = {"args": arguments, "command": ["kerasvision"], "image": containers.image}
    return {**container, "resources": resources} if resources else container


def _resources(asked: Resources) -> dict[str, Any]:
    """What the container requests; older versions of Kubeflow read the numbers, newer ones the texts."""
    said: dict[str, Any] = {}
    if asked.cpu is not None:
        said |= {"cpuRequest": asked.cpu, "resourceCpuRequest": f"{asked.cpu:g}"}
    if asked.memory_gib is not None:
        gigabytes, text = asked.memory_gib * 2**30 / 10**9, f"{math.ceil(asked.memory_gib * 2**10)}Mi"
        said |= {"memoryRequest": gigabytes, "resourceMemoryRequest": text}
        said |= {"memoryLimit": gigabytes, "resourceMemoryLimit": text}
    if asked.gpus:
        count, kind = str(asked.gpus), asked.gpu_type
        said["accelerator"] = {"count": count, "type": kind, "resourceCount": count, "resourceType": kind}
    return said


def _joined(key: str, placeholder: str) -> str:
    """`key=placeholder`, in the form that Kubeflow requires for a text with a placeholder in it."""
    return json.dumps({"Concat": [f"{key}=", placeholder]})


def _task(node: Node, pipeline: Pipeline) -> dict[str, Any]:
    """One step of the graph: where its inputs come from. Kubeflow does not cache it, because it compares no contents."""
    sources = pipeline.sources(node.name)
    task: dict[str, Any] = {
        "cachingOptions": {},
        "componentRef": {"name": f"comp-{_label(node.name)}"},
        "taskInfo": {"name": _label(node.name)},
    }
    if sources:
        read = {
            key: {"taskOutputArtifact": {"outputArtifactKey": one.key, "producerTask": _label(one.producer)}}
            for key, one in sources.items()
        }
        task["dependentTasks"] = sorted({_label(one.producer) for one in sources.values()})
        task["inputs"] = {"artifacts": read}
    return task


def _mount(containers: Containers) -> dict[str, Any]:
    """The volume; older versions of Kubeflow read `constant`, newer ones the parameter."""
    claim = containers.claim
    return {"mountPath": str(containers.root), "constant": claim, "pvcNameParameter": _constant(claim)}


def _secret(secret: Secret) -> dict[str, Any]:
    """The names of a secret, and of the variable that gets its value."""
    return {
        "secretName": secret.name,
        "secretNameParameter": _constant(secret.name),
        "keyToEnv": [{"secretKey": secret.key, "envVar": secret.variable}],
        "optional": False,
    }


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def _label(name: str) -> str:
    """A name as Kubernetes accepts it."""
    return name.replace("_", "-")


def _check_names(pipeline: Pipeline) -> None:
    taken: dict[str, str] = {}
    for name in pipeline.nodes:
        other = taken.setdefault(_label(name), name)
        if other != name:
            raise GraphError(
                f"names of stages must differ in more than - and _ for Kubeflow; {other!r} and {name!r} do not",
                hint="rename one of them with name=... where the pipeline is built",
            )
