"""Two small stages without TensorFlow, for tests of the pipeline code.

`python toy.py ROOT INPUT FACTOR [KILL_AT [OBJECT_STORE]]` runs them; with KILL_AT the process kills itself at that point of
a launch, unless that is "never".
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from kerasvision.config.base import Config
from kerasvision.pipeline import copying, launcher
from kerasvision.pipeline.artifacts import Examples, Model, Out
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run
from kerasvision.pipeline.object_store import ObjectStore
from kerasvision.pipeline.store import Store


class ReadSettings(Config):
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        yield "input", self.path


class MultiplySettings(Config):
    factor: int = 1


def read(examples: Out[Examples], *, settings: ReadSettings) -> None:
    """Keeps only the sign of the number, so that different inputs can give the same output."""
    number = int(settings.path.read_text())
    (examples.uri / "sign.txt").write_text(str((number > 0) - (number < 0)))


def multiply(examples: Examples, model: Out[Model], *, settings: MultiplySettings) -> None:
    product = int((examples.uri / "sign.txt").read_text()) * settings.factor
    (model.uri / "product.txt").write_text(str(product))
    model.properties["product"] = product


def pipeline(path: Path, factor: int = 1) -> Pipeline:
    made = Pipeline("toy")
    source = made.add(read, settings=ReadSettings(path=path))
    made.add(multiply, examples=source.examples, settings=MultiplySettings(factor=factor))
    return made


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before(owner: object, name: str) -> None:
    setattr(owner, name, die)


def killed_after(owner: object, name: str) -> None:
    original = getattr(owner, name)

    def then_die(*args: object, **kwargs: object) -> None:
        original(*args, **kwargs)
        die()

    setattr(owner, name, then_die)


KILLS = {
    "before registering": lambda: killed_before(Store, "start"),
    "after registering": lambda: killed_after(Store, "start"),
    "after promising outputs": lambda: killed_after(Store, "promise"),
    "before flushing": lambda: killed_before(launcher, "flush_tree"),
    "before renaming": lambda: killed_before(Path, "rename"),
    "after renaming": lambda: killed_after(Path, "rename"),
    "before publishing": lambda: killed_before(Store, "publish"),
    "after publishing": lambda: killed_after(Store, "publish"),
}

# Moments of a copy to an object store and back.
COPY_KILLS = {
    "never": lambda: None,
    "after sending a file": lambda: killed_after(ObjectStore, "send"),
    "before the copy is whole": lambda: killed_after(ObjectStore, "write"),
    "after fetching a file": lambda: killed_after(ObjectStore, "fetch"),
    "before renaming what was fetched": lambda: killed_before(copying, "rename_into_place"),
}

if __name__ == "__main__":
    root, path, factor = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    if len(sys.argv) > 4:
        (KILLS | COPY_KILLS)[sys.argv[4]]()
    made = pipeline(path, factor)
    made.object_store = sys.argv[5] if len(sys.argv) > 5 else None
    result = run(made, root=root)
    print([stage.reused for stage in result.stages], result.artifact("multiply", "model").properties["product"])
