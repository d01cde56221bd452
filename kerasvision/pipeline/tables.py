"""The tables of the metadata store: after ML Metadata's (MLMD's), and two of our own.

Types, artifacts, executions, contexts and events have MLMD's columns and enumerations, so that people who know TFX can read
the file with MLMD's own client, or with any SQLite client. `mlmd.py` adds what only that client uses. Our own tables
`FileDigest` and `SourceFile` keep what was found in files.

Contexts: `pipeline` (its name), `pipeline_run` (the run's id), `node` (`<pipeline>.<node>`) and `execution_cache` (a key).
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

import peewee as pw

# MLMD's enumerations (ml_metadata/proto/metadata_store.proto).
PENDING, LIVE, MARKED_FOR_DELETION, DELETED, ABANDONED = 1, 2, 3, 4, 5
UNKNOWN, RUNNING, COMPLETE, FAILED, CACHED, CANCELED = 0, 2, 3, 4, 5, 6
STATE_NAMES = {RUNNING: "running", COMPLETE: "ran", FAILED: "failed", CACHED: "reused", CANCELED: "stopped"}
INPUT, OUTPUT = 3, 4
# Properties in JSON. Of an artifact: address of a copy in an object store -> [its size in bytes, whether it is whole]. Of a
# reuse: the addresses of the copies that it used.
COPIES, FETCHED = "copied_to", "fetched_from"
EXECUTION_TYPE, ARTIFACT_TYPE, CONTEXT_TYPE = 0, 1, 2
# The largest number of values in a statement that the oldest SQLite in use accepts.
MOST_VALUES = 999
Item = TypeVar("Item")


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class _Row(pw.Model):
    # Only used if no other field is the primary key.
    id = pw.AutoField()

    class Meta:
        legacy_table_names = False


class Type(_Row):
    """A kind of artifact, execution or context."""

    name = pw.TextField()
    version = pw.TextField(null=True)
    type_kind = pw.IntegerField()
    description = pw.TextField(null=True)

    class Meta:
        table_name = "Type"
        indexes = ((("name", "type_kind"), True),)


class ArtifactRow(_Row):
    """A folder; `uri` is relative to the root, so that the root can be moved."""

    type_id = pw.IntegerField(index=True)
    # Another client may leave it, or the state, open; kerasvision never does.
    uri = pw.TextField(index=True, null=True)
    state = pw.IntegerField(null=True)
    name = pw.TextField(null=True)
    create_time_since_epoch = pw.BigIntegerField(default=now_ms)
    last_update_time_since_epoch = pw.BigIntegerField(default=now_ms)

    class Meta:
        table_name = "Artifact"


class ExecutionRow(_Row):
    """One time that a stage ran, failed or was reused."""

    type_id = pw.IntegerField(index=True)
    last_known_state = pw.IntegerField(null=True)
    name = pw.TextField(null=True)
    create_time_since_epoch = pw.BigIntegerField(default=now_ms)
    last_update_time_since_epoch = pw.BigIntegerField(default=now_ms)

    class Meta:
        table_name = "Execution"


class ContextRow(_Row):
    """What executions have in common: a pipeline, a run, a node, a key."""

    type_id = pw.IntegerField()
    name = pw.TextField()
    create_time_since_epoch = pw.BigIntegerField(default=now_ms)
    last_update_time_since_epoch = pw.BigIntegerField(default=now_ms)

    class Meta:
        table_name = "Context"
        indexes = ((("type_id", "name"), True),)


class _Property(_Row):
    name = pw.TextField()
    is_custom_property = pw.BooleanField(default=True)
    int_value = pw.IntegerField(null=True)
    double_value = pw.DoubleField(null=True)
    string_value = pw.TextField(null=True)


class ArtifactProperty(_Property):
    """digest, copied_to, and what the stage recorded about its artifact."""

    artifact_id = pw.IntegerField()

    class Meta:
        table_name = "ArtifactProperty"
        primary_key = pw.CompositeKey("artifact_id", "name", "is_custom_property")


class ExecutionProperty(_Property):
    """fingerprint, process, error, seconds; killed if its process ended before the stage did; fetched_from of a reuse."""

    execution_id = pw.IntegerField()

    class Meta:
        table_name = "ExecutionProperty"
        primary_key = pw.CompositeKey("execution_id", "name", "is_custom_property")


class ContextProperty(_Property):
    """Of a `pipeline_run`: purpose, process, state (with the values of an execution's state), seconds, request."""

    context_id = pw.IntegerField()

    class Meta:
        table_name = "ContextProperty"
        primary_key = pw.CompositeKey("context_id", "name", "is_custom_property")


class Event(_Row):
    """An execution read or wrote an artifact."""

    artifact_id = pw.IntegerField(index=True)
    execution_id = pw.IntegerField(index=True)
    type = pw.IntegerField()
    milliseconds_since_epoch = pw.BigIntegerField(default=now_ms, null=True)

    class Meta:
        table_name = "Event"


class EventPath(_Row):
    """The name of an event's artifact: the key, then the position."""

    event_id = pw.IntegerField(index=True)
    is_index_step = pw.BooleanField()
    step_index = pw.IntegerField(null=True)
    step_key = pw.TextField(null=True)

    class Meta:
        table_name = "EventPath"
        primary_key = False


class Association(_Row):
    """An execution belongs to a context."""

    context_id = pw.IntegerField(index=True)
    execution_id = pw.IntegerField(index=True)

    class Meta:
        table_name = "Association"
        indexes = ((("context_id", "execution_id"), True),)


class Attribution(_Row):
    """An artifact belongs to a context."""

    context_id = pw.IntegerField(index=True)
    artifact_id = pw.IntegerField(index=True)

    class Meta:
        table_name = "Attribution"
        indexes = ((("context_id", "artifact_id"), True),)


class FileDigest(_Row):
    """The hash of a file, and what the file system reported about it at that time."""

    path = pw.TextField(primary_key=True)
    size = pw.BigIntegerField()
    mtime_ns = pw.BigIntegerField()
    ctime_ns = pw.BigIntegerField()
    inode = pw.BigIntegerField()
    sha256 = pw.TextField()
    recorded_ns = pw.BigIntegerField()

    class Meta:
        table_name = "FileDigest"


class SourceFile(_Row):
    """What a source file says (see `source.SourceCode`), by reader, module and path, and what the file system reported."""

    path = pw.TextField(primary_key=True)
    size = pw.BigIntegerField()
    mtime_ns = pw.BigIntegerField()
    ctime_ns = pw.BigIntegerField()
    inode = pw.BigIntegerField()
    source = pw.TextField()
    recorded_ns = pw.BigIntegerField()

    class Meta:
        table_name = "SourceFile"


TABLES = [
    Type, ArtifactRow, ExecutionRow, ContextRow, ArtifactProperty, ExecutionProperty, ContextProperty, Event, EventPath,
    Association, Attribution, FileDigest, SourceFile,
]  # fmt: skip


def bind(database: pw.SqliteDatabase) -> None:
    """Binds the tables to this database."""
    if Type._meta.database is not database:
        database.bind(TABLES, bind_refs=False, bind_backrefs=False)


def type_ids() -> dict[tuple[str, int], int]:
    """(name, kind) -> id of every type."""
    return {(row.name, row.type_kind): row.id for row in Type.select()}


def context_ids(contexts: Collection[tuple[int, str]]) -> list[int]:
    """The ids of contexts, each (type, name); new ones are created."""
    rows = ContextRow.select().where(ContextRow.name.in_([name for _, name in contexts]))
    known = {(row.type_id, row.name): row.id for row in rows}
    return [known.get((type_id, name)) or ContextRow.create(type_id=type_id, name=name).id for type_id, name in contexts]


def new_events(execution: int, event_type: int, artifacts: Mapping[str, int]) -> None:
    """Records that an execution read or wrote artifacts, key -> id."""
    steps = []
    for key, artifact in artifacts.items():
        event = Event.create(artifact_id=artifact, execution_id=execution, type=event_type)
        steps += [(event.id, False, None, key), (event.id, True, 0, None)]
    if steps:
        EventPath.insert_many(steps, fields=list(EventPath._meta.sorted_fields)).execute()


def update(table: type[_Row], row_id: int, **fields: int) -> None:
    """Changes fields of one row, and its time of change."""
    table.update(**fields, last_update_time_since_epoch=now_ms()).where(table.id == row_id).execute()


def set_property(table: type[_Property], owner: str, owner_id: int, name: str, value: int | float | str) -> None:
    """Sets a custom property of an artifact, execution or context."""
    column = {int: "int_value", float: "double_value", str: "string_value"}[type(value)]
    row = {owner: owner_id, "name": name, "is_custom_property": True, column: value}
    table.insert(row).on_conflict_replace().execute()


def properties(table: type[_Property], owner: str, owner_id: int) -> dict[str, int | float | str]:
    """The properties of an artifact, execution or context by name."""
    return properties_of(table, owner, (owner_id,))[owner_id]


def properties_of(
    table: type[_Property], owner: str, owner_ids: Sequence[int], *, without: str = ""
) -> dict[int, dict[str, int | float | str]]:
    """id -> properties by name, of several artifacts, executions or contexts; the property `without` is not read."""
    found: dict[int, dict[str, int | float | str]] = {owner_id: {} for owner_id in owner_ids}
    for some in chunks(list(found), MOST_VALUES - 1):
        query = f"""SELECT {owner}, name, int_value, double_value, string_value FROM "{table._meta.table_name}"
            WHERE {owner} IN ({marks(some)}) AND name != ?"""
        for owner_id, name, *three in table._meta.database.execute_sql(query, (*some, without)):
            found[owner_id][name] = next(value for value in three if value is not None)
    return found


def chunks(items: Sequence[Item], size: int = MOST_VALUES) -> Iterator[Sequence[Item]]:
    """The items in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def marks(values: Sequence[object]) -> str:
    """A question mark for each value, for SQL's `IN`."""
    return ", ".join("?" * len(values))
