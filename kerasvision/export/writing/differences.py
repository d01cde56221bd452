"""How far the answers of two models differ: position by position, and in sets row by row.

A set is an output of corners with a row for each thing that was found, and other outputs that belong to these rows. Rounding
may swap two rows, or turn one decision about which rows are left. So the rows of two sets are first matched. Everything else
is compared position by position.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasvision.served.signatures import BYTES_SUFFIX

Arrays = Mapping[str, np.ndarray]
# An output of corners, (N, K, 4) -> the outputs that belong to its rows, (N, K, ...), as in `Task.sets`.
Sets = Mapping[str, Sequence[str]]
# (received, expected, how far a number may differ) -> output -> bool (N,), as `Task.also_right`.
AlsoRight = Callable[[Arrays, Arrays, float], Mapping[str, np.ndarray]]

# Rows of the same class are the same row if they share this much of the area that they cover together.
LEAST_OVERLAP = 0.99
# In one image of this many, rounding may decide otherwise: the order of two labels, or which rows are left.
IMAGES_PER_OTHER_DECISION = 500
# And in one of fewer images, but at least this many, if the answers are sets: each image takes many decisions.
LEAST_IMAGES = 50
# By how many steps of float32 rounding may change a number that has a unit: a converter may add the mean of a number as the
# first term of a sum, and each further term is then rounded to the steps of the mean.
ROUNDED_STEPS = 16


@dataclass(frozen=True)
class Aligned:
    """Answers of two models for N images, with the rows of each set in the same order.

    Attributes:
        received, wanted: output name -> array (N, ...). A row without a partner is blank in both: zeros or empty texts.
        unmatched: bool (N,), whether the sets of an image had such rows.
    """

    received: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]
    unmatched: np.ndarray


def aligned(received: Arrays, wanted: Arrays, sets: Sets, *, closeness: float) -> Aligned:
    """The received answers with the rows of each set in the order of the wanted ones.

    Rows match if their whole numbers are equal and their corners overlap by 0.99, or differ by `closeness` at most, which
    counts for rows with hardly any area. In the order of the wanted rows, each takes the free row that overlaps it most. A
    row of zeros and empty texts is empty. A set is left as it is if it lacks an output, or has one of another shape.

    Args:
        received, wanted: output name -> array (N, ...).
        sets: which outputs are sets.
        closeness: in the unit of the corners.

    >>> wanted = {"corners": np.array([[[0, 0, 1, 1], [2, 2, 3, 3.0]]]), "scores": np.array([[0.5, 0.25]])}
    >>> received = {"corners": np.array([[[2, 2, 3, 3], [0, 0, 1, 1.0]]]), "scores": np.array([[0.5, 0.125]])}
    >>> found = aligned(received, wanted, {"corners": ("scores",)}, closeness=1e-6)
    >>> found.received["scores"].tolist(), found.unmatched.tolist()
    ([[0.125, 0.5]], [False])
    """
    count = len(next(iter(wanted.values()), ()))
    made = Aligned(dict(received), dict(wanted), np.zeros(count, bool))
    for corners, others in sets.items():
        names = [name for name in (corners, *others) if name in wanted]
        if corners in names and all(name in received and received[name].shape == wanted[name].shape for name in names):
            partners, unmatched = _partners(received, wanted, corners, names, closeness)
            for name in names:
                taken = np.take_along_axis(received[name], _beside(np.maximum(partners, 0), received[name]), axis=1)
                made.received[name] = _blank_where(partners < 0, taken)
                made.wanted[name] = _blank_where(partners < 0, wanted[name])
            made.unmatched[:] |= unmatched
    return made


def allowed_images(count: int, *, sets: Sets) -> int:
    """The number of images, out of `count`, in which rounding may lead to another decision.

    >>> [allowed_images(count, sets={}) for count in (64, 499, 512, 1000)]
    [0, 0, 1, 2]
    >>> [allowed_images(count, sets={"corners": ()}) for count in (49, 64, 512, 1000)]
    [0, 1, 1, 2]
    """
    return max(count // IMAGES_PER_OTHER_DECISION, int(bool(sets) and count >= LEAST_IMAGES))


def gaps(received: np.ndarray, wanted: np.ndarray, *, unit: np.ndarray | None = None) -> np.ndarray:
    """Absolute differences of numbers of any shape; a NaN differs from every number, and from NaN, by infinity.

    Args:
        received, wanted: of one shape.
        unit: what the differences are divided by, of a shape that fits, above 0. Before, `ROUNDED_STEPS` steps between
            neighbouring numbers of float32 are subtracted: around 1,000,000 a step is 0.06. None: they are compared as they
            are.

    >>> gaps(np.array([[2e6, 2e6]]), np.array([[2e6 + 2, 2e6 + 3]]), unit=np.array([100.0])).tolist()  # steps of 0.125
    [[0.0, 0.01]]
    """
    apart = np.abs(received.astype(np.float64) - wanted)
    if unit is not None:
        apart = np.maximum(apart - ROUNDED_STEPS * np.spacing(np.abs(wanted).astype(np.float32)), 0.0) / unit
    found: np.ndarray = np.nan_to_num(apart, nan=np.inf, posinf=np.inf)
    return found


def excused_rows(also_right: AlsoRight, received: Arrays, wanted: Arrays, *, closeness: float) -> Mapping[str, np.ndarray]:
    """Output -> bool (N,), in which rows another decision is also right; empty if an output has no partner of its shape."""
    if any(name not in received or received[name].shape != array.shape for name, array in wanted.items()):
        return {}
    return also_right(_with_texts(received), _with_texts(wanted), closeness)


def without_excused(apart: np.ndarray, rows: np.ndarray | None, *, allowed: float) -> np.ndarray:
    """The differences (N, ...) of an output, with 0 in excused rows that have one above the allowed difference.

    >>> without_excused(np.array([[0.5, 0.01], [0.0, 0.01], [0.5, 0.0]]), np.array([1, 1, 0], bool), allowed=0.1).tolist()
    [[0.0, 0.0], [0.0, 0.01], [0.5, 0.0]]
    """
    found = apart.copy()
    if rows is not None:
        found[rows & (apart.reshape(len(apart), -1).max(axis=1, initial=0.0) > allowed)] = 0.0
    return found


def differing_rows(received: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool (N,): whether anything in a row of whole numbers, bool or texts is not equal. Texts may be bytes or string."""
    different: np.ndarray = np.not_equal(text(received), text(wanted)).reshape(len(wanted), -1).any(axis=1)
    return different


