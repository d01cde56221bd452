"""Listeners tell MLflow and OpenLineage about a run. Whatever happens to them, the run stays the same.

The packages are replaced by stand-ins here; test_listeners_proof.py has the packages themselves.
"""

import hashlib
import json
import sys
import threading
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest

import kerasvision
from kerasvision import config as c
from kerasvision import extras
from kerasvision.config.loading import load_experiment
from kerasvision.errors import ConfigError, DataError, Interrupted
from kerasvision.pipeline.artifacts import Examples, Model, ModelBlessing, ModelEvaluation, Out, PushedModel
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run
from kerasvision.pipeline.mlflow_listener import settings_of
from kerasvision.pipeline.openlineage_listener import PRODUCER, OpenLineageListener
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.stage_in_folders import run_stage
from kerasvision.pipeline.standard import standard_pipeline


class Learning(c.Config):
    rate: float = 0.5
    note: str = ""
    does: str = "write"


def read(examples: Out[Examples]) -> None:
    (examples.uri / "text.txt").write_text("12345")


def learn(examples: Examples, model: Out[Model], *, settings: Learning) -> None:
    errors = {"fail": DataError("no image"), "stop": Interrupted("asked to stop"), "ctrl-c": KeyboardInterrupt()}
    if settings.does in errors:
        raise errors[settings.does]
    model.history.write_text("epoch,loss,val_loss\n1,0.5,0.75\n2,0.25,\n")


def judge(model: Model, evaluation: Out[ModelEvaluation], blessing: Out[ModelBlessing]) -> None:
    scores = {"accuracy": {"score": 0.75, "low": 0.5, "high": 1.0}, "recall[cat]": {"score": 0.5, "low": None, "high": None}}
    evaluation.scores.write_text(json.dumps({"splits": {"test": {"count": 8, "scores": scores}}}))
    blessing.properties.update(blessed=1, verdict="BLESSED")


def push(blessing: ModelBlessing, pushed_model: Out[PushedModel]) -> None:
    pushed_model.record.write_text(json.dumps({"pushed": False, "why": "a stand-in"}))
    pushed_model.properties.update(pushed=1, pushed_version=3, pushed_destination="saved_models/toy/3")


def pipeline(*listeners, **settings):
    made = Pipeline("toy", listeners=listeners)
    examples = made.add(read).examples
    judged = made.add(judge, model=made.add(learn, examples=examples, settings=Learning(**settings)).model)
    made.add(push, blessing=judged.blessing)
    return made


class Remarks(Listener):
    def __init__(self):
        self.said = []

    def remark(self, node, sentence):
        self.said.append(f"{node}: {sentence}")


def module(name, **members):
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    vars(made).update(members)
    return made


# --- MLflow


class MlflowServer:
    """Stands for MLflow's client and what it has stored: by run, what was logged in which batch."""

    def __init__(self):
        self.experiments, self.runs, self.batches = {}, {}, []

    def client(self, tracking_uri):
        self.uri = tracking_uri
        return self

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name):
        return self.experiments.setdefault(name, f"experiment {name}")

    def search_runs(self, experiments, query, max_results):
        wanted = query.removeprefix("tags.`kerasvision.run` = '").removesuffix("'")
        found = [key for key, one in self.runs.items() if one["tags"]["kerasvision.run"] == wanted]
        return [SimpleNamespace(info=SimpleNamespace(run_id=key)) for key in found[:max_results]]

    def create_run(self, experiment, start_time, run_name, tags):
        key = f"id {len(self.runs)}"
        self.runs[key] = {"experiment": experiment, "began": start_time, "name": run_name, "state": "RUNNING"}
        self.runs[key] |= {"tags": dict(tags), "params": {}, "metrics": []}
        return SimpleNamespace(info=SimpleNamespace(run_id=key))

    def update_run(self, key, status):
        self.runs[key]["state"] = status

    def log_batch(self, key, *, metrics=(), params=(), tags=()):
        self.batches.append(len(metrics) + len(params) + len(tags))
        self.runs[key]["params"].update(params)
        self.runs[key]["tags"].update(tags)
        self.runs[key]["metrics"] += metrics

    def set_terminated(self, key, status, end_time):
        self.runs[key] |= {"state": status, "ended": end_time}


