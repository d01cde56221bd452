"""An example in tf.data: a dict of tensors, for one example or a batch.

`ExampleSet.dataset` says which keys an example on disk has, and the package `augmentation` which keys a batch has.
"""

from typing import Any

# Tensors by name; "objects" is a dict of tensors itself.
Tensors = dict[str, Any]
