"""Data sets of tensorflow-datasets."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kerasvision import lookup
from kerasvision.config.sources import Tfds
from kerasvision.connection import host_answers
from kerasvision.data.png import encode_png
from kerasvision.data.records import Record
from kerasvision.data.sources.values import Labels, UnusableValue, Values
from kerasvision.data.split_names import split_within
from kerasvision.errors import ConfigError, DataError

# Where TFDS keeps prepared data sets.
NETWORK = "https://storage.googleapis.com"


def read_tfds(settings: Tfds) -> Iterator[Record]:
    """The images of a TFDS data set with their class names; encoded bytes are not changed.

    Raises:
        ConfigError: there is no such data set, or it has no such feature.
        DataError: the data set is not on this machine, and there is no connection to download it; or an image has no label
            or several labels.
    """
    builder = _builder(settings)
    _check_features(builder, settings)
    if not builder.is_prepared():
        _need_network(builder)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    # An image stays encoded if TFDS stores it encoded; arrays (a `Tensor` feature) come as pixels.
    is_image = isinstance(builder.info.features[settings.image_key], tfds.features.Image)
    decoders = {settings.image_key: tfds.decode.SkipDecoding()} if is_image else None
    features = _Features(builder, settings)
    for split in sorted(builder.info.splits):
        examples = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
        if settings.max_examples is not None:
            examples = examples.take(settings.max_examples)
        for number, example in enumerate(tfds.as_numpy(examples)):
            image = example[settings.image_key]
            content = partial(encode_png, image.squeeze()) if isinstance(image, np.ndarray) else partial(bytes, image)
            yield features.record(example, f"{split}/{number:06d}", content, split)


class _Features:
    """Reads the features of examples as texts."""

    def __init__(self, builder: tfds.core.DatasetBuilder, settings: Tfds) -> None:
        self.builder, self.settings = builder, settings
        names = _at(builder.info.features, settings.label_key).names if settings.label_key is not None else ()
        # TFDS gives -1 for no label, and several labels as numbers.
        self.labels = Labels(
            f"feature {settings.label_key!r} of {builder.name}",
            names=names,
            named_in="its ClassLabel",
            missing=-1,
            one_hot=False,
        )
        self.captions = Values(f"feature {settings.caption_key!r} of {builder.name}")

    def record(self, example: dict[str, Any], name: str, content: Callable[[], bytes], split: str) -> Record:
        label, fault = "", ""
        if self.settings.label_key is not None:
            label, fault = self.labels.read(_at(example, self.settings.label_key), name)
            if not label and not fault:
                raise DataError(
                    f"split {split!r} of {self.builder.name} contains images without a label",
                    hint="read it with a source of your own",
                )
        captions: tuple[str, ...] = ()
        if self.settings.caption_key is not None:
            try:
                captions = self.captions.texts(_at(example, self.settings.caption_key), name)
            except UnusableValue as unusable:
                fault = fault or str(unusable)
        return Record(name, content, label, split_within(split), captions=captions, fault=fault)


def _builder(settings: Tfds) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(settings.name, data_dir=settings.data_dir, try_gcs=False)
    except tfds.core.registered.DatasetNotFoundError:
        hint = lookup.did_you_mean(settings.name.partition(":")[0].partition("/")[0], tfds.list_builders())
        hint = hint if hint.startswith("did") else "tfds.list_builders() names them all"
        raise ConfigError(f"tensorflow-datasets has no data set {settings.name!r}; {hint}") from None
    except (ValueError, AssertionError) as error:  # a version or configuration that does not exist
        raise ConfigError(f"tensorflow-datasets cannot make {settings.name!r}: {str(error).splitlines()[0]}") from None


def _check_features(builder: tfds.core.DatasetBuilder, settings: Tfds) -> None:
    features = builder.info.features
    for field in ("image_key", "label_key", "caption_key"):
        key = getattr(settings, field)
        if key is not None and _at(features, key) is None:
            raise ConfigError(f"{settings.name} has no feature {key!r}; set source.{field}: {', '.join(features)}")
    if settings.label_key is not None and not isinstance(_at(features, settings.label_key), tfds.features.ClassLabel):
        raise ConfigError(f"feature {settings.label_key!r} of {settings.name} is not a class label")
    if settings.caption_key is not None and not _is_text(_at(features, settings.caption_key)):
        raise ConfigError(f"feature {settings.caption_key!r} of {settings.name} is not a text")


def _is_text(feature: tfds.features.FeatureConnector) -> bool:
    inner = feature.feature if isinstance(feature, tfds.features.Sequence) else feature
    return isinstance(inner, tfds.features.Text)


def _at(features: Any, key: str) -> Any:
    """The value at a path such as `captions/text`; None if the example has no such path."""
    for part in key.split("/"):
        if isinstance(features, tfds.features.Sequence):
            features = features.feature
        if not isinstance(features, tfds.features.FeaturesDict | dict) or part not in features:
            return None
        features = features[part]
    return features


def _need_network(builder: tfds.core.DatasetBuilder) -> None:
    """Raises at once if there is no connection; TFDS itself would retry for minutes."""
    if not host_answers(NETWORK):
        raise DataError(
            f"{builder.name} is not in {builder.data_path}, and the server for it cannot be reached",
            hint=f"run `tfds build {builder.name}` on a machine with an internet connection, copy its data folder here, and "
            "set source.data_dir to it",
        )
