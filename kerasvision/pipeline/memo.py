"""Keeps what was found in files in the metadata store, with the state of each file at that time."""

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.digests import FileState, Finding

_TABLES = {"digest": t.FileDigest, "source": t.SourceFile}


def recall(finding: Finding, keys: list[str]) -> dict[str, tuple[FileState, str, int]]:
    """key -> (state, what was found, time of reading in ns) of the known keys."""
    table = _TABLES[finding]
    meta = table._meta
    columns = ", ".join(f'"{field.column_name}"' for field in meta.sorted_fields)
    found = {}
    for chunk in t.chunks(keys):
        # Written by hand: peewee takes longer to build this statement than SQLite to answer it.
        query = f'SELECT {columns} FROM "{meta.table_name}" WHERE "path" IN ({t.marks(chunk)})'
        for key, *state, text, at_ns in meta.database.execute_sql(query, chunk):
            found[key] = (FileState(*state), text, at_ns)
    return found


def remember(finding: Finding, rows: list[tuple[str, FileState, str, int]]) -> None:
    """Keeps rows of (key, state, what was found, time of reading in ns), and replaces earlier rows."""
    table = _TABLES[finding]
    fields = table._meta.sorted_fields
    values = [(key, s.size, s.mtime_ns, s.ctime_ns, s.inode, text, at) for key, s, text, at in rows]
    for chunk in t.chunks(values, t.MOST_VALUES // len(fields)):
        table.insert_many(chunk, fields=fields).on_conflict_replace().execute()