@pytest.fixture
def mlflow(monkeypatch):
    server = MlflowServer()
    limits = {
        "MAX_PARAM_VAL_LENGTH": 20,
        "MAX_TAG_VAL_LENGTH": 80,
        "MAX_PARAMS_TAGS_PER_BATCH": 2,
        "MAX_METRICS_PER_BATCH": 3,
    }
    entities = {name: lambda *values: values for name in ("Metric", "Param", "RunTag")}
    for name, members in {
        "mlflow": {},
        "mlflow.tracking": {"MlflowClient": server.client},
        "mlflow.entities": entities,
        "mlflow.utils": {},
        "mlflow.utils.validation": limits,
    }.items():
        monkeypatch.setitem(sys.modules, name, module(name, **members))
    return server


def test_mlflow_gets_settings_scores_verdict_and_version(mlflow, tmp_path):
    began = time.time() * 1000
    made = pipeline(c.Mlflow(uri="http://here:5000"), note="a note that is longer than 20")
    result = run(made, root=tmp_path)
    assert mlflow.uri == "http://here:5000"
    assert mlflow.experiments == {"toy": "experiment toy"}
    (one,) = mlflow.runs.values()
    assert (one["experiment"], one["name"], one["state"]) == ("experiment toy", result.id, "FINISHED")
    assert began - 1 < one["began"] <= one["ended"] < time.time() * 1000 + 1
    assert one["params"] == {"learn.rate": "0.5", "learn.note": "a note that is lo...", "learn.does": "write"}
    settings = '{"learn.does":"write","learn.note":"a note that is longer than 20","learn.rate":"0.5"}'
    assert one["tags"] == {
        "kerasvision.run": result.id,
        "kerasvision.version": kerasvision.__version__,
        "kerasvision.settings": hashlib.sha256(settings.encode()).hexdigest(),
        "mlflow.source.name": "toy",
        "kerasvision.verdict": "blessed",
        "kerasvision.pushed_version": "3",
        "kerasvision.pushed_to": "saved_models/toy/3",
    }
    assert [(name, value, step) for name, value, _, step in one["metrics"]] == [
        ("learn/loss", 0.5, 1),
        ("learn/val_loss", 0.75, 1),
        ("learn/loss", 0.25, 2),
        ("judge/test/accuracy", 0.75, 0),
        ("judge/test/accuracy_low", 0.5, 0),
        ("judge/test/accuracy_high", 1.0, 0),
        ("judge/test/recall_cat_", 0.5, 0),
    ]
    # Three tags; params in twos; the metrics of each stage in threes; the verdict; the push.
    assert mlflow.batches == [3, 2, 1, 3, 3, 1, 1, 2]


def test_a_run_that_reuses_everything_is_recorded_in_full_too(mlflow, tmp_path):
    run(pipeline(), root=tmp_path)
    result = run(pipeline(c.Mlflow()), root=tmp_path)
    assert all(stage.reused for stage in result.stages), "a listener is no part of a fingerprint"
    run(pipeline(c.Mlflow()), root=tmp_path)
    one, other = mlflow.runs.values()
    assert one["name"] == result.id != other["name"]
    assert len(one["metrics"]) == len(other["metrics"]) == 7
    assert mlflow.uri is None


@pytest.mark.parametrize(
    ("does", "error", "state", "text"),
    [
        ("fail", DataError, "FAILED", "DataError: no image."),
        ("stop", Interrupted, "KILLED", None),
        ("ctrl-c", KeyboardInterrupt, "KILLED", None),
    ],
)
def test_mlflow_learns_how_a_run_ends_early(does, error, state, text, mlflow, tmp_path):
    with pytest.raises(error):
        run(pipeline(c.Mlflow(), does=does), root=tmp_path)
    (one,) = mlflow.runs.values()
    assert (one["state"], one["tags"].get("kerasvision.error")) == (state, text)


