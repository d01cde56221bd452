"""The options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE", help="A pipeline file, such as pipelines/digits.py.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="PATH=VALUE", help="Change one setting: --set training.epochs=3. Repeatable.")
]
Root = Annotated[Path, typer.Option("--root", help="The folder of runs/ and saved_models/.")]
Force = Annotated[bool, typer.Option("--force", help="Execute the chosen stages even if nothing changed.")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="The beginning of a run's id, or latest: the newest run of a pipeline.")
]
