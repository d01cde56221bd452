"""kfp, the library of Kubeflow Pipelines, loads the compiled file, would write the same, and runs it with the same results.

kfp is not a dependency, and does not install next to the locked versions: kfp 2.17 requires protobuf 6 and requests 2.33.0.
These tests run in an environment that has kfp, kfp-kubernetes and kerasvision with its tests.
"""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kerasvision.pipeline.kubeflow import Containers, kubeflow_text
from kerasvision.pipeline.standard import load_pipeline
from kerasvision.pipeline.store import opened

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),  # kfp starts each of eleven stages in a process of its own
    pytest.mark.skipif(
        importlib.util.find_spec("kfp") is None,
        reason="requires kfp, which the locked versions do not allow; see the docstring",
    ),
]
# Two epochs, and little of what follows.
SHORT = [
    "training.epochs=2",
    "gate.rules.0.value=0.1",
    "evaluation.resamples=100",
    "evaluation.slices=[]",
    "serving.canary_examples=64",
]


def python(*arguments, folder=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def module(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_kfp_writes_the_same_file(tmp_path):
    tests = module("test_kubeflow")
    made = tests.Pipeline("two_stages", cluster=tests.CLUSTER)
    made.add(tests.learn, examples=made.add(tests.read_all).examples)
    python(HERE / "written_by_kfp.py", tmp_path / "kfp.yaml")
    theirs = list(yaml.safe_load_all((tmp_path / "kfp.yaml").read_text()))
    ours = list(yaml.safe_load_all(kubeflow_text(made, tests.CONTAINERS)))
    assert theirs[0].pop("sdkVersion").startswith("kfp-")
    assert ours[0].pop("sdkVersion") == "kerasvision"
    assert ours == theirs


LOAD = """
import sys, yaml
from google.protobuf.json_format import ParseDict
from kfp.components import load_component_from_file
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig

for file in sys.argv[1:]:
    tasks = load_component_from_file(file).pipeline_spec.root.dag.tasks
    _, platform = yaml.safe_load_all(open(file))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    assert all(ParseDict(one, KubernetesExecutorConfig()).pvc_mount for one in executors)
    print(len(tasks), len(executors))
"""


def test_kfp_loads_every_pipeline(tmp_path):
    names = sorted(path.name for path in (ROOT / "pipelines").glob("*.py"))
    counts = []
    for name in names:
        pipeline = load_pipeline(ROOT / "pipelines" / name)
        (tmp_path / f"{name}.yaml").write_text(kubeflow_text(pipeline, Containers("image", Path("pipelines") / name)))
        counts.append(f"{len(pipeline.nodes)} {len(pipeline.nodes)}")
    printed = python("-W", "ignore", "-c", LOAD, *(tmp_path / f"{name}.yaml" for name in names))
    assert printed.splitlines() == counts


MAIN = ("-c", "from kerasvision.cli import main; main()")
OVERRIDES = [word for setting in SHORT for word in ("--set", setting)]


@dataclass(frozen=True)
class Both:
    """A run on one machine, and one in kfp.

    Attributes:
        root: of the run on one machine.
        carried: where kfp kept the artifacts: a folder for each stage, and in it one for each output.
        volume: the root of the stages that kfp ran.
    """

    root: Path
    carried: Path
    volume: Path

    def here(self):
        """stage.output -> the artifact of the run on one machine."""
        return artifacts_of(self.root)

    def folders(self):
        """stage.output -> the folder that kfp kept."""
        records = {file.parent: json.loads(file.read_text()) for file in self.carried.glob("*/*/artifact.json")}
        return {f"{told['node']}.{told['key']}": folder for folder, told in records.items()}


def artifacts_of(root):
    """stage.output -> artifact of the newest run."""
    with opened(root / "runs", read_only=True) as store:
        run, *_ = store.runs()
        return {f"{one.node}.{key}": made for one in store.executions(run) for key, made in one.outputs.items()}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    python(*MAIN, "run", "pipelines/digits.py", "--root", folder / "local", "--workers", 1, *OVERRIDES)
    compiled = ("--to", "kubeflow", "--image", "image", "--mount", folder / "volume", "-o", folder / "digits.yaml")
    python(*MAIN, "compile", "pipelines/digits.py", *OVERRIDES, *compiled)
    (folder / "volume").mkdir()
    python(HERE / "run_in_kfp.py", folder / "digits.yaml", folder / "kfp")
    return Both(folder / "local", next((folder / "kfp").glob("digits-*")), folder / "volume")


def test_what_kfp_ran_has_the_same_content_as_a_run_on_one_machine(both):
    here, folders, varying = both.here(), both.folders(), module("varying")
    assert len(here) == 12
    assert folders.keys() == here.keys()
    for name, artifact in here.items():
        digest = json.loads((folders[name] / "artifact.json").read_text())["digest"]
        one, other = varying.contents(artifact.uri), varying.contents(folders[name] / "content")
        assert one.keys() == other.keys()
        differing = {path for path in one if one[path] != other[path]}
        assert differing <= varying.VARYING.get(name, set()), name
        assert (digest == artifact.digest) or name in varying.VARYING


def test_both_learned_the_same_weights_bit_for_bit(both):
    weights = []
    for folder in (both.here()["trainer.model"].uri, both.folders()["trainer.model"] / "content"):
        with zipfile.ZipFile(folder / "Format-Keras" / "model.keras") as file:
            weights.append(file.read("model.weights.h5"))
    assert weights[0] == weights[1]


def test_a_run_on_the_volume_finds_the_digest_of_every_artifact_and_executes_nothing(both):
    python(*MAIN, "run", "pipelines/digits.py", "--root", both.volume, *OVERRIDES)
    with opened(both.volume / "runs", read_only=True) as store:
        newest, kubeflows = store.runs()
        assert [one.outcome for one in store.executions(newest)] == ["reused"] * 11
        assert (kubeflows.outcome, len(store.executions(kubeflows))) == ("finished", 11)
    digests = {name: artifact.digest for name, artifact in artifacts_of(both.volume).items()}
    carried = {name: json.loads((folder / "artifact.json").read_text()) for name, folder in both.folders().items()}
    assert digests == {name: told["digest"] for name, told in carried.items()}
    assert (both.volume / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()


def test_kubeflow_knows_the_digest_the_type_and_the_scores(both):
    output = json.loads((both.carried / "evaluator" / "executor_output.json").read_text())
    (evaluation,) = output["artifacts"]["evaluation"]["artifacts"]
    record = json.loads((both.carried / "evaluator" / "evaluation" / "artifact.json").read_text())
    assert evaluation["metadata"] == {**record["properties"], "digest": record["digest"], "artifact_type": "ModelEvaluation"}
    assert evaluation["metadata"]["accuracy"] > 0.1
