"""Data sets of tensorflow-datasets give their images, labels and captions, or an error says at once what is missing."""

import io
import time
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.data.examples import write_examples
from kerasvision.data.sources import tfds as tfds_source
from kerasvision.errors import ConfigError, DataError


def read(source):
    return list(lookup.load(source.implementation)(source))


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def png(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A TFDS data folder with the data set `examples`: class "night" is dark, class "day" is light."""
    data_dir = tmp_path_factory.mktemp("tfds")
    images = {"train": [("a", 10, "night"), ("b", 200, "day"), ("c", 20, "night")], "test": [("d", 210, "day")]}
    rows = {
        split: [(name, png(value), label) for name, value, label in split_images] for split, split_images in images.items()
    }
    write_examples(lambda split: rows[split], splits=rows, classes=["day", "night"], folder=data_dir / "examples" / "1.0.0")
    return data_dir


def test_tfds_gives_labels_splits_and_the_bytes_as_they_are(prepared):
    records = read(c.Tfds(name="examples:1.0.0", data_dir=prepared))
    expected = {(png(10), "night", "train"), (png(200), "day", "train"), (png(20), "night", "train")}
    assert {(r.load(), r.label, r.split) for r in records} == expected | {(png(210), "day", "test")}
    assert len({record.name for record in records}) == 4


def test_tfds_stops_each_split_at_the_most_asked_for(prepared):
    records = read(c.Tfds(name="examples", data_dir=prepared, max_examples=1))
    assert Counter(record.split for record in records) == {"train": 1, "test": 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_key": "picture"}, "examples has no feature 'picture'; set source.image_key: "),
        ({"label_key": "class"}, "examples has no feature 'class'; set source.label_key: "),
        ({"label_key": "id"}, "feature 'id' of examples is not a class label"),
        ({"caption_key": "texts"}, "examples has no feature 'texts'; set source.caption_key: "),
        ({"caption_key": "label"}, "feature 'label' of examples is not a text"),
        ({"caption_key": "label/name"}, "examples has no feature 'label/name'"),
    ],
)
def test_a_feature_that_does_not_fit_is_told(fields, message, prepared):
    with pytest.raises(ConfigError, match=message):
        read(c.Tfds(name="examples", data_dir=prepared, **fields))


class KvArrays(tfds.core.GeneratorBasedBuilder):
    """Images that TFDS keeps as arrays, and one without a label."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Tensor(shape=(2, 3, 1), dtype=np.uint8),
            "label": tfds.features.ClassLabel(names=["zero", "one"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples([0, 1]), "hidden": self._generate_examples([-1])}

    def _generate_examples(self, labels):
        for label in labels:
            yield label, {"image": np.full((2, 3, 1), 7 * label + 7, np.uint8), "label": label}


def test_arrays_become_images_and_a_missing_label_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_source, "host_answers", lambda url: True)  # there is nothing to fetch
    records = lookup.load(c.Tfds.implementation)(c.Tfds(name="kv_arrays", data_dir=tmp_path))
    with pytest.raises(DataError, match="split 'hidden' of kv_arrays contains images without a label"):
        next(records)
    KvArrays.VERSION = tfds.core.Version("1.0.1")
    monkeypatch.setattr(KvArrays, "_split_generators", lambda self, _: {"train": self._generate_examples([0, 1])})
    records = read(c.Tfds(name="kv_arrays", data_dir=tmp_path))
    assert {(r.label, pixels(r.load()).shape, pixels(r.load()).max()) for r in records} == {
        ("zero", (2, 3), 7),
        ("one", (2, 3), 14),
    }


class KvCaptioned(tfds.core.GeneratorBasedBuilder):
    """Images with captions in the three forms that data sets have them, and no label."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        text = tfds.features.Text()
        features = {
            "image": tfds.features.Image(shape=(4, 6, 3)),
            "title": text,
            "texts": tfds.features.Sequence(text),
            "captions": tfds.features.Sequence({"id": np.int64, "text": text}),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"val": self._generate_examples()}

    def _generate_examples(self):
        captions = [{"id": 1, "text": "one"}, {"id": 2, "text": "zwei ü"}]
        yield 0, {"image": io.BytesIO(png(9)), "title": "a title", "texts": ["a", "b"], "captions": captions}


@pytest.mark.parametrize(
    ("key", "captions"), [("title", ("a title",)), ("texts", ("a", "b")), ("captions/text", ("one", "zwei ü")), (None, ())]
)
def test_captions_of_a_data_set_without_labels_are_read(key, captions, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_source, "host_answers", lambda url: True)  # there is nothing to fetch
    (record,) = read(c.Tfds(name="kv_captioned", data_dir=tmp_path, label_key=None, caption_key=key))
    assert (record.label, record.split, record.captions, record.load()) == ("", "validation", captions, png(9))


class KvSeveral(tfds.core.GeneratorBasedBuilder):
    """An image with the labels of the objects in it."""

    VERSION = tfds.core.Version("1.0.0")
    LABELS: ClassVar[list[str]] = ["dog"]

    def _info(self):
        label = tfds.features.ClassLabel(names=["cat", "dog"])
        features = {"image": tfds.features.Image(shape=(4, 6, 3)), "objects": tfds.features.Sequence({"label": label})}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"image": io.BytesIO(png(9)), "objects": [{"label": label} for label in self.LABELS]}


def test_a_feature_of_several_labels_gives_one_or_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_source, "host_answers", lambda url: True)  # there is nothing to fetch
    (record,) = read(c.Tfds(name="kv_several", data_dir=tmp_path / "one", label_key="objects/label"))
    assert record.label == "dog"
    monkeypatch.setattr(KvSeveral, "LABELS", ["dog", "cat"])
    with pytest.raises(DataError, match="feature 'objects/label' of kv_several must hold one label for each image; train/"):
        read(c.Tfds(name="kv_several", data_dir=tmp_path / "two", label_key="objects/label"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifra10", r"no data set 'cifra10'; did you mean 'cifar10'\?"),
        ("qqqqqqqqqq", r"no data set 'qqqqqqqqqq'; tfds.list_builders\(\) names them all"),
        ("mnist:99.0.0", "cannot make 'mnist:99.0.0'"),
    ],
)
def test_an_unknown_data_set_is_told_with_the_closest_name(name, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        read(c.Tfds(name=name, data_dir=tmp_path))


def test_without_a_network_a_missing_data_set_is_told_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_source, "host_answers", lambda url: False)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"mnist is not in .*, and the server .* cannot be reached. Run `tfds build mnist`"):
        read(c.Tfds(name="mnist", data_dir=tmp_path))
    assert time.monotonic() - began < 10


def test_it_can_be_read_twice_with_the_same_result(prepared):
    source = c.Tfds(name="examples", data_dir=prepared)
    once, again = ([(r.name, r.label, r.split, r.load()) for r in read(source)] for _ in range(2))
    assert once == again
