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
from kerasvision.shortened import and_more

if TYPE_CHECKING:
    from kerasvision.pipeline.comparison import Comparison, StageDone

# How many source files are shown.
MOST_MODULES = 10


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="The beginnings of the ids of two or more runs; or latest.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with the scores of single classes too.")] = False,
    root: Root = Path(),
) -> None:
    """Compare runs: settings, versions, source files and images that differ, scores with intervals, and what each stage did.

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
    _print_code(compared)
    _print("images that differ, compared with the first run", "", compared.data, compared, _count)
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


def _print_code(compared: "Comparison") -> None:
    """Prints the modules that differ; after an update of kerasvision these are hundreds, of which the first are shown."""
    shown = dict(list(compared.code.items())[:MOST_MODULES])
    _print("source files that differ, by the beginnings of their hashes", "module", shown, compared, _beginning)
    if more := and_more(len(compared.code), most=MOST_MODULES):
        typer.echo(f" {more}")


def _beginning(digest: str) -> str:
    """The first digits of a digest such as `syntax:2f9c...`; of one with a text, those of the text, which differ as well.

    >>> _beginning("syntax:" + "2f" * 32), _beginning(f"syntax:{'2f' * 32} text:{'9c' * 32}")
    ('2f2f2f2f', '9c9c9c9c')
    """
    return digest.rpartition(":")[2][:8]


def _count(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


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
        "code": compared.code,
        "data": compared.data,
        "confidence": compared.confidence,
        "scores": compared.scores,
        "stages": {
            node: {run: {"state": done.outcome, "seconds": done.seconds} for run, done in row.items()}
            for node, row in compared.stages.items()
        },
    }
