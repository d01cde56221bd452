"""What a person probably meant with a command that does not exist, or a path that is not a pipeline file.

Each function returns the way out, as the last sentence of an error message.
"""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from kerasvision import lookup
from kerasvision.config.listing import IMAGE_SUFFIXES, is_file, is_folder, list_folder
from kerasvision.shortened import shortened

# The pipelines of the package; see `kerasvision.config.examples`.
EXAMPLES = Path(__file__).parent / "pipelines"
PIPELINES = Path("pipelines")
DEFINITION = re.compile(rb"^EXPERIMENT\b", re.MULTILINE)
MOST_FILES = 3
# A folder with more entries is not searched further for an image.
MOST_ENTRIES = 10_000

_TRAIN = "`kerasvision run {pipeline} --until trainer` trains; without --until it also scores and pushes the model"
_SCORE = "`kerasvision run {pipeline} --until evaluator` scores the model on the test images; it trains first if necessary"
_EXPORT = "`kerasvision run {pipeline} --until exporter` writes the trained model as a SavedModel"
_PUSH = "`kerasvision push {pipeline}` copies the blessed model of a pipeline that has run to saved_models/"
_NEW = (
    "`kerasvision new NAME --images {folder}` writes a pipeline file for a folder of images, and "
    "`kerasvision new --example digits` one that needs no images"
)
_RUN = "`kerasvision run {pipeline}` runs a pipeline, and continues a run that was stopped"
_LIST = "`kerasvision runs list` lists all runs with their states, and `kerasvision saved list` all pushed models"
_DELETE = (
    "`kerasvision runs gc --keep 3` shows what earlier runs left and nothing needs; with --delete it removes that. "
    "No command deletes folders in saved_models/; `kerasvision saved rollback` pushes an earlier version again"
)
_STOP = "press Ctrl-C where it runs, or end the process that `kerasvision runs list` shows; the next run continues there"

# Words that other tools use -> what this one has for them.
WORDS = {
    **dict.fromkeys(("train", "fit", "learn", "trainer", "training"), _TRAIN),
    **dict.fromkeys(("eval", "evaluate", "evaluator", "test", "score", "val"), _SCORE),
    **dict.fromkeys(("export", "exporter", "save", "convert"), _EXPORT),
    **dict.fromkeys(("deploy", "publish", "release", "pusher"), _PUSH),
    **dict.fromkeys(("init", "create", "make", "setup", "generate"), _NEW),
    **dict.fromkeys(("start", "execute", "launch", "restart", "pipeline"), _RUN),
    **dict.fromkeys(("resume", "continue"), "`kerasvision runs resume` continues a run that failed or was stopped"),
    **dict.fromkeys(("ls", "list", "status", "ps", "history", "log", "logs"), _LIST),
    **dict.fromkeys(("delete", "remove", "rm", "clean", "prune"), _DELETE),
    **dict.fromkeys(("stop", "kill", "cancel"), _STOP),
    **dict.fromkeys(("compare", "diff"), "`kerasvision runs compare RUN RUN` shows what differs between runs"),
    **dict.fromkeys(("infer", "inference", "classify"), "`kerasvision predict saved_models/NAME IMAGE` predicts images"),
    **dict.fromkeys(("search", "hpo"), "`kerasvision tune {pipeline}` runs the search of a pipeline"),
    **dict.fromkeys(("check", "lint", "validate", "scan"), "`kerasvision data scan {pipeline}` checks every image"),
    **dict.fromkeys(("config", "options", "params"), "`kerasvision settings` lists all settings of a pipeline file"),
    "help": "`kerasvision --help` lists all commands",
    "version": "`kerasvision --version` prints the version",
}


