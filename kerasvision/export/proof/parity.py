"""The proof that a SavedModel answers as the trained network did: it gets the same images, as bytes, in a fresh process."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypedDict

import numpy as np
import tensorflow as tf

from kerasvision.config.experiment import Serving
from kerasvision.errors import ExportError
from kerasvision.export.proof.container import ask_container, why_no_container
from kerasvision.export.proof.contract import check_contract
from kerasvision.export.proof.fresh_process import Request, take
from kerasvision.export.proof.pictures import without_rounded_steps
from kerasvision.export.proof.probe import BATCH_SIZES, unsent
from kerasvision.export.writing.class_maps import Maps, is_binary, without_other_pixels
from kerasvision.export.writing.differences import (
    AlsoRight,
    Arrays,
    Sets,
    aligned,
    allowed_images,
    differing_rows,
    excused_rows,
    gaps,
    without_excused,
)
from kerasvision.served.signatures import BYTES_INPUT, BYTES_SIGNATURE, BYTES_SUFFIX, VALID

# Names of outputs that are PNG files of colours, in which rounding may change a value by one.
PICTURE_SUFFIX = "_png_bytes"


class ProbeFindings(TypedDict):
    """What the probe writes to `found.json`.

    Attributes:
        tensorflow: its version.
        load_seconds, start_seconds: from the start of Python until the model was loaded, and until its first answer.
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
    bad_row: str
    rest: dict[str, float | str | None]
    latency_ms: dict[str, float]
    images_per_second: float
    memory_mb: float
    kerasvision_imported: bool


class Kinds(TypedDict):
    """Which outputs are compared in a way of their own: keywords of `compare_outputs`."""

    sets: Sets
    maps: Maps
    units: Arrays
    pictures: frozenset[str]
    also_right: AlsoRight


@dataclass(frozen=True)
class Expected:
    """The trained network's answers: output name -> array of N rows.

    Attributes:
        of_bytes: for all images, as `serving_default` must give them.
        of_pixels: for the first images, as `serve_tensor` must give them.
        further: signature -> for the first images, if it takes nothing but encoded images. All but sets is compared position
            by position.
        made: signature that takes no images -> (the inputs, the answers for them), of N rows each.
        sets: which outputs of these three are sets, as in `Task.sets`.
        maps: which of the first two are maps of classes, as in `Task.maps`.
        units: what differences of their numbers are divided by, as in `Task.units`.
        pictures: which outputs of all signatures are pictures, as in `Task.pictures`.
        also_right: in which rows another decision is also right, as `Task.also_right`.
    """

    of_bytes: Arrays
    of_pixels: Arrays
    further: Mapping[str, Arrays] = field(default_factory=dict)
    made: Mapping[str, tuple[Arrays, Arrays]] = field(default_factory=dict)
    sets: Sets = field(default_factory=dict)
    maps: Maps = field(default_factory=dict)
    units: Arrays = field(default_factory=dict)
    pictures: frozenset[str] = frozenset()
    also_right: AlsoRight = lambda received, expected, closeness: {}

    @property
    def kinds(self) -> Kinds:
        """How the outputs of the first two are compared."""
        return {
            "sets": self.sets,
            "maps": self.maps,
            "units": self.units,
            "pictures": self.pictures,
            "also_right": self.also_right,
        }


@dataclass(frozen=True)
class Received:
    """What the fresh process answered, with the names of `Expected`; what it found; the answers by size of the batches."""

    found: ProbeFindings
    of_bytes: Arrays
    of_pixels: Arrays | None
    further: Mapping[str, Arrays]
    made: Mapping[str, Arrays]
    made_alone: Mapping[str, Arrays]
    by_batch_size: Sequence[Arrays]


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
    expected: Expected,
    pixels: np.ndarray,
    settings: Serving,
) -> Certificate:
    """Checks a SavedModel's files, loads it with TensorFlow alone, sends it the images, and compares.

    Args:
        saved_model: the folder.
        images: encoded canary images.
        expected: the trained network's answers for them.
        pixels: float32 (M, H, W, C) in [0, 255]: the first M of the images, decoded.
        settings: how close the answers must be.
    """
    complaints, signatures = check_contract(saved_model)
    allowed = settings.max_difference
    unproven = Certificate(False, tuple(complaints), len(images), None, allowed)
    if BYTES_SIGNATURE not in signatures:
        return unproven
    with tempfile.TemporaryDirectory() as scratch:
        failure = _ask(saved_model, images, pixels, expected.made, Path(scratch), settings.latency_queries)
        if failure:
            return replace(unproven, complaints=(*complaints, failure))
        received = _read_answers(Path(scratch))
    differing, largest = _compare_answers(received, expected, allowed=allowed)
    by_batch_size = _compare_batches(received.by_batch_size, expected, allowed)
    container, differing_there = _in_a_container(saved_model, images, expected, settings)
    complaints += [*differing, *by_batch_size.complaints, *check_findings(received.found, allowed), *differing_there]
    facts = {**_facts(received.found, saved_model), "max_difference": largest}
    measured = {"batch_difference": by_batch_size.largest, "container": container, "signatures": signatures}
    return Certificate(
        not complaints, tuple(complaints), len(images), largest, allowed, facts, {**received.found, **measured}
    )


