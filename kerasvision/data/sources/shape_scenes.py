"""One scene of shapes, drawn from a seed and a number: the same every time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kerasvision.config.sources import Shapes
from kerasvision.data.sources.shape_outlines import shape_patch

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (225, 40, 40),
    "orange": (250, 145, 20),
    "yellow": (250, 225, 50),
    "green": (40, 175, 70),
    "turquoise": (50, 210, 205),
    "blue": (50, 85, 225),
    "purple": (145, 55, 190),
    "pink": (255, 135, 190),
}

# The radius of the circle around a shape, as a share of the picture's shorter side: from, to. The gaps between the ranges
# make the sizes visibly different. The largest shape has one of the first two sizes; all others have a smaller size.
SIZES: Mapping[str, tuple[float, float]] = {"large": (0.28, 0.36), "medium-sized": (0.17, 0.20), "small": (0.10, 0.12)}

SMALLER: Mapping[str, tuple[str, ...]] = {"large": ("medium-sized", "small"), "medium-sized": ("small",)}

# The mean grey of the ground, before its tint and texture: from, to.
GROUNDS: Mapping[str, tuple[int, int]] = {"dark": (45, 95), "light": (150, 205)}

MOST_TURN = np.pi / 12  # 15 degrees, so that a square does not look like a diamond
LEAST_VISIBLE = 0.6  # of each shape's pixels
TRIES = 12  # places to try before a shape is left out

# Approximately in [-1, 1].
Texture = NDArray[np.floating[Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape in a scene.

    Attributes:
        name, colour, size: the words for it.
        visible: bool (H, W), its pixels that no other shape covers.
    """

    name: str
    colour: str
    size: str
    visible: NDArray[np.bool_]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """y_min, x_min, y_max, x_max of its visible pixels, in pixels, the last two exclusive."""
        rows, columns = np.flatnonzero(self.visible.any(axis=1)), np.flatnonzero(self.visible.any(axis=0))
        return float(rows[0]), float(columns[0]), float(rows[-1] + 1), float(columns[-1] + 1)

    @property
    def area(self) -> float:
        """How many pixels are visible."""
        return float(self.visible.sum())


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and what is in it.

    Attributes:
        pixels: uint8 (H, W, 3).
        shapes: the largest first, each in front of those before it.
        ground: "dark" or "light".
    """

    pixels: NDArray[np.uint8]
    shapes: tuple[Shape, ...]
    ground: str


class Draws:
    """The random numbers of one scene. All come from `random`, NumPy's simplest method."""

    def __init__(self, *seeds: int) -> None:
        self._random = np.random.default_rng(seeds).random

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()

    def below(self, count: int) -> int:
        return int(self._random() * count)

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def grid(self, height: int, width: int) -> Texture:
        """float32 (height, width) in [-1, 1)."""
        return 2 * self._random((height, width), np.float32) - 1


# A scene is used for its picture and then for each of its masks.
@lru_cache(maxsize=16)
def make_scene(settings: Shapes, number: int) -> Scene:
    """Scene `number` of the seed. It depends only on these two, the size and the classes.

    >>> scene = make_scene(Shapes(), 3)
    >>> scene.shapes[0].name, scene.pixels.shape
    ('star', (64, 64, 3))
    """
    draws = Draws(settings.seed, number)
    ground = draws.one_of(("dark", "light"))
    pixels = make_ground(draws, settings.image_size, ground)
    canvas = _Canvas(settings.image_size)
    largest = draws.one_of(("large", "medium-sized"))
    words: list[tuple[str, str, str]] = []
    used: set[str] = set()
    for turn in range(1 + draws.below(settings.max_objects)):
        # The classes take turns as the largest shape.
        name = settings.classes[number % len(settings.classes)] if turn == 0 else draws.one_of(settings.classes)
        size = largest if turn == 0 else draws.one_of(SMALLER[largest])
        colour, shade = draws.one_of([word for word in COLOURS if word not in used]), draws.between(0.85, 1)
        if canvas.place(name, size, draws):
            pixels[canvas.owner == len(words)] = np.multiply(COLOURS[colour], shade)
            words.append((name, colour, size))
            used.add(colour)
    shapes = tuple(Shape(*description, canvas.owner == index) for index, description in enumerate(words))
    return Scene(pixels, shapes, ground)


class _Canvas:
    """Which shape each pixel shows."""

    def __init__(self, image_size: tuple[int, int]) -> None:
        self.owner = np.full(image_size, -1, np.int8)
        self._areas: list[int] = []

    def place(self, name: str, size: str, draws: Draws) -> bool:
        """Puts a shape in front of the others, if all stay visible enough and the first stays the largest.

        Returns whether it found a place.
        """
        height, width = self.owner.shape
        radius = draws.between(*SIZES[size]) * min(height, width)
        patch = shape_patch(name, radius=radius, turn=draws.between(-MOST_TURN, MOST_TURN))
        reach = len(patch) // 2
        visible = self._pixels_of(self.owner)
        for _ in range(TRIES):
            y, x = draws.below(height - 2 * reach), draws.below(width - 2 * reach)
            window = self.owner[y : y + len(patch), x : x + len(patch)]
            left = visible - self._pixels_of(window[patch])
            if (left >= np.multiply(LEAST_VISIBLE, self._areas)).all() and self._first_is_largest([*left, patch.sum()]):
                window[patch] = len(self._areas)
                self._areas.append(int(patch.sum()))
                return True
        return False

    @staticmethod
    def _first_is_largest(areas: Sequence[int]) -> bool:
        return all(area < areas[0] for area in areas[1:])

    def _pixels_of(self, owner: NDArray[np.int8]) -> NDArray[np.int64]:
        return np.bincount(owner.ravel() + 1, minlength=len(self._areas) + 1)[1:]


def make_ground(draws: Draws, image_size: tuple[int, int], brightness: str) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): blotches, stripes, checks or grain in a dull colour, so that every shape stands out."""
    height, width = image_size
    texture = draws.one_of((_blotches, _stripes, _checks, _plain))(draws, height, width)
    base = draws.between(*GROUNDS[brightness]) + np.array([draws.between(-12, 12) for _ in range(3)], np.float32)
    grey = draws.between(8, 22) * texture + 5 * draws.grid(height, width)
    return (base + grey[:, :, None]).astype(np.uint8)


def _blotches(draws: Draws, height: int, width: int) -> Texture:
    cells = 3 + draws.below(6)
    return _stretch(height, cells) @ draws.grid(cells, cells) @ _stretch(width, cells).T


def _stripes(draws: Draws, height: int, width: int) -> Texture:
    angle, waves = draws.between(0, np.pi), draws.between(3, 9) * 2 * np.pi / min(height, width)
    start = draws.between(0, 2 * np.pi)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    stripes: Texture = np.sin(start + waves * (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]))
    return stripes


def _checks(draws: Draws, height: int, width: int) -> Texture:
    cell = max(3, int(draws.between(0.08, 0.2) * min(height, width)))
    return np.where((np.arange(height)[:, None] // cell + np.arange(width)[None, :] // cell) % 2, 0.6, -0.6)


def _plain(draws: Draws, height: int, width: int) -> Texture:
    return np.zeros((height, width), np.float32)


@lru_cache(maxsize=64)
def _stretch(size: int, cells: int) -> NDArray[np.float32]:
    """float32 (size, cells): weights for linear interpolation between the cells."""
    place = np.linspace(0, cells - 1, size, dtype=np.float32)
    weights: NDArray[np.float32] = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells, dtype=np.float32)))
    return weights
