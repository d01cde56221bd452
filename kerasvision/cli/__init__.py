"""The command line: `kerasvision COMMAND`. Each command calls one library function and prints its result.

Only what every command needs is imported here, so that `--help` is fast.
"""

import io
import sys
from pathlib import Path

import typer
from rich.console import Console

from kerasvision import __version__, quiet
from kerasvision.cli import (
    advise,
    data,
    doctor,
    explain,
    models,
    new,
    pipelines,
    predict,
    report,
    runs,
    sample,
    saved,
    serve,
    settings,
    tune,
)
from kerasvision.cli.commands import Commands
from kerasvision.disk import os_error, refused
from kerasvision.errors import ConfigError, KerasvisionError

app = typer.Typer(
    name="kerasvision",
    cls=Commands,
    help="Train vision models on Keras with a TFX-style pipeline, from images on disk to a model that can be served.",
    epilog="Start with `kerasvision new --example digits`, or with `kerasvision new NAME --images FOLDER` for your images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    traceback: bool = typer.Option(False, "--traceback", help="Show where an error was raised."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    _State.traceback = traceback


class _State:
    traceback = False


app.command("run")(pipelines.run)
app.command("plan")(pipelines.plan)
app.command("stage")(pipelines.stage)
app.command("push")(pipelines.push)
app.command("compile")(pipelines.compile_)
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.add_typer(saved.app, name="saved")
app.command("predict")(predict.predict)
app.command("sample")(sample.sample)
app.command("explain")(explain.explain)
app.command("report")(report.report)
app.command("advise")(advise.advise)
app.command("serve")(serve.serve)
app.command("new", cls=new.ExampleWithoutName)(new.new)
app.command("settings")(settings.settings)
app.add_typer(data.app, name="data")
app.command("tune")(tune.tune)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Runs the command line. A failure prints its message and exits with the code of its kind (see `errors`)."""
    quiet.install()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the output cannot encode are escaped: names that are not UTF-8, umlauts in an ASCII locale.
            stream.reconfigure(errors="backslashreplace")
    try:
        # A user's own sources and networks are modules in the current folder. It comes last, so that a file there does not
        # hide an installed module.
        sys.path.append(str(_current_folder()))
        app()
    except Exception as error:
        cause = os_error(error)
        shown = error if isinstance(error, KerasvisionError) else refused(cause) if cause else None
        if shown is None or _State.traceback:
            raise
        console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        console.print(f"{type(shown).__name__}: {shown}", style="red")
        sys.exit(shown.exit_code)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current folder does not exist any more", hint="change to a folder that exists") from None