def instead_of_command(word: str, rest: Sequence[str], commands: Iterable[str]) -> str:
    """The way out for a command that does not exist.

    Args:
        word: the command.
        rest: the words after it. A path among them becomes part of the answer.
        commands: the commands that exist.

    >>> instead_of_command("train", ["my.py"], ["run"])
    '`kerasvision run my.py --until trainer` trains; without --until it also scores and pushes the model'
    >>> instead_of_command("exprot", [], ["run"])
    '`kerasvision run PIPELINE --until exporter` writes the trained model as a SavedModel'
    >>> instead_of_command("rum", [], ["run", "plan"])
    "did you mean 'run'?"
    """
    if word.endswith(".py"):
        return f"`kerasvision run {shlex.quote(word)}` runs a pipeline file"
    commands, asked = list(commands), word.lower()[:200]
    # Short words such as `rm` are similar to too many others.
    similar = difflib.get_close_matches(asked, [*commands, *(one for one in WORDS if len(one) > 3)], n=1)
    known = WORDS.get(asked) or WORDS.get("".join(similar))
    if known is None:
        return lookup.did_you_mean(word, commands)
    paths = [one for one in rest if not one.startswith("-")]
    pipelines = [one for one in paths if one.endswith(".py")] or [str(file) for file in pipeline_files(PIPELINES)]
    # Only one that was named, or the only one that there is.
    pipeline = pipelines[0] if len(pipelines) == 1 else "PIPELINE"
    folder = next((one for one in paths if is_folder(Path(one))), "FOLDER")
    return known.format(pipeline=shlex.quote(pipeline), folder=shlex.quote(folder))


def instead_of_folder(folder: Path) -> str:
    """The way out for a folder that was given instead of a pipeline file: depends on what is in it."""
    for place in (folder, folder / PIPELINES):
        if files := pipeline_files(place):
            return f"name a pipeline file in it: {shortened(files, most=MOST_FILES)}"
    typed = shlex.quote(str(folder))
    if form := instead_of_class_folders(folder):
        return form
    # Where something may not be read, nothing is known about it.
    with suppress(OSError):
        if any((place / "saved_model.pb").is_file() for place in (folder, *folder.glob("[0-9]*"))):
            return f"it is a saved model: `kerasvision predict {typed} IMAGE` predicts images with it"
        if any(found.is_named_like_an_image for found in islice(list_folder(folder), MOST_ENTRIES)):
            return f"it has images: `kerasvision new {_name_for(folder)} --images {typed}` writes a pipeline file for them"
    return "it has neither pipeline files nor images. `kerasvision new --example digits` writes a first pipeline file"


def instead_of_class_folders(folder: Path) -> str:
    """The way out for a folder whose images have annotations in files; "" if it has no form that a source reads."""
    # Without a folder, this module needs none of the settings, and every command imports it.
    from kerasvision.config.forms import source_of_form

    source = source_of_form(folder)
    if source is None:
        return ""
    kind, command = type(source).__name__, f"`kerasvision new {_name_for(folder)} --images {shlex.quote(str(folder))}`"
    if source.way_to("objects"):  # it has label maps only
        return f"the folder has images and label maps: {command} writes a pipeline file that gives each pixel a class"
    return (
        f"the folder has {kind.upper()}'s form: {command} writes a pipeline file that finds its objects. For one label per "
        f"image set source=c.{kind}(path={str(folder)!r}, label='largest'): it is the class of the largest object"
    )


def instead_of_missing(path: Path) -> str:
    """The way out for a pipeline file that does not exist: a file with a similar name, or an example of the package."""
    name = path.name.removesuffix(".py")
    there = {file.stem: file for place in (PIPELINES, path.parent) for file in pipeline_files(place)}
    if close := difflib.get_close_matches(name[:200], there, n=1):
        return f"did you mean {there[close[0]]}?"
    if (EXAMPLES / f"{name}.py").is_file():
        return f"`kerasvision new --example {name}` writes it"
    return f"there are {shortened(there.values(), most=MOST_FILES)}" if there else _NEW.format(folder="FOLDER")


def instead_of_other_file(file: Path) -> str:
    """The way out for a file that is not a Python file."""
    if file.suffix.lower() in IMAGE_SUFFIXES:
        return f"`kerasvision predict saved_models/NAME {shlex.quote(str(file))}` predicts an image"
    return "`kerasvision new --example digits` writes one"


def pipeline_files(folder: Path) -> list[Path]:
    """The Python files in a folder that define `EXPERIMENT`, sorted; empty if one of them cannot be read."""
    try:
        found = sorted(path for path in folder.glob("*.py") if is_file(path))
        return [path for path in found if DEFINITION.search(path.read_bytes())]
    except OSError:
        return []


def _name_for(folder: Path) -> str:
    """The name of an experiment on the images of a folder."""
    return re.sub("[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-") or "NAME"
