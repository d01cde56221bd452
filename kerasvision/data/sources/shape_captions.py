"""Captions for a scene of shapes, in plain English; each sentence is true of the picture."""

from collections import Counter
from collections.abc import Iterator, Sequence

from kerasvision.data.sources.shape_scenes import Draws, Scene, Shape

MOST_CAPTIONS = 5

# The centres of two shapes must be this far apart, as a share of the picture's side, to be called left of or above.
CLEAR = 0.15

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
_ROWS, _COLUMNS = ("upper", "", "lower"), ("left", "", "right")


def captions_of(scene: Scene, draws: Draws) -> tuple[str, ...]:
    """One to five different sentences, without a full stop; the draws choose them."""
    sentences = list(dict.fromkeys(_sentences(scene, draws)))
    chosen = []
    for _ in range(min(len(sentences), 1 + draws.below(MOST_CAPTIONS))):
        chosen.append(sentences.pop(draws.below(len(sentences))))
    return tuple(chosen)


def _sentences(scene: Scene, draws: Draws) -> Iterator[str]:
    shapes = scene.shapes
    first = shapes[0]
    yield f"{_full(first)} on a {scene.ground} background"
    yield f"{_article(f'{first.colour} {first.name}')} {position_of(first, scene.pixels.shape)}"
    yield f"the largest shape is {_article(f'{first.colour} {first.name}')}"
    if len(shapes) == 1:
        yield f"there is only {_full(first)}"
        yield f"a picture of {_full(first)}"
        return
    other = draws.one_of(shapes[1:])
    for one, two in ((first, other), (other, first)):
        if relation := relation_of(one, two, scene.pixels.shape):
            yield f"{_full(one)} {relation} {_full(two)}"
            yield f"there is {_article(f'{one.colour} {one.name}')} {relation} {_article(f'{two.colour} {two.name}')}"
    yield f"{NUMBERS[len(shapes)]} shapes: {_listed([_full(shape) for shape in shapes])}"
    yield _counted([shape.name for shape in shapes], f"on a {scene.ground} background")


def _full(shape: Shape) -> str:
    return _article(f"{shape.size} {shape.colour} {shape.name}")


def _article(words: str) -> str:
    """
    >>> _article("orange star"), _article("red ring")
    ('an orange star', 'a red ring')
    """
    return ("an " if words[0] in "aeiou" else "a ") + words


def _listed(parts: Sequence[str]) -> str:
    """
    >>> _listed(["a ring", "a star", "a heart"])
    'a ring, a star and a heart'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _counted(names: Sequence[str], ending: str) -> str:
    """
    >>> _counted(["cross", "star", "cross"], "on a dark background")
    'two crosses and one star on a dark background'
    """
    counts = Counter(names)
    parts = [f"{NUMBERS[count]} {name if count == 1 else plural(name)}" for name, count in counts.items()]
    return f"{_listed(parts)} {ending}"


def plural(name: str) -> str:
    """
    >>> plural("star"), plural("cross")
    ('stars', 'crosses')
    """
    return name + ("es" if name.endswith("s") else "s")


def _middle(shape: Shape) -> tuple[float, float]:
    y_min, x_min, y_max, x_max = shape.box
    return (y_min + y_max) / 2, (x_min + x_max) / 2


def position_of(shape: Shape, size: Sequence[int]) -> str:
    """By thirds of the picture: "in the middle", "at the left edge", "in the upper right corner"."""
    row, column = (min(2, int(3 * place / side)) for place, side in zip(_middle(shape), size, strict=False))
    vertical, horizontal = _ROWS[row], _COLUMNS[column]
    if vertical and horizontal:
        return f"in the {vertical} {horizontal} corner"
    if horizontal:
        return f"on the {horizontal}"
    return {"upper": "at the top", "lower": "at the bottom", "": "in the middle"}[vertical]


def relation_of(one: Shape, two: Shape, size: Sequence[int]) -> str:
    """The position of the first relative to the second, along the axis on which they are farther apart; "" if unclear."""
    down, right = ((mine - other) / side for mine, other, side in zip(_middle(one), _middle(two), size, strict=False))
    if max(abs(down), abs(right)) < CLEAR:
        return ""
    if abs(right) >= abs(down):
        return "right of" if right > 0 else "left of"
    return "below" if down > 0 else "above"
