"""Compares two runs of pipelines/digits.py: files that all runs write alike by their bytes, the others by their meaning."""

import csv
import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.store import opened
from kerasvision.served.versions import complaint

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from varying import VARYING, contents

VERSION = Path("saved_models", "digits", "1")
# What differs between two runs that nothing disturbs: times, memory, and the size of a graph whose order differs.
TIMES = re.compile(r"seconds|latency|memory|_ms$|per_second|size_mb")


def differences(root: Path, other: Path) -> list[str]:
    """What differs between the newest runs below two roots, a line each; empty if nothing does."""
    one, two = newest_artifacts(root), newest_artifacts(other)
    if one.keys() != two.keys():
        return [f"one run has {sorted(one)}, and the other {sorted(two)}"]
    found = [line for name in one for line in _in_artifact(name, one[name], two[name])]
    return found + [f"version: {line}" for line in (*_pushed(root), *_pushed(other))]


def newest_artifacts(root: Path) -> dict[str, ArtifactRecord]:
    """stage.output -> artifact of the newest run."""
    with opened(root / "runs", read_only=True) as store:
        run, *_ = store.runs()
        return {f"{one.node}.{key}": made for one in store.executions(run) for key, made in one.outputs.items()}


def _in_artifact(name: str, one: ArtifactRecord, other: ArtifactRecord) -> list[str]:
    ours, theirs = contents(one.uri), contents(other.uri)
    if ours.keys() != theirs.keys():
        return [f"{name} has other files: {sorted(ours.keys() ^ theirs.keys())}"]
    may_vary = VARYING.get(name, set())
    differing = [path for path in ours if ours[path] != theirs[path]]
    found = [f"{name}/{path} has other bytes" for path in differing if path not in may_vary]
    for path in set(differing) & may_vary:
        meaning = MEANINGS[Path(path).name]
        if meaning(one.uri / path) != meaning(other.uri / path):
            found.append(f"{name}/{path} means something else")
    if _without_times(one.properties) != _without_times(other.properties):
        found.append(f"{name} has other properties: {one.properties}, {other.properties}")
    return found


def _pushed(root: Path) -> list[str]:
    """What is wrong with what a run pushed: there must be one version, whole, with the files of its exporter."""
    folder = root / VERSION
    versions = sorted(path.name for path in folder.parent.iterdir() if path.name != ".lock")
    if versions != [folder.name]:
        return [f"{folder.parent} has {versions}"]
    pushed, exported = contents(folder), contents(newest_artifacts(root)["exporter.saved_model"].uri / "Format-Serving")
    found = [f"{path} is not what was exported" for path in exported if pushed.get(path) != exported[path]]
    return found + ([text] if (text := complaint(folder)) else [])


def _weights(file: Path) -> bytes:
    with zipfile.ZipFile(file) as keras_file:
        return keras_file.read("model.weights.h5")


def _answers(file: Path) -> list[list]:
    """The answers of a SavedModel to ten pictures, as TensorFlow alone gives them."""
    import numpy as np
    import tensorflow as tf

    pictures = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    images = tf.stack([tf.io.encode_png(picture) for picture in pictures])
    answers = tf.saved_model.load(file.parent).signatures["serving_default"](image_bytes=images)
    return [[name, answers[name].numpy().tolist()] for name in sorted(answers)]


def _scores(file: Path) -> list[dict]:
    rows = list(csv.DictReader(file.open())) if file.suffix == ".csv" else json.loads(file.read_text())
    return [_without_times(row) for row in rows]


def _certificate(file: Path) -> object:
    return _without_times(json.loads(file.read_text()))


def _page(file: Path) -> str:
    """The text without the sentence that says how long the simple models took."""
    return re.sub(r"Processor seconds: [^<]*", "", file.read_text())


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(part) for key, part in value.items() if not TIMES.search(key)}
    return value


MEANINGS: dict[str, Callable[[Path], object]] = {
    "model.keras": _weights,
    "saved_model.pb": _answers,
    "fingerprint.pb": lambda file: None,  # hashes of the graph, whose order differs
    "simple_scores.csv": _scores,
    "simple_scores.json": _scores,
    "evaluation.html": _page,
    "certificate.json": _certificate,
}
