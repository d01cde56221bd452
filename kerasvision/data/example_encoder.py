"""One example of a data set, and the bytes that stand for it in TFRecord files: a tf.train.Example with TFDS' features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import tensorflow_datasets as tfds

from kerasvision.data.records import Box


class ExampleObject(TypedDict):
    """One object in an image.

    `bbox`: y_min, x_min, y_max, x_max as shares of the upright image's sides, in [0, 1]; `label`: its class name; `crowd`:
    whether a score of boxes ignores it; `area`: in pixels of the upright image, which augmentation does not change; `mask`:
    PNG bytes of a grey picture of the image's size, 255 inside the object; only if the data set has masks.
    """

    bbox: Box
    label: str
    crowd: bool
    area: float
    mask: NotRequired[bytes]


class Example(NamedTuple):
    """One image for `ExampleWriter`: its id, its encoded bytes, and its annotations.

    `label_map` is a grey 8-bit PNG of the size of the upright image: the class number of each pixel, or 255, which says
    nothing about it. `tags` are names of the data set's tags, each once. `values` are numbers in the order of the data set's
    value names; NaN where one is missing.
    """

    id: str
    image: bytes
    label: str = ""
    captions: Sequence[str] = ()
    objects: Sequence[ExampleObject] = ()
    label_map: bytes = b""
    tags: Sequence[str] = ()
    values: Sequence[float] = ()


# An example, or its first fields.
Row = Example | tuple[str, bytes] | tuple[str, bytes, str]


@dataclass(frozen=True)
class ExampleParts:
    """Which parts the examples of a data set have, in addition to image and id. Names are in the order of their numbers.

    Attributes:
        classes: class names; empty if the images have no labels.
        object_classes: class names of the objects; empty if there are no objects.
        captions: whether the images have captions.
        masks: whether the objects have masks.
        map_classes: class names of the label maps; empty if the images have no label maps.
        tag_classes: names of the tags; empty if the images have no tags.
        value_names: names of the numbers that the images have; empty if they have none.
    """

    classes: tuple[str, ...] = ()
    object_classes: tuple[str, ...] = ()
    captions: bool = False
    masks: bool = False
    map_classes: tuple[str, ...] = ()
    tag_classes: tuple[str, ...] = ()
    value_names: tuple[str, ...] = ()


class ExampleEncoder:
    """Encodes examples of a data set. The bytes depend on the example alone.

    Args:
        features: of the data set, see `features_of`.
    """

    def __init__(self, features: tfds.features.FeaturesDict) -> None:
        self._features = features
        self._serializer = tfds.core.example_serializer.ExampleSerializer(features.get_serialized_info())

    def encode(self, row: Row) -> bytes:
        """The bytes of an example."""
        example = Example(*row)._asdict()
        example["values"] = np.asarray(example["values"], np.float32)
        example["objects"] = [{**thing, "bbox": tfds.features.BBox(*thing["bbox"])} for thing in example["objects"]]
        encoded = self._features.encode_example({key: example[key] for key in self._features})
        record = self._serializer.get_tf_example(encoded)
        # TFDS itself orders the features by a hash table, which has a different seed in every process.
        data: bytes = record.SerializeToString(deterministic=True)
        return data


def features_of(parts: ExampleParts) -> tfds.features.FeaturesDict:
    """What TFDS knows of these parts: the name and type of each."""
    features: dict[str, Any] = {"image": tfds.features.Image(shape=(None, None, 3)), "id": tfds.features.Text()}
    if parts.classes:
        features["label"] = tfds.features.ClassLabel(names=list(parts.classes))
    if parts.captions:
        features["captions"] = tfds.features.Sequence(tfds.features.Text())
    if parts.object_classes:
        of_object = {
            "bbox": tfds.features.BBoxFeature(),
            "label": tfds.features.ClassLabel(names=list(parts.object_classes)),
            "crowd": tfds.features.Scalar(np.bool_),
            "area": tfds.features.Scalar(np.float32),
        }
        if parts.masks:
            of_object["mask"] = tfds.features.Image(shape=(None, None, 1), encoding_format="png")
        features["objects"] = tfds.features.Sequence(of_object)
    if parts.map_classes:
        features["label_map"] = tfds.features.Image(shape=(None, None, 1), encoding_format="png")
    if parts.value_names:
        features["values"] = tfds.features.Tensor(shape=(len(parts.value_names),), dtype=np.float32)
    if parts.tag_classes:
        features["tags"] = tfds.features.Sequence(tfds.features.ClassLabel(names=list(parts.tag_classes)))
    return tfds.features.FeaturesDict(features)
