"""What an example is in tf.data: a dict of tensors, alone or a batch of them.

`ExampleSet.dataset` says which keys an example has on disk, and the package `augmentation` which ones a batch has.
"""

from typing import Any

# Tensors by name; "objects" is a dict of tensors itself.
Tensors = dict[str, Any]
