"""What was found in files, kept in the metadata store with the state that each file had then."""

import peewee as pw

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.digests import FileState, Finding

# SQLite takes so many values in one statement at most, in the oldest versions in use.
MOST_VALUES = 999
_TABLES = {"digest": t.FileDigest, "source": t.SourceFile}


def recall(finding: Finding, keys: list[str]) -> dict[str, tuple[FileState, str, int]]:
    """key -> (state, what was found, time of reading in ns) of those that are known."""
    table = _TABLES[finding]
    found = {}
    for chunk in pw.chunked(keys, MOST_VALUES):
        for key, *state, text, at_ns in table.select().where(table.path.in_(chunk)).tuples():
            found[key] = (FileState(*state), text, at_ns)
    return found


def remember(finding: Finding, rows: list[tuple[str, FileState, str, int]]) -> None:
    """Keeps (key, state, what was found, time of reading in ns), in place of what was found before."""
    table = _TABLES[finding]
    fields = table._meta.sorted_fields
    values = [(key, s.size, s.mtime_ns, s.ctime_ns, s.inode, text, at) for key, s, text, at in rows]
    for chunk in pw.chunked(values, MOST_VALUES // len(fields)):
        table.replace_many(chunk, fields=fields).execute()
