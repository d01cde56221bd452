"""The parts of an example that a task or an augmentation may read, in addition to the image."""

from typing import Literal

# The names of a batch; "mask" is a part of "objects", and is read only together with them.
ExamplePart = Literal["label", "tags", "captions", "objects", "mask", "label_map", "values"]
EVERYTHING: frozenset[ExamplePart] = frozenset({"label", "tags", "captions", "objects", "mask", "label_map", "values"})
# The number in a label map that says nothing about a pixel.
IGNORED = 255