def test_a_server_of_mlflow_that_comes_back_gets_the_run(mlflow, monkeypatch, tmp_path):
    create, refused = mlflow.create_run, []

    def away(*place, **named):
        if not refused:
            refused.append(True)
            raise OSError("connection refused")
        return create(*place, **named)

    monkeypatch.setattr(mlflow, "create_run", away)
    remarks = Remarks()
    run(pipeline(c.Mlflow()), root=tmp_path, listener=remarks)
    assert [one["state"] for one in mlflow.runs.values()] == ["FINISHED"]
    assert ["connection refused" in sentence for sentence in remarks.said] == [True]


def test_stages_in_processes_of_their_own_are_one_run_of_mlflow(mlflow, tmp_path):
    made = pipeline(c.Mlflow())
    run_stage(made, "read", inputs={}, outputs={"examples": tmp_path / "out"}, root=tmp_path, run_id="nightly-7")
    run_stage(made, "learn", inputs={"examples": tmp_path / "out"}, outputs={}, root=tmp_path / "other", run_id="nightly-7")
    (one,) = mlflow.runs.values()
    assert (one["name"], one["state"], len(one["metrics"])) == ("nightly-7", "FINISHED", 3)


def test_settings_without_effect_on_results_are_not_parameters(tmp_path):
    (tmp_path / "digits.py").write_text((Path(__file__).parents[2] / "pipelines" / "digits.py").read_text())
    experiment = load_experiment(
        tmp_path / "digits.py", overrides=['listeners=["mlflow"]', "listeners.0.uri=http://here:5000"]
    )
    assert experiment.listeners == (c.Mlflow(uri="http://here:5000"),)
    made = standard_pipeline(experiment)
    made.origin = SimpleNamespace(experiment=experiment.to_data())
    found = settings_of(made)
    assert (found["training.epochs"], found["model.name"], found["augment.0.kind"]) == ("20", "lenet5", "pad_crop")
    assert not [path for path in found if path.startswith(("listeners", "hooks", "cluster"))]


# --- OpenLineage


