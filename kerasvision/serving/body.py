"""Parses the JSON object in a request's body: counts it first, and then parses it in pieces.

`json.loads` holds Python's global lock until it is done: for 10 MB that is about a second, in which no other request is
answered. So NumPy, which releases the lock, first scans the text: its depth, its number of keys and values, and where to cut
it. Then each piece is parsed separately, which takes milliseconds, and joined to the ones before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasvision.serving.headers import image_format
from kerasvision.serving.limits import Limits, Refused

EXAMPLE = '{"instances": [{"b64": "..."}]}, with the base64 text of the file'
PIECE_BYTES = 2**16
FEW_VALUES = 10_000
# Replaces the key of an object that began in an earlier piece.
CONTINUED = "\x00"
CLOSING = str.maketrans("[{", "]}")

# The content of a bracket or a brace, as plain data.
Container = list[Any] | dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """A part of a JSON text that ends at a comma outside strings, or at the end of the text.

    Attributes:
        start, stop: its bytes, without that comma.
        opened: a bracket for each list and a brace for each object that is open at its start.
        depth: the most that are open at once.
        keys: the number of keys and objects in it.
        values: about the number of numbers, texts, lists and objects in it.
    """

    start: int
    stop: int
    opened: str
    depth: int
    keys: int
    values: int


def parse_body(body: bytes, limits: Limits) -> dict[str, Any]:
    """The object in a body.

    Args:
        body: JSON in UTF-8.
        limits: of its depth, keys and values.

    Raises:
        Refused: 400, it is not a JSON object, has a key twice, or is too large or too deep.

    >>> parse_body(b'{"instances": [1, 2]}', Limits())
    {'instances': [1, 2]}
    """
    kind = image_format(body)
    if kind:
        raise Refused(400, f"the body must be JSON; received a {kind} file. Send it as {EXAMPLE}")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"JSON Parse error: the body must be UTF-8 text. Send a file as {EXAMPLE}") from error
    body = body.removeprefix(b"\xef\xbb\xbf")
    pieces = _counted(body, limits)
    try:
        request = parse_pieces(body, pieces)
    except json.JSONDecodeError as error:
        hint = "" if body.lstrip().startswith(b"{") else f". Send a file as {EXAMPLE}"
        raise Refused(400, f"JSON Parse error: {error}{hint}") from error
    except ValueError as error:
        raise Refused(400, "JSON Parse error: a whole number has more than 4,300 digits") from error
    if not isinstance(request, dict):
        raise Refused(400, "the body must be a JSON object")
    return request


def refuse_overflow(body: bytes) -> None:
    """Raises Refused, 400, if a body has a number that becomes infinite because it is too large, such as 1e999."""

    def finite(text: str) -> float:
        if np.isinf(value := float(text)):
            raise Refused(400, f"the number {text[:40]} is too large; write Infinity if you mean that")
        return value

    json.loads(body, parse_float=finite)


def cut(text: bytes, piece_bytes: int = PIECE_BYTES, *, max_depth: int = 64) -> Iterator[Piece]:
    """The pieces of a JSON text; for a text that is not JSON, any pieces.

    Args:
        text: the text to cut.
        piece_bytes: a piece is about that long; it is longer only if there is no comma.
        max_depth: a deeper piece is the last one.

    >>> [(piece.start, piece.stop, piece.opened) for piece in cut(b'{"a": [1, 2, 3]}', 10)]
    [(0, 8, ''), (9, 11, '{['), (12, 16, '{[')]
    """
    if b"\\" in text:
        # An escaped quotation mark does not end a string. Pairs from the left, so that \\" is a backslash, and then the end.
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    inside, opened, at_start, start = False, "", "", 0
    depth = keys = values = 0
    for chunk in range(0, len(text), piece_bytes):
        part = np.frombuffer(text, np.uint8, min(piece_bytes, len(text) - chunk), chunk)
        strings = np.logical_xor.accumulate(part == ord('"')) ^ inside
        inside = bool(strings[-1])
        places = np.flatnonzero(~strings & _STRUCTURE[part])
        marks = part[places]
        opens = (marks == ord("[")) | (marks == ord("{"))
        closes = (marks == ord("]")) | (marks == ord("}"))
        depths = len(opened) + np.cumsum(opens.astype(np.int8) - closes, dtype=np.int64)
        depth = max(depth, int(depths.max(initial=len(opened))))
        keys += int(np.count_nonzero(marks == ord(":")) + np.count_nonzero(marks == ord("{")))
        values += int(np.count_nonzero(marks == ord(",")) + np.count_nonzero(opens))
        if depth > max_depth:
            break
        commas = np.flatnonzero((marks == ord(",")) & (depths > 0))
        if len(commas):
            last = int(commas[-1])
            stop = chunk + int(places[last])
            yield Piece(start, stop, at_start, depth, keys, values)
            at_start, start = _open_at(last, opened, marks, opens, depths), stop + 1
            depth = keys = values = 0
        opened = _open_at(len(marks) - 1, opened, marks, opens, depths)
    yield Piece(start, len(text), at_start, depth, keys, values)


def parse_pieces(text: bytes, pieces: list[Piece]) -> Any:
    """The content of a JSON text, parsed piece by piece.

    Raises:
        ValueError: it is not JSON.
        Refused: 400, an object has a key twice.
    """
    root: Any = None
    continued = f"{{{json.dumps(CONTINUED)}:"
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        before = piece.opened[:-1].replace("{", continued) + piece.opened[-1:]
        closing = after.opened[::-1].translate(CLOSING) if after else ""
        part = text[piece.start : piece.stop].decode()
        try:
            value = json.loads(before + part + closing, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, part, min(max(error.pos - len(before), 0), len(part))) from None
        root = _joined(root, value, len(piece.opened)) if piece.opened else value
        if after and not _innermost(root, len(after.opened)):
            raise json.JSONDecodeError("Expecting value", part, len(part))
    return root


_STRUCTURE = np.zeros(256, bool)
_STRUCTURE[list(b"[]{},:")] = True


def _open_at(last: int, opened: str, marks: np.ndarray, opens: np.ndarray, depths: np.ndarray) -> str:
    """What is open after a mark, given what was open before the first one; all arrays are (M,), one value per mark."""
    if last < 0:
        return opened
    depths, opens = depths[: last + 1], opens[: last + 1]
    depth, lowest = int(depths[-1]), int(depths.min())
    kept = opened[: max(min(depth, lowest), 0)]
    # The last mark that opened each deeper level is still open.
    places = (np.flatnonzero(opens & (depths == level))[-1:] for level in range(len(kept) + 1, depth + 1))
    return kept + "".join(chr(marks[place[0]]) for place in places if len(place))


def _innermost(root: Any, depth: int) -> Any:
    """The container that is `depth` levels deep at the end of the parsed text."""
    for _ in range(depth - 1):
        root = root[-1] if isinstance(root, list) else next(reversed(root.values()))
    return root


def _joined(root: Container, value: Container, depth: int) -> Container:
    """The whole with a piece at its end: on each level but the last, the first value continues the last one before."""
    here: Any = root
    there: Any = value
    chain = [(here, there)]
    for _ in range(depth - 1):
        here = here[-1] if isinstance(here, list) else next(reversed(here.values()))
        there = there[0] if isinstance(there, list) else next(iter(there.values()))
        chain.append((here, there))
    for level, (here, there) in enumerate(chain, start=1):
        if level == depth and not there:
            raise json.JSONDecodeError("Expecting value", "", 0)
        if isinstance(here, list):
            here += there if level == depth else there[1:]
        else:
            added = list(there.items())[0 if level == depth else 1 :]
            here.update(_object([*here.items(), *added]))
    return root


def _counted(body: bytes, limits: Limits) -> list[Piece]:
    """The pieces of a body, if it is within the limits."""
    lists, objects, commas = body.count(b"["), body.count(b"{"), body.count(b",")
    if lists + objects <= limits.max_depth and commas + lists + objects <= min(limits.max_values, FEW_VALUES):
        # Even if all of these are outside strings, they are few: the text is parsed at once. Mostly these are images.
        pieces = [Piece(0, len(body), "", 0, body.count(b":") + objects, commas + lists + objects)]
    else:
        pieces = list(cut(body, max_depth=limits.max_depth))
    depth = max(piece.depth for piece in pieces)
    keys, values = sum(piece.keys for piece in pieces), sum(piece.values for piece in pieces)
    if depth > limits.max_depth:
        raise Refused(400, f"lists and objects may be nested {limits.max_depth} deep; received {depth:,} or more")
    if keys > limits.max_keys:
        raise Refused(400, f"a request may have {limits.max_keys:,} keys and objects; received about {keys:,}")
    if values > limits.max_values:
        message = f"a request may have {limits.max_values:,} values; received about {values:,}. Send images as bytes"
        raise Refused(400, message)
    return pieces


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Refused(400, f"an object may have a key only once; received {json.dumps(_repeated(pairs)[:40])} twice")
    return made


def _repeated(pairs: list[tuple[str, object]]) -> str:
    """The first key that occurs again."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""