class Comparison(NamedTuple):
    """Complaints about outputs that differ, and the largest difference of a number."""

    complaints: list[str]
    largest: float


def compare_outputs(
    received: Arrays,
    expected: Arrays,
    allowed: float,
    *,
    sets: Sets = MappingProxyType({}),
    maps: Maps = MappingProxyType({}),
    units: Arrays = MappingProxyType({}),
    pictures: frozenset[str] = frozenset(),
    also_right: AlsoRight = lambda received, expected, closeness: {},
) -> Comparison:
    """Compares outputs position by position, and the rows of sets after they were matched.

    Args:
        received, expected: output name -> array (N, ...): numbers, bool, or texts (string, or bytes as objects).
        allowed: the largest difference of a number that is not whole, and the largest share of pixels with another class.
        sets: which outputs are sets, as in `Task.sets`.
        maps: which outputs are maps of classes, as in `Task.maps`.
        units: what differences of numbers are divided by, as in `Task.units`.
        pictures: which outputs are pictures, as in `Task.pictures`.
        also_right: in which rows another decision is also right, as `Task.also_right`; these may differ.

    >>> compare_outputs({"scores": np.array([.5])}, {"scores": np.array([.75])}, 1e-5)
    Comparison(complaints=['scores differ by up to 0.25 (allowed: 1e-05)'], largest=0.25)
    """
    received = without_rounded_steps(received, expected, pictures)
    compared = without_other_pixels(received, expected, maps)
    complaints = [
        f"{name}: {share:.3%} of the pixels have another class (allowed: {allowed:.3%})"
        for name, share in compared.other_pixels.items()
        if share > allowed
    ]
    largest = max(compared.other_pixels.values(), default=0.0)
    made = aligned(compared.received, compared.wanted, sets, closeness=allowed)
    count = len(made.unmatched)
    most, unmatched = allowed_images(count, sets=sets), int(made.unmatched.sum())
    if unmatched > most:
        complaints.append(f"{', '.join(sets)}: rows are missing or added in {unmatched} of {count} images")
    excused = excused_rows(also_right, received, expected, closeness=allowed)
    for name, wanted in made.wanted.items():
        got = made.received.get(name)
        if got is None or got.shape != wanted.shape:
            complaints.append(f"output {name}: shape {None if got is None else got.shape}, expected {wanted.shape}")
        elif name.endswith(PICTURE_SUFFIX) and is_binary(name, wanted):
            steps = most_steps(got, wanted)
            if steps > 1:
                complaints.append(f"{name}: a value of a picture differs by {steps:g} of 255 (allowed: 1, for rounding)")
        elif wanted.dtype.kind == "f":
            apart = without_excused(gaps(got, wanted, unit=units.get(name)), excused.get(name), allowed=allowed)
            difference = float(np.max(apart, initial=0.0))
            largest = max(largest, difference)
            if difference > allowed:
                complaints.append(f"{name} differ by up to {difference:.3g} (allowed: {allowed:g})")
        # What has other rows has another number of them: that was counted above.
        elif (differ := (_differing(name, got, wanted) & ~(made.unmatched | excused.get(name, False))).sum()) > most:
            complaints.append(f"{name} differ in {differ} of {count} rows")
    return Comparison(complaints, largest)