class Anything(ModuleType):
    """Stands for OpenLineage's modules. Its classes become mappings, which must name us as the producer if they can."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "RunState":
            return {state: state for state in ("START", "COMPLETE", "FAIL", "ABORT")}
        return self.made_of(name) if name[0].isupper() else Anything(f"{self.__name__}.{name}")

    def made_of(self, name):
        def make(**fields):
            if name.endswith(("Facet", "RunEvent")):
                assert fields.pop("producer") == PRODUCER
            return fields

        return make


@pytest.fixture
def events(monkeypatch):
    sent = []
    client = SimpleNamespace(emit=sent.append, close=lambda timeout: sent.append(f"closed in {timeout:g} s"))
    monkeypatch.setitem(sys.modules, "openlineage", module("openlineage"))
    monkeypatch.setitem(sys.modules, "openlineage.client", module("openlineage.client", OpenLineageClient=lambda: client))
    for name in ("event_v2", "facet_v2"):
        monkeypatch.setitem(sys.modules, f"openlineage.client.{name}", Anything(f"openlineage.client.{name}"))
    return sent


def heads(events):
    return [(one["eventType"], one["job"]["name"]) for one in events if isinstance(one, dict)]


def test_openlineage_gets_an_event_for_the_beginning_and_the_end_of_every_job(events, tmp_path):
    run(pipeline(c.OpenLineage(timeout_seconds=7)), root=tmp_path)
    stages = [(state, name) for name in ("read", "learn", "judge", "push") for state in ("START", "COMPLETE")]
    assert heads(events) == [("START", "toy"), *stages, ("COMPLETE", "toy")]
    assert events[-1] == "closed in 7 s"
    assert {one["job"]["namespace"] for one in events[:-1]} == {"toy"}
    kinds = {one["job"]["name"]: one["job"]["facets"]["jobType"]["jobType"] for one in events[:-1]}
    assert kinds == {"toy": "DAG", "read": "TASK", "learn": "TASK", "judge": "TASK", "push": "TASK"}
    parent = events[0]["run"]["runId"]
    assert {one["run"]["facets"]["parent"]["run"]["runId"] for one in events[1:-2]} == {parent}
    # A stage has one id for both of its events, and each stage another one.
    ids = [one["run"]["runId"] for one in events[1:-2]]
    assert ids[::2] == ids[1::2]
    assert len({parent, *ids}) == 5


def test_openlineage_gets_what_was_read_and_written_with_versions(events, tmp_path):
    result = run(pipeline(c.OpenLineage(namespace="team")), root=tmp_path)
    examples = result.stages[0].outputs["examples"]
    (written,) = events[2]["outputs"]
    folder = tmp_path / "runs" / "artifacts" / "toy" / "read" / "examples"
    assert (written["namespace"], written["name"]) == ("file", str(folder))
    assert written["facets"] == {
        "version": {"datasetVersion": examples.digest},
        "datasetType": {"datasetType": "FILE", "subType": "Examples"},
        "dataSource": {"name": str(examples.id), "uri": examples.uri.as_uri()},
    }
    assert written["outputFacets"] == {"outputStatistics": {"rowCount": None, "size": 5, "fileCount": 1}}
    start, complete = events[3:5]
    assert start["inputs"] == complete["inputs"] == [{name: written[name] for name in ("namespace", "name", "facets")}]
    assert complete["outputs"][0]["facets"]["datasetType"] == {"datasetType": "MODEL", "subType": "Model"}
    assert {one["job"]["namespace"] for one in events[:-1]} == {"team"}


def test_a_reused_result_is_marked_and_nothing_counts_as_written(events, tmp_path):
    run(pipeline(), root=tmp_path)
    run(pipeline(c.OpenLineage()), root=tmp_path)
    complete = events[2]
    assert complete["run"]["facets"]["tags"]["tags"] == [{"key": "reused", "value": "true", "source": "KERASVISION"}]
    assert complete["outputs"][0]["outputFacets"] == {}


@pytest.mark.parametrize(
    ("does", "error", "state"),
    [("fail", DataError, "FAIL"), ("stop", Interrupted, "ABORT"), ("ctrl-c", KeyboardInterrupt, "ABORT")],
)
def test_openlineage_learns_how_a_run_ends_early(does, error, state, events, tmp_path):
    with pytest.raises(error):
        run(pipeline(c.OpenLineage(), does=does), root=tmp_path)
    assert heads(events)[-3:] == [("START", "learn"), (state, "learn"), (state, "toy")]
    failed, written = events[-3], events[2]["outputs"]
    assert [one["facets"] for one in failed["inputs"]] == [one["facets"] for one in written]
    assert failed["run"]["facets"]["errorMessage"]["message"].startswith(error.__name__)


def test_a_stage_that_is_stopped_because_another_one_fails_is_aborted(events):
    listener = OpenLineageListener(c.OpenLineage())
    listener.began(RunRecord("20261130-1", "toy", 0), pipeline())
    for node in ("read", "learn"):
        listener.started(node)
    listener.failed("read", DataError("no image"))
    listener.ended(DataError("no image"))
    assert heads(events)[3:] == [("FAIL", "read"), ("ABORT", "learn"), ("FAIL", "toy")]


def test_the_time_of_an_event_is_that_at_which_it_happened(events):
    listener = OpenLineageListener(c.OpenLineage())
    listener.now_ms = 1_700_000_000_250
    listener.began(RunRecord("20261130-1", "toy", 0), pipeline())
    assert events[0]["eventTime"] == "2023-11-14T22:13:20.250+00:00"


# --- Listeners that fail


class Own(c.Listener):
    implementation: ClassVar[str] = f"{__name__}:Told"

    fails_at: str = ""
    hangs: bool = False


TOLD: list[str] = []
RELEASED = threading.Event()


class Told(Listener):
    """A user's own listener. It notes the events, and fails or hangs if the settings say so."""

    def __init__(self, settings):
        self.settings = settings

    def note(self, event):
        TOLD.append(event)
        if self.settings.hangs:
            RELEASED.wait(60)
        if self.settings.fails_at in ("all", event):
            raise OSError(f"{event} was refused\nand more")

    def began(self, run, pipeline):
        self.note(f"began {pipeline.name}")

    def started(self, node):
        self.note(f"started {node}")

    def finished(self, result):
        self.note(f"finished {result.node}")

    def ended(self, error):
        self.note("ended")


