"""A project whose input, settings and code change, and the number with which its pipeline ends, by plain arithmetic."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.standard import load_pipeline

# The pipeline file has the stages of cheap.py, and a last one whose module changes. Two settings of a training stand for a
# factor and a term of the stages.
PIPELINE_FILE = """
from pathlib import Path

from cheap import add_stages
from edited_stage import last

from kerasvision import config as c
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(
    name="project",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32)),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    training=c.Training(epochs={factor}, seed={offset}),
)


def pipeline(experiment):
    made = Pipeline(experiment.name)
    training = experiment.training
    before = add_stages(made, Path("input.txt"), factor=training.epochs, offset=training.seed)
    made.add(last, before=before)
    return made
"""
STAGE = """
from cheap import number_in, write
from edited_term import TERM
from kerasvision.pipeline.artifacts import Model, Out


def last(before: Model, model: Out[Model]) -> None:
    write(model.uri, {times} * number_in(before.uri) + TERM)
"""
TERM = "TERM = {term}\n"
FILES = {"project.py": PIPELINE_FILE, "edited_stage.py": STAGE, "edited_term.py": TERM, "input.txt": "{number}"}
EDITED = ("edited_stage", "edited_term")
STAGES = ("read", "multiply", "add", "join", "copy", "last")


@dataclass(frozen=True)
class World:
    """All that the result depends on.

    Attributes:
        number: in the input file.
        factor, offset: settings.
        times: in the code of the last stage.
        term: in a module that this stage imports.
    """

    number: int = 1
    factor: int = 1
    offset: int = 0
    times: int = 1
    term: int = 0

    @property
    def answer(self) -> int:
        """The number with which the pipeline ends."""
        joined = 100 * (self.number * self.factor) + (self.number + self.offset)
        return self.times * joined + self.term

    def write(self, folder: Path) -> None:
        """Writes the project; files whose text stays are not touched."""
        for name, text in FILES.items():
            wanted, file = text.format(**vars(self)), folder / name
            if not file.exists() or file.read_text() != wanted:
                file.write_text(wanted)


def forget_modules() -> None:
    """Edited modules are imported anew, as in a new process."""
    for name in EDITED:
        sys.modules.pop(name, None)


def load(folder: Path) -> Pipeline:
    """The pipeline of the project as it is on disk now. The project must be the current folder, and on the import path."""
    assert Path.cwd() == folder
    forget_modules()
    return load_pipeline(folder / "project.py")


def settings_of(experiment: Mapping) -> tuple[int, int]:
    """(factor, offset) of recorded settings."""
    return experiment["training"]["epochs"], experiment["training"]["seed"]


def enter(folder: Path) -> None:
    """Makes the project the current folder, and the first on the import path."""
    os.chdir(folder)
    sys.path[0:1] = [str(folder)]
