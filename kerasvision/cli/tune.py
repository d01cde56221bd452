"""`tune`: searches for better settings."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kerasvision.cli.options import Overrides, Root
from kerasvision.cli.prepared import prepared
from kerasvision.cli.stage_lines import stage_lines
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError

if TYPE_CHECKING:
    from kerasvision.pipeline.artifacts import HyperParameters

# How many trials are printed; the page has them all.
MOST_ROWS = 10
EXAMPLE = 'search=c.Search(space={"training.optimizer.learning_rate": c.LogUniform(1e-4, 1e-1)}, trials=20)'


@dataclass(frozen=True)
class Finder:
    """The options of --find-learning-rate; None for an option that was not given."""

    steps: int | None
    lowest: float | None
    highest: float | None
    folder: Path | None


def tune(
    pipeline_file: Annotated[
        Path | None, typer.Argument(metavar="PIPELINE", help="A pipeline file; --show without one shows the newest search.")
    ] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="How many trials; by default search.trials.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Start no trial after this many minutes; by default search.minutes."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Only print what the last search found.")] = False,
    find_learning_rate: Annotated[
        bool, typer.Option("--find-learning-rate", help="Train some steps with a rising learning rate (Smith, 2015).")
    ] = False,
    steps: Annotated[int | None, typer.Option("--steps", help="How many steps, at least 20; by default 200.")] = None,
    lowest: Annotated[float | None, typer.Option("--lowest", help="The first learning rate; by default 1e-6.")] = None,
    highest: Annotated[float | None, typer.Option("--highest", help="The last learning rate; by default 10.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="For the table and plot; by default runs/reports/NAME.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Run the pipeline's search and print the best trials; or only show them, or find a learning rate.

    --steps, --lowest, --highest and --folder require --find-learning-rate.
    """
    budget = {"--trials": trials, "--minutes": minutes}
    finder = Finder(steps, lowest, highest, folder)
    _refuse_idle_options(show, find_learning_rate, budget=budget, finder=finder, overrides=overrides)
    if show:
        _show(pipeline_file, root)
    elif pipeline_file is None:
        raise ConfigError("tune requires a pipeline file, except with --show", hint="see `kerasvision tune --help`")
    elif find_learning_rate:
        _find_learning_rate(pipeline_file, finder, overrides, root)
    else:
        _search(pipeline_file, budget, overrides, root)


def _refuse_idle_options(
    show: bool, find: bool, *, budget: Mapping[str, object], finder: Finder, overrides: list[str]
) -> None:
    if show and find:
        raise ConfigError("--show and --find-learning-rate exclude each other")
    mode = "--show" if show else "--find-learning-rate"
    if not find and (given := _given({f"--{name}": value for name, value in vars(finder).items()})):
        raise ConfigError(f"{given} requires --find-learning-rate")
    if (show or find) and (given := _given(budget)):
        raise ConfigError(f"{given} is for a search, and {mode} does not run one")
    if show and overrides:
        raise ConfigError("--show prints the last search; --set cannot change it", received=overrides)


def _given(options: Mapping[str, object]) -> str:
    """The first of the options that has a value."""
    return next((name for name, value in options.items() if value is not None), "")


def _search(pipeline_file: Path, budget: Mapping[str, object], overrides: list[str], root: Path) -> None:
    from kerasvision.config.loading import load_experiment
    from kerasvision.pipeline.artifacts import HyperParameters
    from kerasvision.pipeline.local import run
    from kerasvision.pipeline.standard import load_pipeline

    plan = load_experiment(pipeline_file, overrides=overrides).search
    if plan is None:
        raise ConfigError(f"{pipeline_file} has no search", hint=f"add one to its experiment, such as {EXAMPLE}")
    if plan.algorithm == "hyperband" and budget["--trials"] is not None:
        hint = "set --minutes, search.epochs or search.total_epochs"
        raise ConfigError("Hyperband chooses its own number of trials, so --trials cannot be used", hint=hint)
    asked = [f"search.{name.removeprefix('--')}={value}" for name, value in budget.items() if value is not None]
    pipeline = load_pipeline(pipeline_file, overrides=[*overrides, *asked])
    result = run(pipeline, root=root, until="tuner", purpose="tune", listener=stage_lines())
    if result.stages[-1].took_part:
        return  # the chief has the trials
    _print_trials(HyperParameters(result.artifact("tuner", "best_hyperparameters").uri))
    # With other settings it would be a different search, which would run again.
    given = [word for override in [*overrides, *asked] for word in ("--set", override)]
    given += ["--root", str(root)] if root != Path() else []
    typer.echo(f"to train with the best of them: {shlex.join(['kerasvision', 'run', str(pipeline_file), *given])}")


def _show(pipeline_file: Path | None, root: Path) -> None:
    from kerasvision.pipeline.artifacts import HyperParameters
    from kerasvision.pipeline.history import list_runs
    from kerasvision.pipeline.standard import load_pipeline

    name = load_pipeline(pipeline_file).name if pipeline_file else None
    for run, executions in list_runs(root):
        for execution in executions:
            found = execution.outputs.get("best_hyperparameters") if name in (None, run.pipeline) else None
            if found is not None and (artifact := HyperParameters(found.uri)).trials.is_file():
                typer.echo(f"search of {run.pipeline} in run {run.id}")
                _print_trials(artifact)
                return
    of = f" of {name}" if name else ""
    where = pipeline_file or "PIPELINE"
    raise ConfigError(f"no search{of} has finished here", hint=f"run one with `kerasvision tune {where}`")


def _print_trials(artifact: "HyperParameters") -> None:
    from kerasvision.tuning.table import printed, read_trials_table

    trials = read_trials_table(artifact.trials)
    heads, rows = printed(trials, most=MOST_ROWS)
    # Rows are lists, not dicts, because a setting may have the same name as another one or as a fact.
    table = table_of(*map(escape, heads), right=tuple(heads[1:]))
    for row in rows:
        table.add_row(*map(escape, row))
    print_whole(table)
    best = f"the best {len(rows)} of " if len(trials) > len(rows) else ""
    typer.echo(f"{best}{len(trials)} trials; see {os.path.relpath(artifact.front)}")


def _find_learning_rate(pipeline_file: Path, finder: Finder, overrides: list[str], root: Path) -> None:
    from kerasvision.training.probes import learning_rate_finder as rates

    ready = prepared(pipeline_file, overrides=overrides, root=root, purpose="tune --find-learning-rate")
    found = rates.find_learning_rate(
        ready.settings,
        examples=ready.examples(),
        classes=ready.classes(),
        transform=ready.transform(),
        lowest=rates.LOWEST if finder.lowest is None else finder.lowest,
        highest=rates.HIGHEST if finder.highest is None else finder.highest,
        steps=rates.STEPS if finder.steps is None else finder.steps,
    )
    files = found.save(finder.folder or root / "runs" / "reports" / ready.name)
    typer.echo(found.text)
    if found.suggestion is not None:
        typer.echo(f"to try it: --set training.optimizer.learning_rate={found.suggestion:.2g}")
    typer.echo(f"wrote {' and '.join(os.path.relpath(file) for file in files)}")
