"""Stages whose artifacts come from folders and go to folders make the same artifacts as a run on one machine."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline import local
from kerasvision.pipeline.artifacts import Model
from kerasvision.pipeline.carried import Carried, carry
from kerasvision.pipeline.digests import tree_digest
from kerasvision.pipeline.executor_output import ExecutorInput
from kerasvision.pipeline.object_store import ObjectStore
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.stage_in_folders import run_stage
from kerasvision.pipeline.standard import standard_pipeline
from kerasvision.pipeline.store import opened

STAGES = ["read", "train", "export", "judge", "push"]
# Bytes 18 and 19 of an SQLite file: 1 for a rollback journal, 2 for WAL. https://www.sqlite.org/fileformat.html
MODES = {b"\x01\x01": "delete", b"\x02\x02": "wal"}


@pytest.fixture(scope="session")
def carried():
    """The stages of carried_stages.py."""
    spec = importlib.util.spec_from_file_location("carried_stages", Path(__file__).with_name("carried_stages.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["carried_stages"] = module
    spec.loader.exec_module(module)
    return module


def run_all(pipeline, folder, roots, **options):
    """Runs each stage in its own call, on the root that `roots(name)` names; returns the result of each.

    `folder` is a path, or the address of a folder in an object store.
    """

    def place(name, key):
        return ObjectStore(f"{folder}/{name}/{key}") if isinstance(folder, str) else folder / name / key

    results = {}
    for name, node in pipeline.nodes.items():
        inputs = {key: place(source.producer, source.key) for key, source in pipeline.sources(name).items()}
        outputs = {key: place(name, key) for key in node.signature.outputs}
        results[name] = run_stage(pipeline, name, inputs=inputs, outputs=outputs, root=roots(name), **options).stages[0]
    return results


def digests(results):
    return {result.node: {key: one.digest for key, one in result.outputs.items()} for result in results}


@pytest.mark.parametrize("shares_a_root", [True, False])
def test_artifacts_equal_those_of_a_run_on_one_machine(carried, tmp_path, shares_a_root):
    there = local.run(carried.made("a"), root=tmp_path / "local").stages
    roots = (lambda name: tmp_path / "shared") if shares_a_root else (lambda name: tmp_path / name)
    here = run_all(carried.made("a"), tmp_path / "folders", roots)
    assert digests(here.values()) == digests(there)
    for result in there:
        for key, artifact in result.outputs.items():
            folder = tmp_path / "folders" / result.node / key
            told = Carried.read(folder)
            assert (told.digest, told.properties, told.type) == (artifact.digest, artifact.properties, artifact.type)
            files = {path.relative_to(artifact.uri): path.read_bytes() for path in artifact.uri.rglob("*") if path.is_file()}
            content = folder / "content"
            assert files == {path.relative_to(content): path.read_bytes() for path in content.rglob("*") if path.is_file()}


def test_artifacts_travel_through_an_object_store_between_roots_that_share_nothing_else(carried, tmp_path):
    there = local.run(carried.made("a"), root=tmp_path / "local").stages
    here = run_all(carried.made("a"), f"memory://{tmp_path.name}", lambda name: tmp_path / name)
    assert digests(here.values()) == digests(there)
    for result in there:
        for key, artifact in result.outputs.items():
            told = Carried.read(ObjectStore(f"memory://{tmp_path.name}/{result.node}/{key}"))
            assert (told.digest, told.properties, told.type) == (artifact.digest, artifact.properties, artifact.type)


def test_a_command_that_is_given_again_may_write_the_same_artifact_and_no_other(carried, tmp_path):
    place = ObjectStore(f"memory://{tmp_path.name}/examples")
    for root in ("one", "other"):  # a scheduler starts a container again, which has lost its disk
        run_stage(carried.made("a"), "read", inputs={}, outputs={"examples": place}, root=tmp_path / root)
    with pytest.raises(ConfigError, match=r"an address without another artifact; received 'memory://.*/examples'"):
        run_stage(carried.made("b"), "read", inputs={}, outputs={"examples": place}, root=tmp_path / "third")
    with pytest.raises(ConfigError, match="an address without another artifact"):
        run_stage(carried.made("a"), "train", inputs={"examples": place}, outputs={"model": place}, root=tmp_path / "other")


def test_a_mistake_in_an_address_is_named(carried, tmp_path):
    place = ObjectStore(f"memory://{tmp_path.name}/examples")

    def train():
        run_stage(carried.made("a"), "train", inputs={"examples": place}, outputs={}, root=tmp_path / "own")

    with pytest.raises(DataError, match=r"memory://.*/examples must contain artifact\.json\. Name a folder that"):
        train()
    place.write("artifact.json", b"{}")
    with pytest.raises(DataError, match=r"artifact\.json cannot be used: it is not the record of a copy"):
        train()
    place.remove("artifact.json")
    run_stage(carried.made("a"), "read", inputs={}, outputs={"examples": place}, root=tmp_path / "root")
    place.write(f"{Carried.read(place).digest}/inside/now.txt", b"b")
    with pytest.raises(DataError, match="cannot be used: its file inside/now.txt has other content"):
        train()


def test_a_shared_root_copies_no_input_and_reuses_results(carried, tmp_path):
    run_all(carried.made("a"), tmp_path / "first", lambda name: tmp_path / "root")
    again = run_all(carried.made("a"), tmp_path / "again", lambda name: tmp_path / "root")
    assert {name: result.reused for name, result in again.items()} == dict.fromkeys(STAGES, True)
    with opened(tmp_path / "root" / "runs", read_only=True) as store:
        nodes = [execution.node for run in store.runs() for execution in store.executions(run)]
    assert set(nodes) == set(STAGES)
    for name in STAGES:
        (key,) = (path.name for path in (tmp_path / "first" / name).iterdir())
        first, second = (Carried.read(tmp_path / one / name / key) for one in ("first", "again"))
        assert first == second


def test_an_unknown_input_is_copied_once(carried, tmp_path):
    run_all(carried.made("a"), tmp_path / "first", lambda name: tmp_path / "root")
    inputs = {"examples": tmp_path / "first" / "read" / "examples"}
    for number in range(2):
        run_stage(
            carried.made("a"), "train", inputs=inputs, outputs={"model": tmp_path / str(number)}, root=tmp_path / "own"
        )
    written = (tmp_path / "own" / "runs" / "artifacts" / "carried").glob("*/*/*")
    assert sorted((path.parts[-3], path.name) for path in written) == [("read-examples-received", "1"), ("train", "2")]


def test_earlier_runs_are_looked_up_in_the_root(carried, tmp_path):
    for number, text in enumerate(("a", "B", "c")):
        run_all(carried.made(text), tmp_path / str(number), lambda name: tmp_path / "root")
    found = [tmp_path / str(number) for number in range(3)]
    before = [(one / "read" / "examples" / "content" / "before.txt").read_text() for one in found]
    assert before == ["nothing", "a", "B"]
    verdicts = [(one / "judge" / "blessing" / "content" / "verdict.json").read_text() for one in found]
    assert verdicts == ["no baseline", "model of a", "model of a"]
    assert (tmp_path / "root" / "pushed.txt").read_text() == "model of c"


def test_a_look_up_requires_the_artifact_that_it_must_differ_from():
    experiment = c.Experiment(
        name="d",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        gate=c.Gate(c.NoWorse("accuracy")),
    )
    pipeline = standard_pipeline(experiment)

    def names(stage):
        return {key: f"{one.producer}.{one.key}" for key, one in pipeline.sources(stage).items()}

    assert names("example_gen") == {}
    # previous_statistics must differ from statistics, and the baseline from the saved model: both are inputs already.
    assert names("example_validator") == {
        "statistics": "statistics_gen.statistics",
        "schema": "schema_gen.schema",
    }
    assert "baseline_saved_model" not in names("evaluator")
    alone = standard_pipeline(experiment).nodes["example_validator"]
    del alone.inputs["statistics"]
    pipeline.nodes["example_validator"] = alone
    assert names("example_validator") == {
        "schema": "schema_gen.schema",
        "previous_statistics": "statistics_gen.statistics",
    }


def test_stages_with_one_id_are_one_run_whose_state_is_theirs(carried, tmp_path):
    def outcome(text, stages, folder):
        pipeline = carried.made(text)
        for name in stages:
            inputs = {key: tmp_path / folder / one.producer / one.key for key, one in pipeline.sources(name).items()}
            outputs = {key: tmp_path / folder / name / key for key in pipeline.nodes[name].signature.outputs}
            run_stage(pipeline, name, inputs=inputs, outputs=outputs, root=tmp_path, run_id="job-7")
        return runs()

    def runs():
        with opened(tmp_path / "runs", read_only=True) as store:
            return [(run.id, run.outcome) for run in store.runs()]

    with pytest.raises(DataError, match="cannot be learned"):
        outcome("bad", ["read", "train"], "bad")
    assert runs() == [("job-7", "failed")]
    assert outcome("good", ["read"], "good") == [("job-7", "failed")]
    assert outcome("good", ["train"], "good") == [("job-7", "finished")]


def test_the_store_of_several_machines_has_no_shared_memory_and_stays_so(carried, tmp_path):
    def mode():
        return MODES[(tmp_path / "runs" / "metadata.sqlite").read_bytes()[18:20]]

    local.run(carried.made("a"), root=tmp_path)
    run_stage(carried.made("a"), "read", inputs={}, outputs={}, root=tmp_path)
    assert mode() == "wal"
    run_stage(carried.made("a"), "read", inputs={}, outputs={}, root=tmp_path, run_id="job-7")
    assert mode() == "delete"
    assert all(stage.reused for stage in local.run(carried.made("a"), root=tmp_path).stages)
    assert mode() == "delete"


@pytest.fixture
def examples(carried, tmp_path):
    """A folder with examples."""
    run_stage(carried.made("a"), "read", inputs={}, outputs={"examples": tmp_path / "examples"}, root=tmp_path / "root")
    return tmp_path / "examples"


@pytest.mark.parametrize("damage", ["changed", "removed", "added"])
def test_content_that_is_not_that_of_the_record_is_rejected(carried, examples, tmp_path, damage):
    file = examples / "content" / "inside" / "now.txt"
    if damage == "removed":
        file.unlink()
    else:
        (file if damage == "changed" else file.with_name("other.txt")).write_text("b")
    with pytest.raises(DataError, match=r"the content of .*examples is not the one that its artifact\.json names"):
        run_stage(carried.made("a"), "train", inputs={"examples": examples}, outputs={}, root=tmp_path / "own")


def test_a_folder_without_files_may_be_gone_after_an_object_store(carried, tmp_path):
    record = ArtifactRecord(1, "Model", tmp_path / "empty", 2, "", {"blessed": 1})
    record.uri.mkdir()
    digest = tree_digest([record.uri], None)
    carry(
        ArtifactRecord(1, "Model", record.uri, 2, digest, {"blessed": 1}), tmp_path / "out", pipeline="p", node="n", key="k"
    )
    (tmp_path / "out" / "content").rmdir()
    (tmp_path / "back").mkdir()
    model = Model(tmp_path / "back")
    Carried.read(tmp_path / "out").copy_content(tmp_path / "out", model)
    assert model.properties == {"blessed": 1}


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({}, {}, r"train requires a folder for each of its inputs\. Add --in examples=FOLDER: from read\.examples"),
        ({"example": "examples"}, {}, r"train reads no 'example' from a folder; did you mean 'examples'\?"),
        ({"examples": "examples"}, {"models": "out"}, r"train writes no 'models'; did you mean 'model'\?"),
        ({"examples": "examples"}, {"model": "examples"}, "an output requires an empty folder or one that does not exist"),
        ({"examples": "nowhere"}, {}, "the folder of an input must exist; received .*nowhere"),
        ({"examples": "root"}, {}, r"root must contain artifact\.json\. Name a folder that `kerasvision stage --out`"),
        ({"examples": "model"}, {}, r"read\.examples is Examples; .*model contains Model"),
        ({"examples": "broken"}, {}, r"artifact\.json is not the record of an artifact"),
    ],
)
def test_a_mistake_in_the_folders_is_named(carried, examples, tmp_path, inputs, outputs, message):
    for name, text in (
        ("model", json.dumps({**Carried.read(examples).to_data(), "type": "Model"})),
        ("broken", '{"type": "Examples"}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "artifact.json").write_text(text)
    with pytest.raises((ConfigError, DataError), match=message):
        run_stage(
            carried.made("a"),
            "train",
            inputs={key: tmp_path / name for key, name in inputs.items()},
            outputs={key: tmp_path / name for key, name in outputs.items()},
            root=tmp_path / "root",
        )


def test_the_id_of_a_run_is_not_a_path(carried, tmp_path):
    with pytest.raises(ConfigError, match="lower-case letters, digits, - and _; received '../up'"):
        run_stage(carried.made("a"), "read", inputs={}, outputs={}, root=tmp_path, run_id="../up")


def test_kubeflow_is_given_digest_type_and_properties(tmp_path):
    task = {
        "inputs": {},
        "outputs": {
            "artifacts": {"model": {"artifacts": [{"name": "model", "uri": "s3://bucket/model", "type": {}}]}},
            "outputFile": str(tmp_path / "new" / "output.json"),
        },
    }
    record = ArtifactRecord(1, "Model", tmp_path, 2, "ab12", {"epochs": 3, "loss": float("inf"), "name": "é"})
    ExecutorInput.parse(json.dumps(task)).write_output({"model": record, "unknown": record})
    assert json.loads((tmp_path / "new" / "output.json").read_text()) == {
        "artifacts": {
            "model": {
                "artifacts": [
                    {
                        "name": "model",
                        "uri": "s3://bucket/model",
                        "metadata": {"epochs": 3, "loss": "inf", "name": "é", "digest": "ab12", "artifact_type": "Model"},
                    }
                ]
            }
        }
    }
