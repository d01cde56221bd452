"""The example pipelines of the package, which can be copied to any folder.

`pipelines` next to this file is a link to the repository's folder with that name. A wheel has the files themselves.
"""

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasvision import lookup
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import load_experiment
from kerasvision.errors import ConfigError, shown

FOLDER = Path(__file__).parent / "pipelines"


@dataclass(frozen=True)
class Example:
    """An example pipeline of the package.

    Attributes:
        name: of the file without `.py`, and of the experiment.
        summary: the first line of the file's docstring: what is trained, and what was measured.
        reads: files and folders that the pipeline reads and the user must provide.
    """

    name: str
    summary: str
    reads: tuple[Path, ...]


def example_names() -> tuple[str, ...]:
    """The names of all examples, sorted.

    >>> "digits" in example_names()
    True
    """
    return tuple(sorted(file.stem for file in FOLDER.glob("*.py")))


def example(name: str) -> Example:
    """The facts about an example that are known without running it.

    Raises:
        ConfigError: no example has that name.

    >>> example("flowers").reads
    (PosixPath('data/flowers'),)
    >>> example("digit")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: no example is named 'digit'; did you mean 'digits'? The examples are coco_captions, ...
    """
    names = example_names()
    if name not in names:
        hint = lookup.did_you_mean(name, names)
        listed = f"the examples are {', '.join(names)}" if hint.endswith("?") else ""
        raise ConfigError(f"no example is named {shown(name)}; {hint}", hint=listed)
    file = FOLDER / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    return Example(name, docstring.partition("\n")[0], tuple(_reads(load_experiment(file))))


def write_example(name: str, *, folder: Path) -> Path:
    """Copies an example to `<folder>/<name>.py`, byte for byte; creates the folder if it does not exist.

    Raises:
        ConfigError: no example has that name, or the file exists already.
    """
    source = FOLDER / f"{example(name).name}.py"
    file = folder / source.name
    if file.exists():
        raise ConfigError(f"{file} exists already, and is not overwritten", hint="choose another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, file)
    return file


def _reads(experiment: Experiment) -> Iterator[Path]:
    places = (getattr(experiment.source, field) for field in sorted(experiment.source.locations))
    yield from (place for place in places if isinstance(place, Path))
    if experiment.model.weights_file is not None:
        yield experiment.model.weights_file
