"""Checks whether a caption is true of a scene of shapes, by parsing the sentences of `shape_captions`."""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from kerasvision.data.captions import words_in
from kerasvision.data.sources.shape_captions import NUMBERS, plural, position_of, relation_of
from kerasvision.data.sources.shape_outlines import OUTLINES
from kerasvision.data.sources.shape_scenes import COLOURS, GROUNDS, SIZES, Scene, Shape


def is_true(caption: str, scene: Scene) -> bool:
    """Whether a caption is true of the scene. A caption outside the scenes' grammar is not true.

    Capitals, punctuation and the order of listed shapes do not matter. A size may be left out. Words have the same meaning
    as in `shape_captions`: "left of" means that the centres are farther apart across than down.

    >>> from kerasvision.config.sources import Shapes
    >>> from kerasvision.data.sources.shape_scenes import make_scene
    >>> scene = make_scene(Shapes(max_objects=1), 3)
    >>> is_true("a medium-sized orange star on a light background", scene), is_true("A star!", scene)
    (True, False)
    """
    sentence = " ".join(words_in(caption))
    if _WRONG_ARTICLE.search(sentence):
        return False
    readings = ((pattern.fullmatch(sentence), holds) for pattern, holds in _SENTENCES.items())
    return any(match is not None and holds(scene, *match.groups()) for match, holds in readings)


def shape_called(scene: Scene, phrase: str) -> Shape | None:
    """The shape of the scene that "a small red star" or "a red star" means, or None.

    Two shapes of a scene never have the same colour.
    """
    *size, colour, name = phrase.split()[1:]
    for shape in scene.shapes:
        if (shape.colour, shape.name) == (colour, name) and size in ([], [shape.size]):
            return shape
    return None


def _holds_one_on(scene: Scene, phrase: str, ground: str) -> bool:
    return shape_called(scene, phrase) is not None and scene.ground == ground


def _holds_one_at(scene: Scene, phrase: str, position: str) -> bool:
    shape = shape_called(scene, phrase)
    return shape is not None and position_of(shape, scene.pixels.shape) == position


def _largest_is(scene: Scene, phrase: str) -> bool:
    return shape_called(scene, phrase) is scene.shapes[0]


def _is_only(scene: Scene, phrase: str) -> bool:
    return len(scene.shapes) == 1 and _largest_is(scene, phrase)


def _lie_so(scene: Scene, phrase: str, relation: str, other: str) -> bool:
    one, two = shape_called(scene, phrase), shape_called(scene, other)
    return one is not None and two is not None and relation_of(one, two, scene.pixels.shape) == relation


def _are_all(scene: Scene, number: str, listed: str) -> bool:
    meant = [shape_called(scene, phrase) for phrase in re.findall(_SHAPE, listed)]
    each_once = all(sum(shape is found for found in meant) == 1 for shape in scene.shapes)
    return number == NUMBERS[len(scene.shapes)] and each_once and len(meant) == len(scene.shapes)


def _are_so_many(scene: Scene, counted: str, ground: str) -> bool:
    counts = Counter(shape.name for shape in scene.shapes)
    stated = sorted(re.findall(_COUNT, counted))
    return stated == sorted(_count(name, count) for name, count in counts.items()) and scene.ground == ground


def _count(name: str, count: int) -> str:
    """
    >>> _count("cross", 2), _count("star", 1)
    ('two crosses', 'one star')
    """
    return f"{NUMBERS[count]} {name if count == 1 else plural(name)}"


def _either(*choices: str) -> str:
    return f"(?:{'|'.join(choices)})"


def _several(part: str) -> str:
    """One part or more; `words_in` has removed the commas."""
    return rf"({part}(?:(?: and)? {part})*)"


_WRONG_ARTICLE = re.compile(r"\ba [aeiou]|\ban [^aeiou]")
_SHAPE = rf"an? (?:{_either(*SIZES)} )?{_either(*COLOURS)} {_either(*OUTLINES)}\b"
_COUNT = rf"{_either(*NUMBERS)} {_either(*map(plural, OUTLINES), *OUTLINES)}\b"
_GROUND = f"({_either(*GROUNDS)})"
_POSITION = r"(in the middle|(?:at|on) the \w+|in the \w+ \w+ corner)"

# Sentence -> the condition on the scene and on the parts in brackets.
_HOLDS: Mapping[str, Callable[..., bool]] = {
    rf"({_SHAPE}) on a {_GROUND} background": _holds_one_on,
    rf"({_SHAPE}) {_POSITION}": _holds_one_at,
    rf"the largest shape is ({_SHAPE})": _largest_is,
    rf"(?:there is only|a picture of) ({_SHAPE})": _is_only,
    rf"(?:there is )?({_SHAPE}) (left of|right of|above|below) ({_SHAPE})": _lie_so,
    rf"({_either(*NUMBERS)}) shapes {_several(_SHAPE)}": _are_all,
    rf"{_several(_COUNT)} on a {_GROUND} background": _are_so_many,
}
_SENTENCES = {re.compile(sentence): holds for sentence, holds in _HOLDS.items()}