@pytest.fixture(autouse=True)
def _fresh():
    TOLD.clear()
    RELEASED.clear()
    yield
    RELEASED.set()
    # Those that were given up: what they still note must not be in the next test.
    for thread in threading.enumerate():
        if thread.name.startswith("listener "):
            thread.join()


ALL = [
    "began toy",
    *(f"{what} {node}" for node in ("read", "learn", "judge", "push") for what in ("started", "finished")),
    "ended",
]


def test_a_listener_of_your_own_gets_all_events_in_order(tmp_path):
    remarks = Remarks()
    run(pipeline(Own()), root=tmp_path, listener=remarks)
    assert (TOLD, remarks.said) == (ALL, [])


@pytest.mark.parametrize("fails_at", ["all", "started learn"])
def test_a_listener_that_fails_is_said_once_and_gets_the_later_events(fails_at, tmp_path):
    remarks = Remarks()
    own = Own(fails_at=fails_at)
    assert len(run(pipeline(own), root=tmp_path, listener=remarks).stages) == 4
    event = "began toy" if fails_at == "all" else fails_at
    sentence = f"the listener {own.kind} failed, which does not change the run: OSError: {event} was refused"
    assert remarks.said == [f"{own.kind}: {sentence}"]
    assert TOLD == ALL


def test_a_listener_that_hangs_is_given_up_and_does_not_delay_the_others(mlflow, tmp_path):
    remarks, own = Remarks(), Own(hangs=True, timeout_seconds=0.3)
    began = time.monotonic()
    result = run(pipeline(own, c.Mlflow()), root=tmp_path, listener=remarks)
    assert time.monotonic() - began < 30
    assert len(result.stages) == 4
    (sentence,) = remarks.said
    assert "has not sent everything after 0.3 seconds, and was given up: check its server, raise timeout_seconds" in sentence
    assert [one["state"] for one in mlflow.runs.values()] == ["FINISHED"]


@pytest.mark.parametrize(
    ("settings", "package"), [(c.Mlflow(), "mlflow"), (c.OpenLineage(), "openlineage")], ids=["mlflow", "openlineage"]
)
def test_a_missing_package_is_said_with_the_command_that_installs_it(settings, package, monkeypatch, tmp_path):
    for name in ("mlflow_listener", "openlineage_listener"):
        monkeypatch.setattr(f"kerasvision.pipeline.{name}.find_spec", lambda name: None)
    remarks = Remarks()
    run(pipeline(settings), root=tmp_path, listener=remarks)
    (sentence,) = remarks.said
    assert (
        f"requires the package {package}, which is not installed. Install with: {extras.install_command(package)}"
        in sentence
    )


def test_other_commands_than_a_run_tell_nobody(tmp_path):
    run(pipeline(Own()), root=tmp_path, purpose="data scan")
    assert TOLD == []


def test_the_error_of_a_run_is_its_own_although_a_listener_fails_too(tmp_path):
    with pytest.raises(DataError, match="no image"):
        run(pipeline(Own(fails_at="all"), does="fail"), root=tmp_path, listener=Remarks())


# --- Settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: c.Mlflow(uri="https://ann:secret@host"), "must not contain a password"),
        (lambda: c.Mlflow(uri="http:/host"), "the uri of a server begins with http://"),
        (lambda: c.Mlflow(uri="localhost:5000"), "begins with http:// or https:// and its name; received 'localhost:5000'"),
        (lambda: c.Mlflow(depends_on=("a.txt",)), "a listener has no result"),
        (lambda: c.Mlflow(timeout_seconds=0), "above 0"),
        (lambda: c.OpenLineage(url="http://host"), "has no field 'url'"),
        (lambda: c.Listener.parse("mlfow"), "did you mean 'mlflow'"),
    ],
)
def test_settings_that_cannot_work_are_refused(make, message):
    with pytest.raises(ConfigError, match=message) as refused:
        make()
    assert "secret" not in str(refused.value)
