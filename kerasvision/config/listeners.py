"""Programs of others that follow a run: MLflow's tracking, and collectors of OpenLineage events."""

import re
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from kerasvision.config.base import Component
from kerasvision.errors import ConfigError


class Listener(Component):
    """Follows a run and tells another program about it.

    A listener never changes a run. It works in a thread of its own, and if it fails, a line says so. No stage depends on it.
    """

    timeout_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="how long the end of a run waits for what has not been sent yet"
    )

    @field_validator("depends_on", mode="after")
    @classmethod
    def _depends_on_nothing(cls, depends_on: tuple[str, ...]) -> tuple[str, ...]:
        if depends_on:
            raise ConfigError(
                "a listener has no result that could be out of date", received=depends_on, hint="leave depends_on out"
            )
        return depends_on


class Mlflow(Listener):
    """Records each run in MLflow: settings, the scores of each epoch and of the evaluation, and how it ended.

    The experiment has the name of the pipeline. Requires the package mlflow or mlflow-skinny.

    >>> Mlflow(uri="https://ann:secret@tracking.example.com")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: listeners: a uri in a pipeline file must not contain a password. Set the ...
    """

    implementation: ClassVar[str] = "kerasvision.pipeline.mlflow_listener:MlflowListener"

    uri: str | None = Field(
        default=None,
        min_length=1,
        description="MLflow's tracking server or store: http://127.0.0.1:5000. None: what MLFLOW_TRACKING_URI says",
    )

    @field_validator("uri", mode="after")
    @classmethod
    def _has_no_password(cls, uri: str | None) -> str | None:
        # The message must not repeat the password.
        if uri is not None and "@" in urlsplit(uri).netloc:
            raise ConfigError(
                "listeners: a uri in a pipeline file must not contain a password",
                hint="set the environment variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            )
        is_host = uri is not None and re.fullmatch(r"[^/]+:\d+", uri)
        if uri is not None and (is_host or (urlsplit(uri).scheme in ("http", "https") and not urlsplit(uri).netloc)):
            raise ConfigError(
                "listeners: the uri of a server begins with http:// or https:// and its name",
                received=uri,
                hint="write http://127.0.0.1:5000, for example",
            )
        return uri


class OpenLineage(Listener):
    """Sends OpenLineage events: what each stage read and wrote.

    Where to is configured as for every client of OpenLineage: in `openlineage.yml`, or in environment variables such as
    `OPENLINEAGE_URL`. Requires the package openlineage-python.
    """

    implementation: ClassVar[str] = "kerasvision.pipeline.openlineage_listener:OpenLineageListener"

    namespace: str | None = Field(
        default=None, min_length=1, description="the namespace of the jobs; None: the name of the pipeline"
    )
