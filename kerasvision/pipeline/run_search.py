"""Finds runs in the metadata store: the newest ones, or the one whose id begins with a text.

Each function reads only the runs that it returns, so that it takes no longer in a store with many runs.
"""

from difflib import get_close_matches

from kerasvision.errors import ConfigError
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.records import PIPELINE, RunRecord
from kerasvision.pipeline.rows import run_records

_RUNS = """
    SELECT {what} FROM Context JOIN Type ON Type.id = Context.type_id
    WHERE Type.name = 'pipeline_run' AND Type.type_kind = ?"""
_BEGINS = " AND substr(Context.name, instr(Context.name, '/') + 1, ?) = ?"
_PURPOSE = """
    AND coalesce((SELECT string_value FROM ContextProperty WHERE context_id = Context.id AND name = 'purpose'), ?) = ?"""


def find_runs(*, tells: bool, newest: int | None = None, purpose: str | None = None, beginning: str = "") -> list[RunRecord]:
    """Runs of the store to which the tables are bound, newest first.

    Args:
        tells: whether the store has properties of runs. Without them, all are runs of a pipeline.
        newest: the largest number of runs to return; None: all.
        purpose: only runs for this purpose.
        beginning: only runs whose id begins with this text.
    """
    query = _RUNS.format(what="Context.*")
    parameters: list[int | str] = [t.CONTEXT_TYPE]
    if beginning:
        query, parameters = query + _BEGINS, [*parameters, len(beginning), beginning]
    if purpose is not None and tells:
        query, parameters = query + _PURPOSE, [*parameters, PIPELINE, purpose]
    rows = t.ContextRow.raw(f"{query} ORDER BY Context.id DESC LIMIT ?", *parameters, -1 if newest is None else newest)
    return run_records(list(rows), tells=tells)


def count_runs() -> int:
    """How many runs the store has to which the tables are bound."""
    ((count,),) = t.ContextRow._meta.database.execute_sql(_RUNS.format(what="count(*)"), (t.CONTEXT_TYPE,))
    return int(count)


def run_request(run: RunRecord) -> str:
    """What was asked of a run; "" if that was not recorded. The store must have properties of runs."""
    query = _RUNS.format(
        what="(SELECT string_value FROM ContextProperty WHERE context_id = Context.id AND name = 'request')"
    )
    name = f"{run.pipeline}/{run.id}"
    found = t.ContextRow._meta.database.execute_sql(f"{query} AND Context.name = ?", (t.CONTEXT_TYPE, name)).fetchone()
    return str(found[0]) if found and found[0] else ""


def find_run(run_id: str, *, tells: bool) -> RunRecord:
    """The run whose id begins with this text; `latest` is the newest run of a whole pipeline.

    Raises:
        ConfigError: no run matches, or several do.
    """
    if run_id == "latest":
        found = find_runs(tells=tells, newest=1, purpose=PIPELINE)
    else:
        found = find_runs(tells=tells, beginning=run_id) if run_id else []
    if len(found) == 1:
        return found[0]
    if run_id == "latest":
        others = find_runs(tells=tells, newest=1)
        rule = f"no pipeline has run here, only `{others[0].purpose}`" if others else "no pipeline has run here"
    else:
        rule = f"{len(found)} runs begin with {run_id!r}" if found else f"there is no run {run_id!r}{_near(run_id)}"
    raise ConfigError(rule, hint="`kerasvision runs list` shows the runs with their ids")


def _near(run_id: str) -> str:
    """The end of a message: up to three runs with similar ids; "" if there are none."""
    names = t.ContextRow._meta.database.execute_sql(_RUNS.format(what="Context.name"), (t.CONTEXT_TYPE,))
    near = get_close_matches(run_id, [name.partition("/")[2] for (name,) in names], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
