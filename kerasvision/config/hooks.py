"""Programs of the user that are called when a run has pushed a model, or has failed."""

import json

from pydantic import Field, field_validator, model_validator

from kerasvision.config.base import Config
from kerasvision.errors import ConfigError


class Hooks(Config):
    """Programs that are called after a push or a failure: `Hooks(after_push=("python", "deploy.py"))`.

    A program is called without a shell, in the folder in which the run was started. It learns what happened from environment
    variables: `KERASVISION_EVENT` (`pushed` or `failed`), `KERASVISION_PIPELINE`, `KERASVISION_RUN`, `KERASVISION_ROOT`;
    after a push `KERASVISION_MODEL` (the folder of the version) and `KERASVISION_VERSION`; after a failure
    `KERASVISION_ERROR`. What it prints is printed. If it fails, a line says so, and the result of the run stays the same.

    >>> Hooks(after_push="python deploy.py")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: a hook is a list: the program, then its arguments; received 'python deploy.py'. ...
    """

    after_push: tuple[str, ...] = Field(
        default=(), description="program and arguments, called when a run has pushed a new version; empty: nothing"
    )
    after_failure: tuple[str, ...] = Field(
        default=(), description="program and arguments, called when a stage has failed; not after Ctrl-C; empty: nothing"
    )
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600, description="the program is ended after this time")

    @field_validator("after_push", "after_failure", mode="before")
    @classmethod
    def _is_a_list(cls, words: object) -> object:
        if isinstance(words, str):
            hint = f"did you mean {json.dumps(words.split())}? No shell divides a text into words"
            raise ConfigError("a hook is a list: the program, then its arguments", received=words, hint=hint)
        return words

    @field_validator("after_push", "after_failure", mode="after")
    @classmethod
    def _names_a_program(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if (words and not words[0]) or any("\0" in word for word in words):
            raise ConfigError("a hook begins with the name of a program, and has no NUL characters", received=words)
        return words

    @model_validator(mode="after")
    def _time_is_of_a_program(self) -> "Hooks":
        if self.timeout_seconds != type(self).model_fields["timeout_seconds"].default and not (
            self.after_push or self.after_failure
        ):
            raise ValueError(f"timeout_seconds requires after_push or after_failure; received {self.timeout_seconds:g}")
        return self
