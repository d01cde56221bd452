"""`advise`: says what the courses would say about a run."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kerasvision.cli.options import Root, RunId
from kerasvision.config.listing import printable
from kerasvision.errors import ConfigError


def advise(
    run: RunId = "latest",
    human: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="The score of people on such images, in the headline metric of the task: 0.95."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    root: Root = Path(),
) -> None:
    """Say what to try next, from the figures of a run: bias, variance, learning rate, images, confusions, intervals."""
    if human is not None and human <= 0:
        raise ConfigError("--human must be a positive number, such as 0.95", received=human)
    from kerasvision.pipeline.advice import advise_run

    facts_of_run, facts, given = advise_run(run, root=root, human=human)
    if as_json:
        data = {
            "run": facts_of_run.id,
            "pipeline": facts_of_run.pipeline,
            "advice": [{key: value for key, value in asdict(one).items() if key != "weight"} for one in given],
            "not_looked_at": list(facts.missing),
        }
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    pieces = "nothing to say" if not given else "1 piece of advice" if len(given) == 1 else f"{len(given)} pieces of advice"
    console.print(f"run {facts_of_run.id} of {facts_of_run.pipeline}: {pieces}")
    for number, one in enumerate(given, 1):
        console.print()
        console.print(printable(f"{number}. {one.finding}"), style="bold")
        for line in (one.figures, one.todo, f"({one.source}; rule {one.rule})"):
            console.print(printable(f"   {line}"))
    if facts.missing:
        console.print("\nnot looked at:")
        for what in facts.missing:
            console.print(printable(f"   {what}"))
