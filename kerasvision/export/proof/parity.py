"""The proof that a SavedModel answers as the trained network did: it gets the same images, as bytes, in a fresh process."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import tensorflow as tf

from kerasvision.config.experiment import Serving
from kerasvision.errors import ExportError
from kerasvision.export.proof import probe
from kerasvision.export.proof.container import ask_container, why_no_container
from kerasvision.export.proof.contract import check_contract
from kerasvision.export.proof.fresh_process import Request, take
from kerasvision.served.signatures import BYTES_SIGNATURE, VALID

# If two scores are equal except for rounding, their labels may swap places: in one of this many rows.
ROWS_PER_SWAPPED_TEXT = 500

Arrays = Mapping[str, np.ndarray]


class ProbeFindings(TypedDict):
    """What the probe writes to `found.json`.

    Attributes:
        tensorflow: its version.
        load_seconds, start_seconds: from the start of Python until the model was loaded, and until its first answer.
        batch_difference: largest difference of a number between batches of several sizes; None if a text or a shape differs.
        bad_row: what is wrong with the answer to bytes that are not an image; empty if nothing is.
        rest: form of the request -> the difference after conversion to JSON and back, or why it cannot be converted.
        latency_ms: p50, p95, p99 of single images.
        images_per_second: in batches of 32.
        memory_mb: the peak memory of the process.
        kerasvision_imported: whether the model imported it.
    """

    tensorflow: str
    load_seconds: float
    start_seconds: float
    batch_difference: float | None
    bad_row: str
    rest: dict[str, float | str | None]
    latency_ms: dict[str, float]
    images_per_second: float
    memory_mb: float
    kerasvision_imported: bool


@dataclass(frozen=True)
class Certificate:
    """The findings of a fresh process.

    Attributes:
        blessed: whether there are no complaints.
        complaints: every reason against serving it.
        examples: the number of canary images.
        max_difference: largest absolute difference of a number, trained network against SavedModel; None without answers.
        allowed_difference: the bound.
        facts: numbers that a gate may bound: `latency_p50_ms`, `latency_p95_ms`, `latency_p99_ms` (one image),
            `images_per_second` (batches of 32), `start_seconds` (from the start of Python to the first answer), `memory_mb`
            (peak of the process), `size_mb` (on disk), `max_difference`. Empty without answers.
        found: more findings: versions, signatures, and what each check measured.
    """

    blessed: bool
    complaints: tuple[str, ...]
    examples: int
    max_difference: float | None
    allowed_difference: float
    facts: dict[str, float] = field(default_factory=dict)
    found: dict[str, object] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes `certificate.json` and an empty file named after the verdict, as TFX does."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (folder / "certificate.json").write_text(text + "\n", encoding="utf-8")
        (folder / ("INFRA_BLESSED" if self.blessed else "INFRA_NOT_BLESSED")).touch()


def prove(
    saved_model: Path,
    *,
    images: Sequence[bytes],
    expected: Arrays,
    pixels: np.ndarray,
    settings: Serving,
) -> Certificate:
    """Checks a SavedModel's files, loads it with TensorFlow alone, sends it the images, and compares.

    Args:
        saved_model: the folder.
        images: encoded canary images.
        expected: output name -> the trained network's answers for them, an array of N rows.
        pixels: float32 (M, H, W, C) in [0, 255]: the first M of the images, decoded.
        settings: how close the answers must be.
    """
    complaints, signatures = check_contract(saved_model)
    allowed = settings.max_difference
    unproven = Certificate(False, tuple(complaints), len(images), None, allowed)
    if BYTES_SIGNATURE not in signatures:
        return unproven
    with tempfile.TemporaryDirectory() as scratch:
        failure = _ask(saved_model, images, pixels, Path(scratch), settings.latency_queries)
        if failure:
            return replace(unproven, complaints=(*complaints, failure))
        found, received = _read_answers(Path(scratch))
    differing, largest = _compare_answers(received, expected, pixels=len(pixels), allowed=allowed)
    container, differing_there = _in_a_container(saved_model, images, expected, settings)
    complaints += [*differing, *check_findings(found, allowed), *differing_there]
    facts = {**_facts(found, saved_model), "max_difference": largest}
    everything = {**found, "container": container, "signatures": signatures}
    return Certificate(not complaints, tuple(complaints), len(images), largest, allowed, facts, everything)


def compare_outputs(received: Arrays, expected: Arrays, allowed: float) -> tuple[list[str], float]:
    """Complaints about outputs that differ, and the largest difference of a number.

    Both are output name -> array (N, ...): float32 or float64 numbers, bool, or texts (string, or bytes as objects).

    >>> compare_outputs({"scores": np.array([.5])}, {"scores": np.array([.75])}, 1e-5)
    (['scores differ by up to 0.25 (allowed: 1e-05)'], 0.25)
    """
    complaints, largest = [], 0.0
    for name, wanted in expected.items():
        got = received.get(name)
        if got is None or got.shape != wanted.shape:
            complaints.append(f"output {name}: shape {None if got is None else got.shape}, expected {wanted.shape}")
        elif wanted.dtype.kind == "f":
            # A NaN counts as different, whatever the other value is.
            difference = float(np.max(np.nan_to_num(np.abs(got - wanted), nan=np.inf, posinf=np.inf), initial=0.0))
            largest = max(largest, difference)
            if difference > allowed:
                complaints.append(f"{name} differ by up to {difference:.3g} (allowed: {allowed:g})")
        else:
            differ = (got.astype(str) != probe.text(wanted)).reshape(len(wanted), -1).any(axis=1).sum()
            if differ > len(wanted) // ROWS_PER_SWAPPED_TEXT:
                complaints.append(f"{name} differ in {differ} of {len(wanted)} rows")
    return complaints, largest


def check_findings(found: ProbeFindings, allowed: float) -> list[str]:
    """Complaints about findings of the fresh process: batches, bad rows, JSON, and imports."""
    complaints = [found["bad_row"]] if found["bad_row"] else []
    gap = found["batch_difference"]
    if gap is None or gap > allowed:
        complaints.append(f"the answer to an image depends on the size of its batch (numbers differ by {gap})")
    for form, difference in found["rest"].items():
        if difference is None or isinstance(difference, str) or difference > allowed:
            complaints.append(f"REST with `{form}` does not preserve the answers: {difference}")
    if found["kerasvision_imported"]:
        complaints.append("loading the model imported kerasvision")
    return complaints


def _in_a_container(
    saved_model: Path, images: Sequence[bytes], expected: Arrays, settings: Serving
) -> tuple[str, list[str]]:
    """The outcome of the same images in TensorFlow Serving itself, and complaints."""
    missing = why_no_container(settings.container)
    if missing:
        return f"not asked: {missing}", []
    try:
        received = ask_container(saved_model, image=settings.container, images=images)
    except ExportError as error:
        return "failed", [f"in a container: {error}"]
    complaints, largest = compare_outputs(received, expected, settings.max_difference)
    return f"{settings.container} differs by {largest:.3g} at most", [f"in a container: {one}" for one in complaints]


def _read_answers(folder: Path) -> tuple[ProbeFindings, dict[str, Arrays]]:
    """The probe's findings, and the answers that it received for `bytes` and for `pixels`."""
    found: ProbeFindings = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return found, {file.stem: dict(np.load(file)) for file in folder.glob("*.npz")}


