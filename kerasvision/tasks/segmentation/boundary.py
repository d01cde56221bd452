"""How well the borders of classes agree: the boundary F1 of Csurka et al., 2013, https://doi.org/10.5244/C.27.32."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from kerasvision.config.example_parts import IGNORED
from kerasvision.tasks.segmentation.truth import Pixels

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def boundary_f1(truth: Pixels, answer: Pixels, *, count: int, tolerance: float) -> Floats:
    """For each class, float64 (K,): F1 of its border pixels; NaN if neither the truth nor the answer has a border of it.

    A border pixel has a neighbour of another class above, below, left or right of it. Pixels that the truth says nothing
    about are left out of both maps, except those that `between_known` fills. The side of the image is not a border.

    Args:
        truth, answer: uint8 (H, W), class numbers; 255 where nothing is known or answered.
        count: K.
        tolerance: how far an answered border pixel may be from a true one, as a share of the diagonal.

    >>> truth, answer = np.zeros((2, 8, 8), np.uint8)
    >>> truth[:, 4:], answer[:, 5:] = 1, 1  # the border is one pixel off
    >>> [boundary_f1(truth, answer, count=3, tolerance=share).tolist() for share in (0.05, 0.1)]
    [[0.0, 0.0, nan], [1.0, 1.0, nan]]
    """
    reach = tolerance * float(np.hypot(*truth.shape))
    truth = between_known(truth, reach=reach)
    answer = np.where(truth == IGNORED, IGNORED, answer)
    borders = [_by_class(pixels) for pixels in (truth, answer)]
    found = np.full(count, np.nan)
    for number in (borders[0].keys() | borders[1].keys()) - {IGNORED}:
        true, answered = (border.get(number, np.zeros((0, 2))) for border in borders)
        recall, precision = _near(true, answered, reach), _near(answered, true, reach)
        found[number] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return found


def between_known(truth: Pixels, *, reach: float) -> Pixels:
    """The true map, uint8 (H, W), in which narrow unknown bands between two classes are filled.

    Pascal VOC leaves a band around each object unknown. Without this, its objects would have no borders. An unknown pixel
    gets the nearest class if it is at most `reach` pixels away, and another class at most twice as far: a region inside one
    class stays unknown.

    >>> between_known(np.array([[1, 255, 255, 2, 255, 255, 255]], np.uint8), reach=1.0).tolist()
    [[1, 1, 2, 2, 255, 255, 255]]
    """
    unknown = truth == IGNORED
    classes = np.unique(truth[~unknown])
    if not unknown.any() or len(classes) < 2:
        return truth
    to_class = np.stack([distance_transform_edt(truth != number) for number in classes])
    first, second = np.sort(to_class, axis=0)[:2]
    filled = unknown & (first <= reach) & (second <= 2 * reach)
    found: Pixels = np.where(filled, classes[to_class.argmin(axis=0)], truth)
    return found


def _by_class(pixels: Pixels) -> dict[int, Floats]:
    """Class number -> the places of its border pixels, float64 (n, 2)."""
    places = np.argwhere(_is_border(pixels))
    classes = pixels[places[:, 0], places[:, 1]]
    return {int(number): places[classes == number].astype(np.float64) for number in np.unique(classes)}


def _is_border(pixels: Pixels) -> Bools:
    found = np.zeros(pixels.shape, bool)
    known = pixels != IGNORED
    for axis in (0, 1):
        before, after = (slice(None, -1), slice(1, None))
        one, other = (
            ((before, slice(None)), (after, slice(None))) if axis == 0 else ((slice(None), before), (slice(None), after))
        )
        differs = (pixels[one] != pixels[other]) & known[one] & known[other]
        found[one] |= differs
        found[other] |= differs
    return found


def _near(places: Floats, others: Floats, reach: float) -> float:
    """The share of places, (n, 2), with one of the others, (m, 2), within reach; 0 without any."""
    if not len(places) or not len(others):
        return 0.0
    # The bound of the search is exclusive.
    distances, _ = cKDTree(others).query(places, distance_upper_bound=np.nextafter(reach, np.inf))
    return float(np.isfinite(distances).mean())
