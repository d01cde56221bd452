"""Where the work on single images is done: in the stage's own process, or by the workers of Apache Beam."""

import re
from typing import ClassVar

from pydantic import Field, field_validator

from kerasvision.config.base import Component
from kerasvision.errors import ConfigError


class Runner(Component):
    """Where the work on single images is done.

    The results are the same bytes everywhere, so no stage runs again because of another runner.
    """

    @field_validator("depends_on", mode="after")
    @classmethod
    def _depends_on_nothing(cls, depends_on: tuple[str, ...]) -> tuple[str, ...]:
        if depends_on:
            raise ConfigError(
                "a runner has no result that could be out of date", received=depends_on, hint="leave depends_on out"
            )
        return depends_on


class Local(Runner):
    """In the process of the stage, with a thread for each processor core."""

    implementation: ClassVar[str] = "kerasvision.data.mapping.mapper:Here"


class Beam(Runner):
    """By the workers of Apache Beam. Requires the package apache-beam.

    >>> Beam(options=("--runner=DirectRunner", "--direct_num_workers=4")).options[0]
    '--runner=DirectRunner'
    >>> Beam(options=("DirectRunner",))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: runner: an option of Beam has the form --name or --name=value; received 'DirectRunner'...
    """

    implementation: ClassVar[str] = "kerasvision.data.mapping.beam:BeamMapper"

    options: tuple[str, ...] = Field(
        default=(), description="Beam's pipeline options: --runner=FlinkRunner. Without --runner, Beam chooses DirectRunner"
    )

    @field_validator("options", mode="after")
    @classmethod
    def _are_options(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for option in options:
            if not re.fullmatch(r"--[A-Za-z]\w*(=.*)?", option, re.DOTALL):
                raise ConfigError(
                    "runner: an option of Beam has the form --name or --name=value",
                    received=option,
                    hint="write options=('--runner=DirectRunner', '--direct_num_workers=4'), for example",
                )
        return options

    def packages(self) -> frozenset[str]:
        """Beam itself."""
        return super().packages() | {"apache_beam"}


# The default of a stage that is called without a runner.
LOCAL = Local()
