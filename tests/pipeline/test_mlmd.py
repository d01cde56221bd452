"""The store is one of ML Metadata's: it has its schema, also if an earlier version made it, and its own client opens it."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.store import Store

# What the client of ml-metadata 1.17.1 creates in an empty SQLite file; it calls this version 10 of its schema.
PROPERTY = "name is_custom_property int_value double_value string_value byte_value proto_value bool_value"
NODE = "id type_id name external_id create_time_since_epoch last_update_time_since_epoch"
TABLES = {
    "Type": "id name version type_kind description input_type output_type external_id",
    "TypeProperty": "type_id name data_type",
    "ParentType": "type_id parent_type_id",
    "Artifact": f"{NODE} uri state",
    "ArtifactProperty": f"artifact_id {PROPERTY}",
    "Execution": f"{NODE} last_known_state",
    "ExecutionProperty": f"execution_id {PROPERTY}",
    "Event": "id artifact_id execution_id type milliseconds_since_epoch",
    "EventPath": "event_id is_index_step step_index step_key",
    "MLMDEnv": "schema_version",
    "Context": NODE,
    "ContextProperty": f"context_id {PROPERTY}",
    "ParentContext": "context_id parent_context_id",
    "Association": "id context_id execution_id",
    "Attribution": "id context_id artifact_id",
}
# Those that must not be empty there, the primary keys aside.
REQUIRED = {
    "Type": {"name", "type_kind"},
    "Artifact": {"type_id", "create_time_since_epoch", "last_update_time_since_epoch"},
    "Execution": {"type_id", "create_time_since_epoch", "last_update_time_since_epoch"},
    "Context": {"type_id", "name", "create_time_since_epoch", "last_update_time_since_epoch"},
    "Event": {"artifact_id", "execution_id", "type"},
}
CLIENT = """
import json, sys
import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

config = pb.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
store = mlmd.MetadataStore(config)
executions = store.get_executions()
(model,) = store.get_artifacts_by_type("Model")
starting = pb.LineageSubgraphQueryOptions.StartingNodes(filter_query="type = 'Model'")
lineage = store.get_lineage_subgraph(pb.LineageSubgraphQueryOptions(starting_artifacts=starting, max_num_hops=4))
kind = pb.ExecutionType(name="mine", properties={"n": pb.INT})
own = pb.Execution(type_id=store.put_execution_type(kind), external_id="own")
own.properties["n"].int_value = 3
own.custom_properties["good"].bool_value = True
store.put_executions([own])
print(json.dumps({
    "types": sorted(one.name for one in store.get_artifact_types()),
    "executions": len(executions),
    "events": len(store.get_events_by_execution_ids([one.id for one in executions])),
    "product": model.custom_properties["product"].int_value,
    "uri": model.uri,
    "is_live": model.state == pb.Artifact.LIVE,
    "lineage": sorted(one.uri for one in lineage.artifacts),
    "own": store.get_executions_by_external_ids(["own"])[0].properties["n"].int_value,
}))
"""


def columns(file):
    """table -> column -> whether it must not be empty, although it is no primary key."""
    with closing(sqlite3.connect(file)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: database.execute(f'PRAGMA table_info("{table}")').fetchall() for table in tables}
    return {table: {row[1]: bool(row[3]) and not row[5] for row in rows} for table, rows in found.items()}


def version_of(file):
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT schema_version FROM MLMDEnv").fetchall()


def made_by_an_earlier_version(file):
    """Takes away what earlier versions did not write."""
    with closing(sqlite3.connect(file)) as database:
        for (index,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE '%external_id'").fetchall():
            database.execute(f'DROP INDEX "{index}"')
        for table in ("MLMDEnv", "ParentContext", "ParentType", "TypeProperty"):
            database.execute(f"DROP TABLE {table}")
        for table in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
            for column in ("byte_value", "proto_value", "bool_value"):
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table in ("Type", "Artifact", "Execution", "Context"):
            database.execute(f"ALTER TABLE {table} DROP COLUMN external_id")
        for column in ("input_type", "output_type"):
            database.execute(f"ALTER TABLE Type DROP COLUMN {column}")
        database.commit()


def test_a_new_store_has_its_tables_and_columns_and_requires_no_more_of_them(tmp_path):
    Store(tmp_path).close()
    found = columns(tmp_path / "metadata.sqlite")
    for table, names in TABLES.items():
        assert found[table].keys() == set(names.split()), table
    for table, required in REQUIRED.items():
        assert {name for name, must in found[table].items() if must} <= required, table
    assert version_of(tmp_path / "metadata.sqlite") == [(10,)]


def test_a_store_of_an_earlier_version_gets_what_it_lacks_and_keeps_its_runs(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    file = tmp_path / "runs" / "metadata.sqlite"
    made_by_an_earlier_version(file)
    before = columns(file)
    # Reading alone does not change it.
    assert [stage.action for stage in plan(toy.pipeline(number), root=tmp_path)] == ["reuse", "reuse"]
    assert columns(file) == before and "MLMDEnv" not in before
    assert all(result.reused for result in run(toy.pipeline(number), root=tmp_path).stages)
    assert {table: columns(file)[table].keys() for table in TABLES} == {
        table: set(names.split()) for table, names in TABLES.items()
    }
    assert version_of(file) == [(10,)]


def test_what_another_client_adds_does_not_disturb_a_run(toy, number, tmp_path):
    run(toy.pipeline(number), root=tmp_path)
    with closing(sqlite3.connect(tmp_path / "runs" / "metadata.sqlite")) as database:
        database.execute("INSERT INTO Type (name, type_kind) VALUES ('Note', 1)")
        database.execute("INSERT INTO Artifact (type_id, create_time_since_epoch, last_update_time_since_epoch) "
                         "SELECT id, 0, 0 FROM Type WHERE name = 'Note'")  # fmt: skip
        database.commit()
    assert all(result.reused for result in run(toy.pipeline(number), root=tmp_path).stages)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="ml-metadata has no wheels for this Python")
def test_the_client_of_ml_metadata_reads_runs_and_adds_to_them(toy, number, tmp_path):
    """Takes 20 seconds: it installs ml-metadata in an environment of its own, because its protobuf is older than ours."""
    run(toy.pipeline(number, factor=7), root=tmp_path)
    file = tmp_path / "runs" / "metadata.sqlite"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "ml-metadata==1.17.1"], check=True)
    done = subprocess.run([python, "-I", "-c", CLIENT, str(file)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "types": ["Examples", "Model"],
        "executions": 2,
        "events": 3,
        "product": 7,
        "uri": "artifacts/toy/multiply/model/2",
        "is_live": True,
        "lineage": ["artifacts/toy/multiply/model/2", "artifacts/toy/read/examples/1"],
        "own": 3,
    }
    assert all(result.reused for result in run(toy.pipeline(number, factor=7), root=tmp_path).stages)
