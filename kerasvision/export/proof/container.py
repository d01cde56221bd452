"""Sends the canary images over REST to TensorFlow Serving itself, in a container, if docker or podman has its image.

This was not tried with a real engine: none could be run where it was written. Its test replaces the engine.
"""

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kerasvision.errors import ExportError
from kerasvision.served.signatures import BYTES_SUFFIX
from kerasvision.served.versions import RECORD, check_whole

ENGINES = ("docker", "podman")
BATCH_SIZE = 32
SECONDS_TO_START, SECONDS_TO_ANSWER = 120.0, 60.0


def why_no_container(image: str) -> str:
    """Why TensorFlow Serving cannot be run here; empty if it can. An image is never downloaded."""
    engine = _engine()
    if engine is None:
        return "neither docker nor podman is installed"
    known = subprocess.run([engine, "image", "inspect", image], capture_output=True, check=False).returncode == 0
    return "" if known else f"{Path(engine).name} has no image {image}"


def ask_container(saved_model: Path, *, image: str, images: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Output name -> TensorFlow Serving's answers for all images: float64, bool or string arrays, (N, ...).

    Args:
        saved_model: the folder.
        image: name of the container image.
        images: N encoded images.

    Raises:
        ExportError: the version differs from what was pushed, the container does not start, or it rejects a request.
    """
    if (saved_model / RECORD).exists():  # What was never pushed, the container has to judge.
        check_whole(saved_model)
    rows = []
    with _running(saved_model, image) as address:
        for start in range(0, len(images), BATCH_SIZE):
            encoded = [{"b64": base64.b64encode(data).decode()} for data in images[start : start + BATCH_SIZE]]
            rows += _asked(f"http://{address}/v1/models/model:predict", {"instances": encoded})["predictions"]
    return {name: _array([row[name] for row in rows], name) for name in rows[0]}


def _array(values: list[Any], name: str) -> np.ndarray:
    """The values of an output; base64 becomes bytes objects."""
    if not name.endswith(BYTES_SUFFIX):
        return np.array(values)
    return np.array([base64.b64decode(value["b64"]) for value in values], object)


@contextmanager
def _running(saved_model: Path, image: str) -> Iterator[str]:
    """The address of a server that has loaded the model."""
    engine = _engine()
    if engine is None:
        raise ExportError("neither docker nor podman is installed")
    mount = f"{saved_model.resolve()}:/models/model/1:ro"
    command = ["run", "--rm", "-d", "-p", "127.0.0.1::8501", "-v", mount, "-e", "MODEL_NAME=model", image]
    container = _said(engine, *command)
    try:
        address = _said(engine, "port", container, "8501").splitlines()[0]
        deadline = time.monotonic() + SECONDS_TO_START
        while not _is_available(address):
            if time.monotonic() > deadline:
                raise ExportError(f"{image} did not load the model within {SECONDS_TO_START:g} seconds")
            time.sleep(0.5)
        yield address
    finally:
        subprocess.run([engine, "stop", container], capture_output=True, check=False)


def _engine() -> str | None:
    return next((found for name in ENGINES if (found := shutil.which(name))), None)


def _said(engine: str, *words: str) -> str:
    done = subprocess.run([engine, *words], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise ExportError(f"{Path(engine).name} {words[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def _is_available(address: str) -> bool:
    try:
        states = _asked(f"http://{address}/v1/models/model")["model_version_status"]
    except ExportError:
        return False
    return any(state["state"] == "AVAILABLE" for state in states)


def _asked(url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=SECONDS_TO_ANSWER) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as error:
        with error:
            raise ExportError(
                f"TensorFlow Serving rejects the request: {error.read().decode(errors='replace')[:300]}"
            ) from error
    except OSError as error:
        raise ExportError(f"TensorFlow Serving does not answer: {error}") from error