def text(array: np.ndarray) -> np.ndarray:
    """Bytes objects as string, of the same shape; everything else is unchanged."""
    # `astype(str)` would decode the bytes as ASCII.
    return np.char.decode(array.astype("S"), "utf-8") if array.dtype == object else array


def _with_texts(answers: Arrays) -> Arrays:
    """Texts as string; bytes that are a file stay bytes."""
    return {name: array if name.endswith(BYTES_SUFFIX) else text(array) for name, array in answers.items()}


def _partners(
    received: Arrays, wanted: Arrays, corners: str, names: Sequence[str], closeness: float
) -> tuple[np.ndarray, np.ndarray]:
    """int (N, K), the received row of each wanted row, or -1; bool (N,), whether any row of either has no partner."""
    is_given, is_wanted = (_given([answers[name] for name in names]) for answers in (received, wanted))
    whole = [name for name in names if wanted[name].dtype.kind in "iu"]
    partners = np.full(is_wanted.shape, -1)
    for image in np.flatnonzero(is_given.any(axis=1) & is_wanted.any(axis=1)):
        fits = _overlaps(received[corners][image], wanted[corners][image], closeness)
        fits *= is_given[image] & is_wanted[image][:, np.newaxis]
        for name in whole:
            fits *= received[name][image] == wanted[name][image][:, np.newaxis]
        for row in np.flatnonzero(fits.any(axis=1)):
            best = int(fits[row].argmax())
            if fits[row, best] > 0:
                partners[image, row] = best
                fits[:, best] = 0
    matched = (partners >= 0).sum(axis=1)
    return partners, (is_given.sum(axis=1) > matched) | (is_wanted.sum(axis=1) > matched)


def _overlaps(received: np.ndarray, wanted: np.ndarray, closeness: float) -> np.ndarray:
    """float64 (K of wanted, K of received): the shared area over the joint area; 0 where that is too little for a match."""
    one, other = wanted[:, np.newaxis].astype(np.float64), received[np.newaxis].astype(np.float64)
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    joint = sum(np.prod(np.maximum(rows[..., 2:] - rows[..., :2], 0), axis=-1) for rows in (one, other)) - shared
    overlap = np.divide(shared, joint, out=np.zeros_like(shared), where=joint > 0)
    apart = np.abs(one - other).max(axis=-1)
    # Never 0 for a match. NaN is neither close nor an overlap.
    return np.where(apart <= closeness, np.maximum(overlap, 1e-9), np.where(overlap >= LEAST_OVERLAP, overlap, 0.0))


def _given(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """bool (N, K): whether a row of any output is other than zeros and empty texts."""
    filled = [(text(array) != text(array).dtype.type()).reshape(*array.shape[:2], -1).any(axis=2) for array in arrays]
    given: np.ndarray = np.logical_or.reduce(filled)
    return given


def _beside(rows: np.ndarray, array: np.ndarray) -> np.ndarray:
    """(N, K) with axes of length 1 in addition, as many as the array has after its second axis."""
    return rows.reshape(*rows.shape, *(1,) * (array.ndim - 2))


def _blank_where(where: np.ndarray, array: np.ndarray) -> np.ndarray:
    return np.where(_beside(where, array), b"" if array.dtype == object else array.dtype.type(), array)
