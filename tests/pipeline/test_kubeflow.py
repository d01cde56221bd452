"""The file for Kubeflow Pipelines has every stage, artifact, volume, request and secret, as kfp itself would write it."""

import json
import re
from pathlib import Path

import pytest
import yaml

from kerasvision import config as c
from kerasvision.errors import ConfigError, GraphError
from kerasvision.pipeline.artifacts import Artifact, Examples, Model, Out
from kerasvision.pipeline.graph import LatestBlessed, Pipeline, Previous
from kerasvision.pipeline.kubeflow import Containers, kubeflow_text, pipeline_spec, platform_spec
from kerasvision.pipeline.standard import load_pipeline

CONTAINERS = Containers("registry/vision:1", Path("pipelines/digits.py"))
CLUSTER = c.Cluster(
    resources={"learn": c.Resources(cpu=1.5, memory_gib=3, gpus=2)},
    secrets=(c.Secret(name="hub", key="token", variable="HUB_TOKEN", stages=("learn",)),),
)


class Smaller(Model):
    """An artifact of a user, which Kubeflow shows as its base class."""

    TYPE_NAME = "SmallerInKubeflowTest"


class Notes(Artifact):
    TYPE_NAME = "NotesInKubeflowTest"


def read_all(examples: Out[Examples]) -> None: ...


def learn(examples: Examples, model: Out[Smaller], notes: Out[Notes], earlier: Model | None = None) -> None: ...


@pytest.fixture
def pipeline():
    made = Pipeline("two_stages", cluster=CLUSTER)
    examples = made.add(read_all).examples
    made.add(learn, examples=examples, earlier=Previous("learn", "model"))
    return made


def test_a_stage_is_a_container_that_runs_its_command(pipeline):
    spec = pipeline_spec(pipeline, Containers("image", Path("a.py"), ("training.epochs=3",), root=Path("/data")))
    container = spec["deploymentSpec"]["executors"]["exec-learn"]["container"]
    assert (container["image"], container["command"]) == ("image", ["kerasvision"])
    assert container["args"] == [
        "stage", "a.py", "learn", "--root", "/data", "--set", "training.epochs=3",
        "--run", "{{$.pipeline_job_uuid}}", "--executor-input", "{{$}}",
        "--in", '{"Concat": ["examples=", "{{$.inputs.artifacts[\'examples\'].path}}"]}',
        "--out", '{"Concat": ["model=", "{{$.outputs.artifacts[\'model\'].path}}"]}',
        "--out", '{"Concat": ["notes=", "{{$.outputs.artifacts[\'notes\'].path}}"]}',
    ]  # fmt: skip


def test_a_task_reads_what_another_writes_and_is_never_cached(pipeline):
    spec = pipeline_spec(pipeline, CONTAINERS)
    assert spec["root"]["dag"]["tasks"] == {
        "read-all": {"cachingOptions": {}, "componentRef": {"name": "comp-read-all"}, "taskInfo": {"name": "read-all"}},
        "learn": {
            "cachingOptions": {},
            "componentRef": {"name": "comp-learn"},
            "dependentTasks": ["read-all"],
            "inputs": {
                "artifacts": {
                    "examples": {"taskOutputArtifact": {"outputArtifactKey": "examples", "producerTask": "read-all"}}
                }
            },
            "taskInfo": {"name": "learn"},
        },
    }
    assert (spec["pipelineInfo"], spec["schemaVersion"]) == ({"name": "two-stages"}, "2.1.0")


def test_artifacts_have_the_types_of_kubeflow(pipeline):
    component = pipeline_spec(pipeline, CONTAINERS)["components"]["comp-learn"]
    titles = {
        key: one["artifactType"]["schemaTitle"]
        for place in ("inputDefinitions", "outputDefinitions")
        for key, one in component[place]["artifacts"].items()
    }
    assert titles == {"examples": "system.Dataset", "model": "system.Model", "notes": "system.Artifact"}


def test_a_stage_requests_what_the_settings_say(pipeline):
    executors = pipeline_spec(pipeline, CONTAINERS)["deploymentSpec"]["executors"]
    assert "resources" not in executors["exec-read-all"]["container"]
    # 3 GiB are 3 * 1024 MiB, and 3 * 1024**3 / 1000**3 gigabytes.
    assert executors["exec-learn"]["container"]["resources"] == {
        "cpuRequest": 1.5,
        "resourceCpuRequest": "1.5",
        "memoryRequest": 3.221225472,
        "resourceMemoryRequest": "3072Mi",
        "memoryLimit": 3.221225472,
        "resourceMemoryLimit": "3072Mi",
        "accelerator": {"count": "2", "type": "nvidia.com/gpu", "resourceCount": "2", "resourceType": "nvidia.com/gpu"},
    }