def most_steps(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference of a value of two pictures in [0, 255]; infinite if their sizes differ.

    Args:
        got, wanted: object (N,) with a PNG file, or empty bytes, in each row.
    """
    largest = 0.0
    for one, other in zip(got, wanted, strict=True):
        if one == other:
            continue
        first, second = (tf.io.decode_png(file).numpy().astype(np.float64) if file else np.zeros(0) for file in (one, other))
        largest = max(largest, np.abs(first - second).max() if first.shape == second.shape else np.inf)
    return float(largest)


def _differing(name: str, got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool (N,): whether a row of whole numbers, bool, texts or bytes is not equal."""
    if is_binary(name, wanted):
        return np.array([one != other for one, other in zip(got, wanted, strict=True)], bool)
    return differing_rows(got, wanted)


def check_findings(found: ProbeFindings, allowed: float) -> list[str]:
    """Complaints about findings of the fresh process: bad rows, JSON, and imports."""
    complaints = [found["bad_row"]] if found["bad_row"] else []
    for form, difference in found["rest"].items():
        if difference is None or isinstance(difference, str) or difference > allowed:
            complaints.append(f"REST with `{form}` does not preserve the answers: {difference}")
    if found["kerasvision_imported"]:
        complaints.append("loading the model imported kerasvision")
    return complaints


def _compare_batches(by_size: Sequence[Arrays], expected: Expected, allowed: float) -> Comparison:
    """Compares the answers to the same images in batches of several sizes."""
    first, *others = by_size
    compared = [compare_outputs(other, first, allowed, **expected.kinds) for other in others]
    said = [
        f"the answer to an image depends on the size of its batch: {one}" for each in compared for one in each.complaints
    ]
    return Comparison(list(dict.fromkeys(said)), max(each.largest for each in compared))


def _in_a_container(
    saved_model: Path, images: Sequence[bytes], expected: Expected, settings: Serving
) -> tuple[str, list[str]]:
    """The outcome of the same images in TensorFlow Serving itself, and complaints."""
    missing = why_no_container(settings.container)
    if missing:
        return f"not asked: {missing}", []
    try:
        received = ask_container(saved_model, image=settings.container, images=images)
    except ExportError as error:
        return "failed", [f"in a container: {error}"]
    complaints, largest = compare_outputs(received, expected.of_bytes, settings.max_difference, **expected.kinds)
    return f"{settings.container} differs by {largest:.3g} at most", [f"in a container: {one}" for one in complaints]


def _read_answers(folder: Path) -> Received:
    found: ProbeFindings = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    pixels = folder / "pixels.npz"
    return Received(
        found=found,
        of_bytes=_read(folder / "bytes.npz"),
        of_pixels=_read(pixels) if pixels.exists() else None,
        further={file.stem: _read(file) for file in folder.glob("further/*.npz")},
        made={file.stem: _read(file) for file in folder.glob("made/*.npz")},
        made_alone={file.stem: _read(file) for file in folder.glob("made_alone/*.npz")},
        by_batch_size=[_read(folder / "batches" / f"{size}.npz") for size in BATCH_SIZES],
    )


def _read(file: Path) -> Arrays:
    """The arrays that the probe saved, with bytes objects where it saved base64."""
    return {name: unsent(value) if name.endswith(BYTES_SUFFIX) else value for name, value in np.load(file).items()}


def _compare_answers(received: Received, expected: Expected, *, allowed: float) -> Comparison:
    """Compares the answers to bytes, to pixels, and of further signatures."""
    compared = {"bytes": compare_outputs(received.of_bytes, expected.of_bytes, allowed, **expected.kinds)}
    if received.of_pixels is not None:
        compared["pixels"] = compare_outputs(received.of_pixels, expected.of_pixels, allowed, **expected.kinds)
    compared |= {
        name: compare_outputs(got, expected.further[name], allowed, sets=expected.sets, pictures=expected.pictures)
        for name, got in received.further.items()
        if name in expected.further
    }
    for way, got in {"": received.made, " row by row": received.made_alone}.items():
        compared |= {
            f"{name}{way}": compare_outputs(got[name], wanted, allowed)
            for name, (_, wanted) in expected.made.items()
            if name in got
        }
    complaints = [f"asked with {name}: {one}" for name, each in compared.items() for one in each.complaints]
    complaints += [f"there is no signature {name}" for name in sorted(set(expected.made) - set(received.made))]
    missing = sorted(set(expected.further) - set(received.further))
    complaints += [f"there is no signature {name}({BYTES_INPUT})" for name in missing]
    images = len(next(iter(expected.of_bytes.values())))
    rejected = int((~received.of_bytes.get(VALID, np.ones(images, bool))).sum())
    if rejected:
        complaints.append(f"{rejected} of {images} images were rejected as unreadable")
    return Comparison(complaints, max(each.largest for each in compared.values()))


def _facts(found: ProbeFindings, saved_model: Path) -> dict[str, float]:
    size = sum(file.stat().st_size for file in saved_model.rglob("*") if file.is_file())
    return {
        **{f"latency_{name}_ms": value for name, value in found["latency_ms"].items()},
        "images_per_second": found["images_per_second"],
        "start_seconds": found["start_seconds"],
        "memory_mb": found["memory_mb"],
        "size_mb": size / 2**20,
    }


def _ask(
    saved_model: Path,
    images: Sequence[bytes],
    pixels: np.ndarray,
    made: Mapping[str, tuple[Arrays, Arrays]],
    answers: Path,
    latency_queries: int,
) -> str:
    """Runs the probe; returns what went wrong, or "" if nothing did."""
    with tempfile.TemporaryDirectory() as scratch:
        requests = Path(scratch)
        with tf.io.TFRecordWriter(str(requests / "images.tfrecord")) as writer:
            for image in images:
                writer.write(image)
        np.save(requests / "pixels.npy", pixels)
        for name, (inputs, _) in made.items():
            (requests / "made").mkdir(exist_ok=True)
            np.savez(requests / "made" / f"{name}.npz", allow_pickle=False, **inputs)
        # As a server expects it: a folder whose name is the version.
        version = requests / "model" / "1"
        version.parent.mkdir()
        version.symlink_to(saved_model.absolute(), target_is_directory=True)
        return take().ask(Request(str(version), str(requests), str(answers), latency_queries))
