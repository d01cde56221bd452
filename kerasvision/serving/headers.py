"""The cost to decode an image, read from its header: a small file may claim, and would get, gigabytes.

Only images are checked. The model judges everything else in a string input.
"""

from kerasvision.data.inspecting.inspection import READABLE, misreading_fault, read_header
from kerasvision.serving.limits import Refused

# A progressive JPEG has about ten scans. Each is a pass over the whole picture, and a file of a megabyte could have 100,000.
MAX_SCANS = 100
START_OF_SCAN = b"\xff\xda"
NOT_DECODABLE = -1


def pixels_to_decode(data: bytes, *, max_pixels: int) -> int:
    """The number of pixels that TensorFlow's decoder would write for a file.

    Args:
        data: the file.
        max_pixels: the most that are allowed.

    Returns:
        The number; 0 if the file is not an image; NOT_DECODABLE if it begins like an image but its header cannot be read, or
        if TensorFlow would decode it to wrong pixels.

    Raises:
        Refused: 400, there are more than `max_pixels`, or a JPEG has more than MAX_SCANS scans.

    >>> pixels_to_decode(b"hello", max_pixels=10)
    0
    """
    if not data.startswith(tuple(READABLE.values())):
        return 0
    facts = read_header(data)
    if facts.fault or facts.format not in READABLE or misreading_fault(data, facts):
        return NOT_DECODABLE
    pixels = facts.width * facts.height
    if facts.format == "GIF":
        # TensorFlow decodes all frames, and keeps the first.
        pixels = max(pixels, gif_pixels(data))
    if pixels > max_pixels:
        claim = f"{facts.width:,} x {facts.height:,}" + (", in all its frames" if facts.format == "GIF" else "")
        raise Refused(400, f"the image's header claims {claim} = {pixels:,} pixels, over the limit of {max_pixels:,}")
    if facts.format in ("JPEG", "MPO") and (scans := data.count(START_OF_SCAN)) > MAX_SCANS:
        raise Refused(400, f"the JPEG has {scans:,} scans, over the limit of {MAX_SCANS}")
    return pixels


def image_format(data: bytes) -> str:
    """The decodable format that a file begins like; "" if it begins like none.

    >>> image_format(b"\\xff\\xd8\\xff"), image_format(b"{}")
    ('JPEG', '')
    """
    return next((name for name, start in READABLE.items() if data.startswith(start)), "")


def gif_pixels(data: bytes) -> int:
    """The pixels of all frames of a GIF, without decoding any. It ends at the end of the file.

    Source: GIF89a specification, sections 18 to 27.

    >>> descriptor = bytes([0x2C, 0, 0, 0, 0, 3, 0, 2, 0, 0])  # 3 x 2, without colours of its own
    >>> gif_pixels(b"GIF89a" + bytes(7) + 2 * (descriptor + bytes([2, 1, 0, 0])) + b";")
    12
    """
    place, pixels = 13 + _colours(data[10:11]), 0
    while place < len(data):
        kind = data[place : place + 1]
        if kind == b"\x2c":
            place, pixels = _frame(data, place, pixels)
        elif kind == b"\x21":
            place = _after_blocks(data, place + 2)
        else:
            break
    return pixels


def _frame(data: bytes, place: int, pixels: int) -> tuple[int, int]:
    sides = data[place + 5 : place + 9]
    pixels += int.from_bytes(sides[:2], "little") * int.from_bytes(sides[2:], "little")
    # The descriptor, its colours, and the first byte of the picture.
    return _after_blocks(data, place + 10 + _colours(data[place + 9 : place + 10]) + 1), pixels


def _colours(flags: bytes) -> int:
    """The size in bytes of the colour table that a flag byte announces."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """The end of a chain of blocks: each begins with its length, and the last has length 0."""
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1
