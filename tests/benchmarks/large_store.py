"""How long the questions about runs take with a store of many executions.

    python tests/benchmarks/large_store.py
    python tests/benchmarks/large_store.py --runs 1000

Ten small stages run once. Their rows are then copied: each copy is a run whose stages all executed, with artifacts of its
own that have no folders. Each question is asked five times in this process, `list all` once. Printed are the medians of the
seconds of processor time.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from kerasvision.cli.runs import NEWEST
from kerasvision.pipeline.artifacts import Model, Out
from kerasvision.pipeline.garbage import Keep, find_garbage
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.history import count_runs, lineage, list_runs, show_run, why
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.store import opened

STAGES = 10
# table -> its columns that hold a number of an execution, an artifact or an event.
NUMBERED = {
    "Execution": ("id",),
    "ExecutionProperty": ("execution_id",),
    "Artifact": ("id",),
    "ArtifactProperty": ("artifact_id",),
    "Event": ("id", "execution_id", "artifact_id"),
    "EventPath": ("event_id",),
}


def first(model: Out[Model]) -> None:
    (model.uri / "number").write_text("1")


def further(before: Model, model: Out[Model]) -> None:
    (model.uri / "number").write_text((before.uri / "number").read_text())


def chain() -> Pipeline:
    made = Pipeline("chain")
    model = made.add(first).model
    for number in range(1, STAGES):
        model = made.add(further, before=model, name=f"stage{number}").model
    return made


def copy_runs(file: Path, count: int) -> None:
    """Adds copies of the only run."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row

        def rows_of(query: str, *values: object) -> list[dict]:
            return [dict(row) for row in database.execute(query, values)]

        def insert(table: str, rows: list[dict]) -> None:
            names, marks = ", ".join(rows[0]), ", ".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", [tuple(row.values()) for row in rows])

        rows = {table: rows_of(f"SELECT * FROM {table}") for table in NUMBERED}
        query = "SELECT Context.* FROM Context JOIN Type ON Type.id = Context.type_id WHERE Type.name = ?"
        (of_run,) = rows_of(query, "pipeline_run")
        keys = {row["id"] for row in rows_of(query, "execution_cache")}
        described = rows_of("SELECT * FROM ContextProperty WHERE context_id = ?", of_run["id"])
        belongs = [
            row for row in rows_of("SELECT context_id, execution_id FROM Association") if row["context_id"] not in keys
        ]
        for copy in range(1, count):
            step, context = copy * 10 * STAGES, 1000 + copy
            for table, found in rows.items():
                new = [row | {name: row[name] + step for name in NUMBERED[table]} for row in found]
                if table == "Artifact":
                    new = [row | {"uri": f"{row['uri'].rpartition('/')[0]}/{row['id']}"} for row in new]
                insert(table, new)
            insert("Context", [of_run | {"id": context, "name": f"chain/2026-{copy:06d}"}])
            insert("ContextProperty", [row | {"context_id": context} for row in described])
            moved = {of_run["id"]: context}
            insert("Association", [
                {"context_id": moved.get(row["context_id"], row["context_id"]), "execution_id": row["execution_id"] + step}
                for row in belongs
            ])  # fmt: skip
        database.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run(chain(), root=root)
        copy_runs(root / "runs" / "metadata.sqlite", arguments.runs)

        def garbage() -> object:
            with opened(root / "runs", read_only=True) as store:
                return find_garbage(store, Keep(runs=1))

        with opened(root / "runs", read_only=True) as store:
            newest = store.run("latest").id
            print(f"{len(store.provenance().states):,} executions in {len(store.runs()):,} runs")
        questions = {
            "plan": lambda: plan(chain(), root=root),
            "why": lambda: why("stage5", pipeline="chain", root=root),
            "lineage": lambda: lineage(newest, root=root),
            "gc": garbage,
            "list": lambda: (list_runs(root, newest=NEWEST), count_runs(root)),
            "show": lambda: show_run(newest, root=root),
            "list all": lambda: list_runs(root),
        }
        for name, ask in questions.items():
            seconds = []
            for _ in range(1 if name == "list all" else 5):
                began = time.process_time()
                ask()
                seconds.append(time.process_time() - began)
            print(f"{name}: {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
