"""What an artifact is: a typed folder that one stage writes and others read."""

from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

from kerasvision.errors import GraphError

OUTPUT = "an output of the stage"
A = TypeVar("A", bound="Artifact")

# `Out[Model]` in a stage's signature: the stage receives an empty folder of that type, and fills it.
Out = Annotated[A, OUTPUT]

# TYPE_NAME -> class, for every artifact class, including a user's own.
TYPES: dict[str, type["Artifact"]] = {}
OURS = "kerasvision."


class Artifact:
    """A folder that one stage wrote and others read.

    Attributes:
        uri: the folder.
        FRONT: the file in the folder that a person opens first.
        properties: small facts that the metadata store keeps about it (`blessed`, `pushed_version`).
    """

    TYPE_NAME: ClassVar[str] = "Artifact"
    FRONT: ClassVar[str] = "."

    def __init_subclass__(cls) -> None:
        """Adds a class with a TYPE_NAME to `TYPES`; artifacts of a class without one are stored as its base class.

        Raises:
            GraphError: a class of kerasvision, or one with another name, has this TYPE_NAME.
        """
        if "TYPE_NAME" not in vars(cls):
            return
        taken = TYPES.get(cls.TYPE_NAME)
        # The same class is defined again when a pipeline file is loaded again.
        if taken is not None and (taken.__module__.startswith(OURS) or taken.__qualname__ != cls.__qualname__):
            raise GraphError(
                f"artifact classes must have different TYPE_NAMEs; {taken.__module__}:{taken.__qualname__} has this one",
                received=cls.TYPE_NAME,
                hint=f"choose another one for {cls.__module__}:{cls.__qualname__}",
            )
        TYPES[cls.TYPE_NAME] = cls

    def __init__(self, uri: Path | str, properties: dict[str, int | float | str] | None = None) -> None:
        self.uri = Path(uri)
        self.properties = dict(properties or {})

    def __repr__(self) -> str:
        return f"{self.TYPE_NAME}({str(self.uri)!r})"

    @property
    def front(self) -> Path:
        """The path of the file that a person opens first."""
        return self.uri / self.FRONT

    def external_paths(self) -> list[Path]:
        """Paths outside the folder that belong to this artifact. They are checked like the folder before a reuse."""
        return []
