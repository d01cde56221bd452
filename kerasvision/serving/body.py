"""The JSON object in a request's body: its size and depth are counted before it is parsed.

`json.loads` holds Python's global lock until it is done: for 10 MB of 900,000 keys about a second, in which no other
request is answered. Counting takes 50 milliseconds, nearly all of them in NumPy, which lets go of the lock.
"""

import json
from dataclasses import dataclass

import numpy as np

from kerasvision.serving.headers import image_format
from kerasvision.serving.limits import Limits, Refused

EXAMPLE = '{"instances": [{"b64": "..."}]}, with the base64 text of the file'
CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Extent:
    """How large a JSON text is.

    Attributes:
        depth: of lists and objects in each other.
        keys: keys and objects.
        values: numbers, texts, lists and objects, nearly.
    """

    depth: int
    keys: int
    values: int


def parse_body(body: bytes, limits: Limits) -> dict[str, object]:
    """The object that a body holds.

    Args:
        body: JSON in UTF-8.
        limits: its depth, keys and values.

    Raises:
        Refused: 400, it is no JSON object, names a key twice, or is too large or too deep.

    >>> parse_body(b'{"instances": [1, 2]}', Limits())
    {'instances': [1, 2]}
    """
    kind = image_format(body)
    if kind:
        raise Refused(400, f"the body must be JSON; received a {kind} file. Send it as {EXAMPLE}")
    try:
        text = body.decode("utf-8-sig")
        _check_extent(body, limits)
        request = json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Refused(400, f"JSON Parse error: the body must be UTF-8 text. Send a file as {EXAMPLE}") from error
    except json.JSONDecodeError as error:
        hint = "" if body.lstrip().startswith(b"{") else f". Send a file as {EXAMPLE}"
        raise Refused(400, f"JSON Parse error: {error}{hint}") from error
    except ValueError as error:
        raise Refused(400, "JSON Parse error: a whole number has more than 4,300 digits") from error
    if not isinstance(request, dict):
        raise Refused(400, "the body must be a JSON object")
    return request


def refuse_overflow(body: bytes) -> None:
    """Raises Refused, 400, where a body holds a number that only becomes infinite because it is too large, such as 1e999."""

    def finite(text: str) -> float:
        if np.isinf(value := float(text)):
            raise Refused(400, f"the number {text[:40]} is too large; write Infinity where that is meant")
        return value

    json.loads(body.decode("utf-8-sig"), parse_float=finite)


def extent(text: bytes) -> Extent:
    """What is counted outside of strings; for a text that is no JSON, some number.

    >>> extent(b'{"a[": [[1, 2], {}]}')
    Extent(depth=3, keys=3, values=6)
    """
    if b"\\" in text:
        # An escaped quotation mark ends no string. Pairs from the left, so that \\" is a backslash, and then the end.
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    inside, depth, deepest, keys, values = False, 0, 0, 0, 0
    for start in range(0, len(text), CHUNK_BYTES):
        part = np.frombuffer(text, np.uint8, min(CHUNK_BYTES, len(text) - start), start)
        strings = np.logical_xor.accumulate(part == ord('"')) ^ inside
        inside, part = bool(strings[-1]), part[~strings]
        braces, opens = part == ord("{"), (part == ord("[")) | (part == ord("{"))
        closes = (part == ord("]")) | (part == ord("}"))
        depths = depth + np.cumsum(opens.view(np.int8) - closes.view(np.int8), dtype=np.int64)
        deepest, depth = max(deepest, int(depths.max(initial=depth))), int(depths[-1]) if len(depths) else depth
        keys += int(np.count_nonzero(part == ord(":")) + np.count_nonzero(braces))
        values += int(np.count_nonzero(part == ord(",")) + np.count_nonzero(opens))
    return Extent(deepest, keys, values)


def _check_extent(body: bytes, limits: Limits) -> None:
    lists, objects = body.count(b"["), body.count(b"{")
    # Most bodies hold few of these, also within strings: they need not be looked at closely.
    found = Extent(lists + objects, body.count(b":") + objects, body.count(b",") + lists + objects)
    if found.depth > limits.max_depth or found.keys > limits.max_keys or found.values > limits.max_values:
        found = extent(body)
    if found.depth > limits.max_depth:
        raise Refused(400, f"lists and objects may be nested {limits.max_depth} deep; received {found.depth:,}")
    if found.keys > limits.max_keys:
        raise Refused(400, f"a request may hold {limits.max_keys:,} keys and objects; received about {found.keys:,}")
    if found.values > limits.max_values:
        told = f"a request may hold {limits.max_values:,} values; received about {found.values:,}: send images as bytes"
        raise Refused(400, told)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise Refused(400, f"an object may name a key once; received {json.dumps(twice[:40])} twice")
    return made