def _compare_answers(
    received: Mapping[str, Arrays], expected: Arrays, *, pixels: int, allowed: float
) -> tuple[list[str], float]:
    """Complaints about the answers to bytes and to pixels (fewer images), and the largest difference."""
    complaints, differences = [], []
    for name, answers in received.items():
        rows = slice(pixels if name == "pixels" else None)
        differing, largest = compare_outputs(answers, {key: all_[rows] for key, all_ in expected.items()}, allowed)
        complaints += [f"asked with {name}: {one}" for one in differing]
        differences.append(largest)
    images = len(next(iter(expected.values())))
    rejected = int((~received["bytes"].get(VALID, np.ones(images, bool))).sum())
    if rejected:
        complaints.append(f"{rejected} of {images} images were rejected as unreadable")
    return complaints, max(differences)


def _facts(found: ProbeFindings, saved_model: Path) -> dict[str, float]:
    size = sum(file.stat().st_size for file in saved_model.rglob("*") if file.is_file())
    return {
        **{f"latency_{name}_ms": value for name, value in found["latency_ms"].items()},
        "images_per_second": found["images_per_second"],
        "start_seconds": found["start_seconds"],
        "memory_mb": found["memory_mb"],
        "size_mb": size / 2**20,
    }


def _ask(saved_model: Path, images: Sequence[bytes], pixels: np.ndarray, answers: Path, latency_queries: int) -> str:
    """Runs the probe; returns what went wrong, or "" if nothing did."""
    with tempfile.TemporaryDirectory() as scratch:
        requests = Path(scratch)
        with tf.io.TFRecordWriter(str(requests / "images.tfrecord")) as writer:
            for image in images:
                writer.write(image)
        np.save(requests / "pixels.npy", pixels)
        # As a server expects it: a folder whose name is the version.
        version = requests / "model" / "1"
        version.parent.mkdir()
        version.symlink_to(saved_model.absolute(), target_is_directory=True)
        return take().ask(Request(str(version), str(requests), str(answers), latency_queries))
