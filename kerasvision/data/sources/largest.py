"""The label of an image that has boxes: the class of its largest object."""

from collections.abc import Sequence
from pathlib import Path

from kerasvision.data.inspecting.annotations import box_area, clip_objects
from kerasvision.data.inspecting.headers import upright_size
from kerasvision.data.records import Object


def largest_class(objects: Sequence[Object], *, size: tuple[int, int] | None, file: Path) -> str:
    """The class of the largest box inside the image, the first of equals, without crowds; "" if no box has an area there.

    Args:
        objects: of one image.
        size: (height, width) of the picture that they were drawn on; None: that of the image.
        file: the image; its header is read if the size is None.

    >>> largest_class([Object((0, 0, 9, 9), "cat"), Object((0, 0, 4, 8), "dog")], size=(4, 8), file=Path("1.jpg"))
    'cat'
    >>> largest_class([Object((0, 0, 4, 8), "cat", crowd=True)], size=(4, 8), file=Path("1.jpg"))
    ''
    """
    single = [thing for thing in objects if not thing.crowd]
    size = size or (upright_size(file) if single else None)
    if size is None:
        return ""
    kept, _ = clip_objects(single, width=size[1], height=size[0])
    return max(kept, key=lambda thing: box_area(thing.box)).label if kept else ""
