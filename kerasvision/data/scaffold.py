"""Writes a first pipeline file for a folder of images, for a person to edit."""

import textwrap
from pathlib import Path
from string import Template

from pydantic import TypeAdapter

from kerasvision.config.experiment import Experiment
from kerasvision.data.first_look import FirstLook
from kerasvision.data.recipes import Choice, Recipe
from kerasvision.errors import ConfigError

# A comment ends in this column at the latest.
COMMENT_END = 125
INDENT = "    "

_FILE = Template('''"""$classes classes, $images images in $folder. Written by `kerasvision new`; not measured yet."""

from kerasvision import config as c

${header}EXPERIMENT = c.Experiment(
    name="$name",
    source=c.ImageFolder(path=$path),
$choices
)
''')


def new_file(name: str, *, folder: Path) -> Path:
    """`<folder>/<name>.py`, which does not exist yet.

    Raises:
        ConfigError: an invalid name, or a file that already exists.
    """
    checked = Experiment.model_fields["name"]
    try:
        TypeAdapter(checked.rebuild_annotation()).validate_python(name)
    except ValueError:
        raise ConfigError("a name contains lower-case letters, digits, - and _, and is not a path", received=name) from None
    file = folder / f"{name}.py"
    if file.exists():
        raise ConfigError(f"{file} exists already, and is not overwritten", hint="choose another name")
    return file


def pipeline_text(name: str, *, look: FirstLook, recipe: Recipe) -> str:
    """The text of a pipeline file.

    Args:
        name: the experiment's name.
        look: what the folder holds.
        recipe: the settings; each has its reason in a comment above it.
    """
    return _FILE.substitute(
        name=name,
        path=repr(str(look.images)),
        folder=escape_docstring(str(look.images)),
        classes=len(look.counts),
        images=look.counts.total(),
        header=_comment(f"It trains {recipe.summary}: {recipe.reason}.", indent=""),
        choices="\n".join(map(_lines, recipe.choices)),
    )


def escape_docstring(text: str) -> str:
    """A text for use between three double quotes: backslashes, quotes and unprintable characters are escaped.

    >>> escape_docstring('C:\\\\photos "new"')
    'C:\\\\\\\\photos \\\\"new\\\\"'
    """
    # repr chooses double quotes for a text with a single quote and without a double one.
    return repr(f'"{text}')[2:-1].replace("\\'", "'").replace('"', '\\"')


def _lines(choice: Choice) -> str:
    return f"{_comment(choice.why, indent=INDENT)}{INDENT}{choice.setting}={choice.code},"


def _comment(text: str, *, indent: str) -> str:
    """The text as lines that begin with #, each with its line end."""
    start = f"{indent}# "
    lines = textwrap.wrap(text, COMMENT_END, initial_indent=start, subsequent_indent=start, break_long_words=False)
    return "".join(f"{line}\n" for line in lines)