def test_every_stage_sees_the_volume_and_only_the_named_ones_a_secret(pipeline):
    said = platform_spec(pipeline, Containers("image", Path("a.py"), claim="disk"))
    executors = said["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    disk = {"runtimeValue": {"constant": "disk"}}
    volume = [{"constant": "disk", "mountPath": "/kerasvision", "pvcNameParameter": disk}]
    assert executors["exec-read-all"] == {"pvcMount": volume}
    assert executors["exec-learn"] == {
        "pvcMount": volume,
        "secretAsEnv": [
            {
                "keyToEnv": [{"envVar": "HUB_TOKEN", "secretKey": "token"}],
                "optional": False,
                "secretName": "hub",
                "secretNameParameter": {"runtimeValue": {"constant": "hub"}},
            }
        ],
    }


def test_the_text_is_two_plain_documents(pipeline):
    text = kubeflow_text(pipeline, CONTAINERS)
    assert list(yaml.safe_load_all(text)) == [pipeline_spec(pipeline, CONTAINERS), platform_spec(pipeline, CONTAINERS)]
    # Anchors are valid YAML, but not every reader of Kubernetes knows them.
    assert not re.search(r": [&*]id", text)


def test_a_baseline_adds_no_input_if_its_model_is_one_already():
    strict = load_pipeline("pipelines/digits.py", overrides=['gate.rules=[c.NoWorse("accuracy")]'])
    assert isinstance(strict.nodes["evaluator"].inputs["baseline_saved_model"], LatestBlessed)
    evaluator = pipeline_spec(strict, CONTAINERS)["components"]["comp-evaluator"]
    assert sorted(evaluator["inputDefinitions"]["artifacts"]) == [
        "examples", "model", "saved_model", "schema", "simple_scores", "transform_graph",
    ]  # fmt: skip


def test_names_that_kubernetes_cannot_tell_apart_are_rejected():
    made = Pipeline("p")
    made.add(read_all, name="a_b")
    made.add(read_all, name="a-b")
    with pytest.raises(GraphError, match="'a_b' and 'a-b' do not"):
        kubeflow_text(made, CONTAINERS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": " "}, "the container image requires a name"),
        ({"file": Path("../digits.py")}, "the path must be inside the current folder; received '../digits.py'"),
        ({"root": Path("data")}, "the volume is mounted at an absolute path; received 'data'"),
        ({"claim": "My disk"}, "the name of a claim consists of lower-case letters"),
    ],
)
def test_what_no_cluster_could_use_is_rejected(fields, message):
    with pytest.raises(ConfigError, match=message):
        Containers(**{"image": "image", "file": Path("a.py"), **fields})


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cluster.resources.trainr={'cpu': 2}", "cluster names a stage 'trainr' .*; did you mean 'trainer'?"),
        ("cluster.resources.tuner={'cpu': 2}", "cluster names a stage 'tuner' that the pipeline does not have"),
        ("cluster.resources.trainer={'cpu': 0}", "cpu.*greater than 0; received 0"),
        ("cluster.resources.trainer={'memory_gib': -1}", "memory_gib.*greater than 0; received -1"),
        ("cluster.resources.trainer={'gpus': 1.5}", "gpus.*integer"),
        (
            "cluster.secrets=[{'name': 'a', 'key': 'b', 'variable': 'C', 'stages': ['nowhere']}]",
            "cluster names a stage 'nowhere'",
        ),
        ("cluster.secrets=[{'name': 'A B', 'key': 'b', 'variable': 'C'}]", "received 'A B'"),
        ("cluster.secrets=[{'name': 'a', 'key': 'b', 'variable': 'C-D'}]", "received 'C-D'"),
        (
            "cluster.secrets=[{'name': 'a', 'key': 'b', 'variable': 'C'}, "
            "{'name': 'd', 'key': 'e', 'variable': 'C', 'stages': ['trainer']}]",
            "an environment variable has one value; received 'C' twice",
        ),
    ],
)
def test_a_mistake_about_the_cluster_is_found_when_the_file_is_read(override, message):
    with pytest.raises(ConfigError, match=message):
        load_pipeline("pipelines/digits.py", overrides=[override])


def test_requests_change_no_cache_key():
    plain = load_pipeline("pipelines/digits.py")
    asking = load_pipeline("pipelines/digits.py", overrides=["cluster.resources.trainer={'gpus': 1}"])
    assert asking.cluster.resources["trainer"].gpus == 1
    assert {name: node.settings for name, node in plain.nodes.items()} == {
        name: node.settings for name, node in asking.nodes.items()
    }
    assert json.loads(json.dumps(asking.origin.experiment))["cluster"]["resources"]["trainer"]["gpus"] == 1
