"""The proof that a SavedModel answers as the trained network did: the same images, as bytes, in a fresh process."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasvision.config.experiment import Serving
from kerasvision.export import probe
from kerasvision.export.saved_model import BYTES_SIGNATURE, TENSOR_SIGNATURE

PROBE_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Certificate:
    """What a fresh process found.

    Attributes:
        blessed: no complaint.
        complaints: every reason against serving it.
        examples: how many canary images were asked.
        max_difference: largest absolute difference of a number, trained network against SavedModel; None without answers.
        allowed_difference: the bound.
        facts: times, signatures and versions, as the process reported them.
    """

    blessed: bool
    complaints: tuple[str, ...]
    examples: int
    max_difference: float | None
    allowed_difference: float
    facts: dict[str, object]

    def save(self, folder: Path) -> None:
        """Writes `certificate.json` and the empty file that bears the verdict, as TFX does."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / "certificate.json").write_text(text + "\n", encoding="utf-8")
        (folder / ("INFRA_BLESSED" if self.blessed else "INFRA_NOT_BLESSED")).touch()


def prove(
    saved_model: Path, *, images: Sequence[bytes], expected: Mapping[str, np.ndarray], settings: Serving
) -> Certificate:
    """Loads a SavedModel with TensorFlow alone, sends it the images, and compares.

    Args:
        saved_model: the folder.
        images: encoded canary images.
        expected: output name -> what the trained network answers for them.
        settings: how close the answers must be.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "answers.npz"
        complaint = _ask(saved_model, images, answers, settings.latency_queries)
        if complaint:
            return Certificate(False, (complaint,), len(images), None, settings.max_difference, {})
        facts = json.loads(Path(f"{answers}.json").read_text(encoding="utf-8"))
        with np.load(answers) as arrays:
            received = dict(arrays)
    complaints, largest = compare(received, expected, settings.max_difference)
    complaints += check_signatures(facts["signatures"])
    if facts["kerasvision_imported"]:
        complaints.append("loading it imported kerasvision")
    return Certificate(not complaints, tuple(complaints), len(images), largest, settings.max_difference, facts)


def compare(
    received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], allowed: float
) -> tuple[list[str], float]:
    """Complaints about outputs that differ, and the largest difference of a number.

    >>> compare({"scores": np.array([.5])}, {"scores": np.array([.75])}, 1e-5)
    (['scores differ by up to 0.25 (allowed: 1e-05)'], 0.25)
    """
    complaints, largest = [], 0.0
    for name, wanted in expected.items():
        got = received.get(name)
        if got is None or got.shape != wanted.shape:
            complaints.append(f"output {name}: shape {None if got is None else got.shape}, expected {wanted.shape}")
        elif wanted.dtype.kind == "f":
            # A NaN compares as different, whatever stands on the other side.
            difference = float(np.max(np.nan_to_num(np.abs(got - wanted), nan=np.inf, posinf=np.inf), initial=0.0))
            largest = max(largest, difference)
            if difference > allowed:
                complaints.append(f"{name} differ by up to {difference:.3g} (allowed: {allowed:g})")
        elif not np.array_equal(got.astype(str), np.char.decode(wanted.astype("S")) if wanted.dtype.kind == "O" else wanted):
            complaints.append(f"{name} differ")
    return complaints, largest


def check_signatures(signatures: Mapping[str, Mapping[str, Mapping[str, list]]]) -> list[str]:
    """Complaints about signatures that a server could not use: a name, a type, or a batch dimension that is fixed."""
    wanted = {BYTES_SIGNATURE: ("image_bytes", "string"), TENSOR_SIGNATURE: ("image", "float32")}
    complaints = []
    for name, (argument, dtype) in wanted.items():
        given = signatures.get(name, {}).get("inputs", {}).get(argument)
        if given is None:
            complaints.append(f"there is no signature {name}({argument})")
            continue
        if given[0] != dtype:
            complaints.append(f"{name}({argument}) takes {given[0]} instead of {dtype}")
        shapes = [given[1], *(shape for _, shape in signatures[name]["outputs"].values())]
        if any(not shape or shape[0] is not None for shape in shapes):
            complaints.append(f"{name} has a fixed batch dimension, so requests cannot be joined")
    return complaints


def _ask(saved_model: Path, images: Sequence[bytes], answers: Path, latency_queries: int) -> str:
    """Runs the probe; returns what went wrong, or nothing."""
    records = answers.with_suffix(".tfrecord")
    with tf.io.TFRecordWriter(str(records)) as writer:
        for image in images:
            writer.write(image)
    # -I: no user site, no PYTHONPATH, no current folder on the import path.
    command = [sys.executable, "-I", probe.__file__, str(saved_model), str(records), str(answers), str(latency_queries)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_TIMEOUT_SECONDS} seconds"
    if done.returncode:
        last = next(reversed(done.stderr.strip().splitlines()), "")
        return f"a fresh process with TensorFlow alone cannot use it (exit code {done.returncode}): {last}"
    return ""
