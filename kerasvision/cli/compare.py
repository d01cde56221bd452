"""`runs compare`: prints runs side by side."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kerasvision.cli.options import Root
from kerasvision.cli.run_cells import duration, heading_cells, run_data
from kerasvision.cli.tables import print_whole, table_of

if TYPE_CHECKING:
    from kerasvision.pipeline.comparison import Comparison, StageDone


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="The beginnings of the ids of two or more runs; or latest.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with the scores of single classes too.")] = False,
    root: Root = Path(),
) -> None:
    """Compare runs: the settings that differ, the scores with their intervals, and what each stage did.

    The runs may be of different pipelines.
    """
    from kerasvision.pipeline.comparison import compare_runs

    compared = compare_runs(runs, root=root)
    if as_json:
        typer.echo(json.dumps(_data(compared), ensure_ascii=False))
        return
    cells = {run.id: heading_cells(run, compared.executions[run.id]) for run in compared.runs}
    columns = [name for name in next(iter(cells.values())) if any(row[name] for row in cells.values())]
    _print("", "run", {name: {run: row[name] for run, row in cells.items()} for name in columns}, compared, str)
    for remark in compared.remarks:
        typer.echo(f"\n{remark}")
    if not compared.settings:
        typer.echo("\nno setting differs")
    _print("settings that differ", "setting", compared.settings, compared, str)
    _print("versions that differ", "package", compared.versions, compared, str)
    interval = f", with {100 * compared.confidence:g} % intervals" if compared.confidence else ", with their intervals"
    for split, scores in compared.scores.items():
        of_all = {metric: row for metric, row in scores.items() if "[" not in metric}
        _print(f"scores on {split}{interval}", "metric", of_all, compared, _score)
    _print("stages, with the duration of what they ran or reused", "stage", compared.stages, compared, _stage)


def _print(
    title: str, noun: str, rows: Mapping[str, Mapping[str, Any]], compared: "Comparison", shown: Callable[[Any], str]
) -> None:
    """Prints a table with a column for each run; a run without a value has an empty cell."""
    if not rows:
        return
    ids = [run.id for run in compared.runs]
    table = table_of(noun, *ids)
    for name, row in rows.items():
        table.add_row(escape(name), *(escape(shown(row[run])) if run in row else "" for run in ids))
    if title:
        typer.echo(f"\n{title}:")
    print_whole(table)


def _score(score: Mapping[str, float]) -> str:
    ends = f"  [{score['low']:.4f}, {score['high']:.4f}]" if "low" in score else ""
    return f"{score['score']:.4f}{ends}"


def _stage(done: "StageDone") -> str:
    took = duration(done.seconds)
    return {"ran": took, "reused": f"{took}, reused"}.get(done.outcome, done.outcome)


def _data(compared: "Comparison") -> dict[str, Any]:
    return {
        "runs": [run_data(run, compared.executions[run.id]) for run in compared.runs],
        "remarks": compared.remarks,
        "settings": compared.settings,
        "versions": compared.versions,
        "confidence": compared.confidence,
        "scores": compared.scores,
        "stages": {
            node: {run: {"state": done.outcome, "seconds": done.seconds} for run, done in row.items()}
            for node, row in compared.stages.items()
        },
    }
