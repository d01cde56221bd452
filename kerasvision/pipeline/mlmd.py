"""The rest of ML Metadata's schema, so that its own client opens the store.

`tables.py` has the tables that kerasvision uses. ML Metadata (https://www.tensorflow.org/tfx/guide/mlmd) reads more columns
and tables, and a row that says which version of its schema a file has. Nothing here is read or filled by kerasvision: a
client may write there what it likes.

The schema is version 10, that of ml-metadata 1.17 and 1.21. A store of an earlier version of kerasvision gets what it lacks
when it is opened for writing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import peewee as pw

SCHEMA_VERSION = 10

_EXTERNAL: Mapping[str, str] = {"external_id": "VARCHAR(255)"}
_VALUES: Mapping[str, str] = {"byte_value": "BLOB", "proto_value": "BLOB", "bool_value": "BOOLEAN"}
# table -> column -> its type.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "Type": {"input_type": "TEXT", "output_type": "TEXT", **_EXTERNAL},
    "Artifact": _EXTERNAL,
    "Execution": _EXTERNAL,
    "Context": _EXTERNAL,
    "ArtifactProperty": _VALUES,
    "ExecutionProperty": _VALUES,
    "ContextProperty": _VALUES,
}
TABLES: Mapping[str, str] = {
    "TypeProperty": "type_id INT NOT NULL, name VARCHAR(255) NOT NULL, data_type INT, PRIMARY KEY (type_id, name)",
    "ParentType": "type_id INT NOT NULL, parent_type_id INT NOT NULL, PRIMARY KEY (type_id, parent_type_id)",
    "ParentContext": "context_id INT NOT NULL, parent_context_id INT NOT NULL, PRIMARY KEY (context_id, parent_context_id)",
    # The last one: where it exists, the others do too.
    "MLMDEnv": "schema_version INTEGER PRIMARY KEY",
}


def complete(database: pw.SqliteDatabase) -> None:
    """Adds to a store what ML Metadata's client requires; does nothing if it is there already.

    Args:
        database: with the tables of `tables.py`, open for writing.
    """
    if database.table_exists("MLMDEnv"):
        return
    execute: Callable[..., Any] = database.execute_sql
    with database.atomic("IMMEDIATE"):
        # Another process may have done it while this one waited.
        if database.table_exists("MLMDEnv"):
            return
        for table, columns in COLUMNS.items():
            there = {column.name for column in database.get_columns(table)}
            for name in columns.keys() - there:
                execute(f'ALTER TABLE "{table}" ADD COLUMN {name} {columns[name]}')
            if "external_id" in columns:
                execute(f'CREATE UNIQUE INDEX "idx_{table.lower()}_external_id" ON "{table}" (external_id)')
        for table, columns_of_table in TABLES.items():
            execute(f'CREATE TABLE "{table}" ({columns_of_table})')
        execute("INSERT INTO MLMDEnv (schema_version) VALUES (?)", (SCHEMA_VERSION,))
