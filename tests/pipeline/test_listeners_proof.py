"""MLflow's own client reads back what a run has told it, and OpenLineage's own classes read the events.

Both packages are installed into an environment of its own, which also sees the packages of this one.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]  # downloads 15 MB, and MLflow takes long to import
OPENLINEAGE = "transport:\n  type: file\n  log_file_path: events.jsonl\n  append: true\n"

# The stages of test_listeners.py, without its stand-ins.
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from test_listeners import pipeline, Remarks
from kerasvision import config as c
from kerasvision.pipeline.local import run

remarks = Remarks()
listeners = (c.Mlflow(uri=sys.argv[2], timeout_seconds=900), c.OpenLineage(timeout_seconds=60))
note = "long " * 2000
for does in ("write", "fail"):
    try:
        run(pipeline(*listeners, does=does, note=note), listener=remarks)
    except Exception as error:
        print(type(error).__name__)
assert remarks.said == [], remarks.said
"""

READ_MLFLOW = """
import json, sys
from mlflow.tracking import MlflowClient

client = MlflowClient(sys.argv[1])
(experiment,) = client.search_experiments(filter_string="name = 'toy'")
runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
found = []
for run in runs:
    losses = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "learn/loss")]
    about = {"status": run.info.status, "name": run.info.run_name, "tags": run.data.tags, "params": run.data.params}
    milliseconds = run.info.end_time - run.info.start_time
    found.append({**about, "metrics": run.data.metrics, "losses": losses, "milliseconds": milliseconds})
print("FOUND" + json.dumps(found))
"""

READ_OPENLINEAGE = """
import json
from openlineage.client import event_v2, facet_v2

def made(event):
    # OpenLineage's classes check the fields that they know: a wrong or missing name is an error.
    version = facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet
    for one in (*event["inputs"], *event["outputs"]):
        version(**{name: value for name, value in one["facets"]["version"].items() if not name.startswith("_")})
    run = event["run"]["facets"]
    if "parent" in run:
        parent = facet_v2.parent_run
        parent.ParentRunFacet(run=parent.Run(**run["parent"]["run"]), job=parent.Job(**run["parent"]["job"]))
    return event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(runId=event["run"]["runId"]),
        job=event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
        inputs=[event_v2.InputDataset(one["namespace"], one["name"]) for one in event["inputs"]],
        outputs=[event_v2.OutputDataset(one["namespace"], one["name"]) for one in event["outputs"]],
        producer=event["producer"],
    )

events = [json.loads(line) for line in open("events.jsonl")]
for event in events:
    made(event)
print("FOUND" + json.dumps(events))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs a program with both packages in a folder, and returns what it found."""
    folder = tmp_path_factory.mktemp("listeners")
    interpreter = folder / "venv" / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = [*extras["mlflow"], *extras["openlineage"]]
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", interpreter, *packages], check=True)
    # The packages of this environment come last, after those that were chosen for MLflow and OpenLineage.
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(program, *words):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_ALLOW_FILE_STORE": "true", "DO_NOT_TRACK": "true"}
        command = [interpreter, "-c", program, *map(str, words)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    (folder / "openlineage.yml").write_text(OPENLINEAGE)
    assert run(RUN, Path(__file__).parent, folder / "mlruns").split() == ["DataError"]
    run.folder = folder
    return run


def found(text):
    return json.loads(text.partition("FOUND")[2])


def test_mlflow_reads_back_a_run_that_finished_and_one_that_failed(python):
    one, other = found(python(READ_MLFLOW, python.folder / "mlruns"))
    assert (one["status"], other["status"]) == ("FINISHED", "FAILED")
    assert one["name"] == one["tags"]["kerasvision.run"]
    assert (one["tags"]["kerasvision.verdict"], one["tags"]["kerasvision.pushed_version"]) == ("blessed", "3")
    assert other["tags"]["kerasvision.error"] == "DataError: no image."
    assert one["params"]["learn.rate"] == "0.5"
    assert one["params"]["learn.note"].startswith("long long")
    assert len(one["params"]["learn.note"]) == 6000
    assert one["losses"] == [[1, 0.5], [2, 0.25]]
    assert one["metrics"]["judge/test/accuracy_low"] == 0.5
    assert one["milliseconds"] >= 0


def test_openlineage_reads_the_events_of_both_runs(python):
    events = found(python(READ_OPENLINEAGE))
    stages = [(state, name) for name in ("read", "learn", "judge", "push") for state in ("START", "COMPLETE")]
    failed = [("START", "toy"), *stages[:2], ("START", "learn"), ("FAIL", "learn"), ("FAIL", "toy")]
    heads = [(one["eventType"], one["job"]["name"]) for one in events]
    assert heads == [("START", "toy"), *stages, ("COMPLETE", "toy"), *failed]
    written, read = events[2]["outputs"][0], events[4]["inputs"][0]
    assert written["facets"]["version"]["datasetVersion"] == read["facets"]["version"]["datasetVersion"]
    assert events[-2]["run"]["facets"]["errorMessage"]["message"] == "DataError: no image."
    assert {one["producer"].split("@")[0] for one in events} == {"pkg:generic/kerasvision"}
    assert events[1]["run"]["facets"]["parent"]["run"]["runId"] == events[0]["run"]["runId"]
