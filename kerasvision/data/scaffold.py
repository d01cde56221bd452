"""Writes a first pipeline file for a folder of images, for a person to edit."""

import textwrap
from pathlib import Path
from string import Template

from pydantic import TypeAdapter

from kerasvision.config.experiment import Experiment
from kerasvision.config.sources import ImageFolder, Source
from kerasvision.data.first_look import FirstLook
from kerasvision.data.maps_look import MapsLook
from kerasvision.data.objects_look import ObjectsLook
from kerasvision.data.recipe import Choice, Recipe
from kerasvision.data.tags_look import TagsLook
from kerasvision.data.values_look import ValuesLook
from kerasvision.errors import ConfigError

# A comment ends in this column at the latest.
COMMENT_END = 125
INDENT = "    "

AnyLook = FirstLook | ObjectsLook | MapsLook | TagsLook | ValuesLook

_FILE = Template('''"""$counts in $folder. Written by `kerasvision new`; not measured yet."""

from kerasvision import config as c

${header}EXPERIMENT = c.Experiment(
    name="$name",
    source=$source,
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


def pipeline_text(name: str, *, look: AnyLook, recipe: Recipe) -> str:
    """The text of a pipeline file.

    Args:
        name: the experiment's name.
        look: what the folder holds.
        recipe: the settings; each has its reason in a comment above it.
    """
    return _FILE.substitute(
        name=name,
        source=source_code(ImageFolder(path=look.images) if isinstance(look, FirstLook) else look.source),
        folder=escape_docstring(str(look.images)),
        counts=_counts(look),
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


def _counts(look: AnyLook) -> str:
    if isinstance(look, FirstLook):
        return f"{len(look.counts)} classes, {look.counts.total()} images"
    if isinstance(look, TagsLook):
        return f"{len(look.counts)} tags, {look.total} images"
    if isinstance(look, MapsLook):
        return f"maps of {len(look.counts)} classes, {look.total} images"
    if isinstance(look, ValuesLook):
        return f"{', '.join(look.values)} of {look.total} images"
    return f"{look.counts.total()} objects of {len(look.counts)} classes, {look.total} images"


def source_code(source: Source) -> str:
    """A source in Python, with the settings that are not the default.

    >>> source_code(ImageFolder(path=Path("pets")))
    "c.ImageFolder(path='pets')"
    """
    fields = type(source).model_fields
    given = {name: getattr(source, name) for name in fields if getattr(source, name) != fields[name].default}
    code = ", ".join(f"{name}={str(value) if name in source.locations else value!r}" for name, value in given.items())
    return f"c.{type(source).__name__}({code})"


def _lines(choice: Choice) -> str:
    return f"{_comment(choice.why, indent=INDENT)}{INDENT}{choice.setting}={choice.code},"


def _comment(text: str, *, indent: str) -> str:
    """The text as lines that begin with #, each with its line end."""
    start = f"{indent}# "
    lines = textwrap.wrap(text, COMMENT_END, initial_indent=start, subsequent_indent=start, break_long_words=False)
    return "".join(f"{line}\n" for line in lines)
