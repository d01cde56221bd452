"""The statistics of a data set equal those of NumPy for the same pixels."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision.data import by_batches
from kerasvision.data.measuring.statistics import Statistics, compute_statistics, labels_table, save_statistics_tables
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import DataError

RANDOM = np.random.default_rng(0)


def colour(height, width, *, low=0, high=256):
    return RANDOM.integers(low, high, (height, width, 3), np.uint8)


def flat(value, *, side=4):
    return np.full((side, side, 3), value, np.uint8)


IMAGES = {
    "train": [
        ("a", colour(6, 5), "cat"),
        ("b", colour(3, 9, high=90), "dog"),
        ("c", colour(6, 5)[..., 0], "cat"),  # grey
        ("d", flat(40), "dog"),
        ("e", flat(40), "dog"),  # the bytes of d
        ("f", flat(50), "cat"),
        ("g", flat(50), "dog"),  # the bytes of f, another label
    ],
    "test": [("h", colour(12, 4, low=200), "cat")],
}
BAD_ROW = {
    "id": "bad",
    "path": "",
    "split": "train",
    "label": "dog",
    "sha256": "0",
    "size": 0,
    "width": 70_000,
    "height": 1,
    "format": "TIFF",
    "mode": "CMYK",
    "notes": "ignored",
    "fault": "the file is empty",
}


@pytest.fixture(scope="module")
def example_set(make_examples, tmp_path_factory):
    return make_examples(tmp_path_factory.mktemp("examples") / "data", **IMAGES)


@pytest.fixture(scope="module")
def computed(example_set, manifest_of):
    manifest = manifest_of(example_set, [BAD_ROW])
    manifest.loc[manifest["id"].isin(["a", "b"]), "notes"] = "alpha channel dropped"
    manifest.loc[manifest["id"] == "h", "notes"] = "alpha channel dropped; rotated by EXIF orientation 6"
    return compute_statistics(example_set, manifest)


def as_rgb(pixels):
    return np.broadcast_to(pixels[..., None] if pixels.ndim == 2 else pixels, (*pixels.shape[:2], 3)).astype(float)


def test_examples_are_counted_by_split_and_class(computed):
    statistics, images = computed
    assert statistics.counts == {"train": {"cat": 3, "dog": 4}, "test": {"cat": 1, "dog": 0}}
    assert list(statistics.counts) == ["train", "test"]
    assert sorted(images["id"]) == list("abcdefgh")


def test_sides_modes_and_formats_are_those_of_the_usable_images(computed):
    statistics, _ = computed
    assert (statistics.min_side, statistics.max_side) == (3, 12)
    assert statistics.modes == {"RGB": 7, "L": 1}
    assert statistics.formats == {"PNG": 8}


def test_colour_is_that_of_the_training_images_each_weighing_the_same(computed):
    statistics, _ = computed
    train = [as_rgb(pixels) for _, pixels, _ in IMAGES["train"]]
    mean = np.mean([pixels.mean(axis=(0, 1)) for pixels in train], axis=0)
    square = np.mean([(pixels**2).mean(axis=(0, 1)) for pixels in train], axis=0)
    np.testing.assert_allclose(statistics.channel_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(statistics.channel_deviation, np.sqrt(square - mean**2), rtol=1e-9)


def test_brightness_is_the_mean_and_contrast_the_deviation_of_all_values(computed):
    _, images = computed
    by_name = images.set_index("id")
    for name, pixels, _ in [*IMAGES["train"], *IMAGES["test"]]:
        assert by_name.loc[name, "brightness"] == pytest.approx(as_rgb(pixels).mean())
        assert by_name.loc[name, "contrast"] == pytest.approx(as_rgb(pixels).std(), abs=1e-5)


def test_copies_and_contradictions_are_grouped(computed):
    statistics, _ = computed
    assert sorted(statistics.duplicates) == [["d", "e"], ["f", "g"]]
    assert statistics.contradictions == [["f", "g"]]
    assert statistics.shared_between_splits == []


def test_an_image_in_two_splits_is_grouped(make_examples, manifest_of, tmp_path):
    images = {"train": [("a", flat(1), "x"), ("b", flat(2), "x")], "test": [("c", flat(2), "x"), ("d", flat(3), "x")]}
    example_set = make_examples(tmp_path / "data", **images)
    statistics, _ = compute_statistics(example_set, manifest_of(example_set))
    assert statistics.shared_between_splits == [["b", "c"]]


def test_what_was_left_out_is_named_and_not_measured(computed):
    statistics, _ = computed
    assert statistics.quarantined == {"bad": "the file is empty"}


def test_notes_are_counted_one_by_one(computed):
    statistics, _ = computed
    assert statistics.notes == {"alpha channel dropped": 3, "rotated by EXIF orientation 6": 1}


def test_a_class_without_a_usable_image_counts_zero(make_examples, manifest_of, tmp_path):
    example_set = make_examples(tmp_path / "data", train=[("a", flat(1), "x"), ("b", flat(2), "y")])
    manifest = manifest_of(example_set)
    manifest.loc[manifest["id"] == "b", "fault"] = "the file is empty"
    assert compute_statistics(example_set, manifest)[0].counts == {"train": {"x": 1, "y": 0}}


def test_saved_statistics_are_equal_when_loaded(computed, tmp_path):
    statistics, _ = computed
    statistics.save(tmp_path / "statistics.json")
    assert Statistics.load(tmp_path / "statistics.json") == statistics


def smooth(seed):
    """A picture with coarse structure, 64 x 64."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC))


def thing(label, *, area, crowd=False):
    return {"bbox": (0.0, 0.0, 0.5, 0.5), "label": label, "area": area, "crowd": crowd}


SAID = {
    "train": [
        ("1", smooth(1), "", ["A red cat", "cat!"], [thing("cat", area=1023), thing("cat", area=9, crowd=True)]),
        ("2", smooth(2), "", [], []),
        ("3", smooth(3)[::2, ::2], "", ["a dog and a cat"], [thing("dog", area=9216)]),
    ],
    "test": [("4", smooth(3), "", ["Dog"], [])],  # that of 3 at twice the size
}


@pytest.fixture(scope="module")
def described(make_examples, tmp_path_factory):
    return make_examples(tmp_path_factory.mktemp("described") / "data", **SAID)


@pytest.fixture(scope="module")
def of_described(described, manifest_of):
    return compute_statistics(described, manifest_of(described))


def test_images_without_labels_have_statistics(of_described):
    statistics, images = of_described
    assert statistics.classes == []
    assert statistics.counts == {"train": {}, "test": {}}
    assert statistics.contradictions == []
    assert labels_table(statistics).empty
    assert len(images) == 4


def test_captions_are_counted_by_image_and_by_word(of_described):
    statistics, images = of_described
    assert statistics.captions == {
        "images_without": 1,
        "least": 0,
        "most": 2,
        "mean_words": 10 / 4,
        "max_words": 5,
        "vocabulary": 5,
    }
    words = images.set_index("id")["caption_words"]
    assert words.drop("2").to_dict() == {"1": 2.0, "3": 5.0, "4": 1.0}
    assert np.isnan(words["2"])


def test_objects_are_counted_by_class(of_described):
    statistics, _ = of_described
    assert statistics.object_classes == ["cat", "dog"]
    assert statistics.object_counts == {"cat": 2, "dog": 1}
    assert statistics.crowd_counts == {"cat": 1, "dog": 0}


def test_objects_without_crowds_are_counted_by_size(of_described):
    statistics, _ = of_described
    assert statistics.object_sizes == {"small": 1, "medium": 0, "large": 1}


def test_objects_are_counted_by_split_place_and_image(of_described):
    objects = of_described[0].objects
    assert objects["by_split"] == {"train": {"cat": 2, "dog": 1}, "test": {"cat": 0, "dog": 0}}
    assert (objects["without"], objects["most"], objects["most_in"]) == ({"train": 1, "test": 1}, 2, "1")
    # All three boxes are the first quarter of a square image, so their centers are in field (2, 2) of 8 x 8.
    assert (objects["places"][2][2], objects["aspects"]["2:3 to 3:2"]) == (3, 3)
    assert objects["repeated"] == ["1"]


@pytest.fixture(scope="module")
def of_mapped(make_examples, manifest_of, tmp_path_factory):
    """Statistics of images of 2 x 3 with label maps: two of training, one of test. The third class is not there."""
    maps = {"a": [[0, 0, 1], [1, 1, 255]], "b": [[0] * 3] * 2, "c": [[1, 255, 255], [255] * 3]}
    rows = {name: (name, np.full((2, 3), number), "", (), (), maps[name]) for number, name in enumerate("abc")}
    folder = tmp_path_factory.mktemp("mapped") / "data"
    examples = make_examples(folder, ("sky", "road", "sea"), train=[rows["a"], rows["b"]], test=[rows["c"]])
    return compute_statistics(examples, manifest_of(examples))[0]


def test_pixels_of_label_maps_are_counted_by_split_and_class(of_mapped):
    assert of_mapped.map_classes == ["sky", "road", "sea"]
    assert of_mapped.maps["pixels"] == {
        "train": {"sky": 8, "road": 3, "sea": 0},
        "test": {"sky": 0, "road": 1, "sea": 0},
    }
    assert of_mapped.maps["ignored"] == {"train": 1, "test": 5}
    assert of_mapped.maps["images"] == {"train": {"sky": 2, "road": 1, "sea": 0}, "test": {"sky": 0, "road": 1, "sea": 0}}


def test_the_schema_has_the_classes_that_label_maps_show(of_mapped):
    assert DataSchema.infer(of_mapped).map_classes == ("sky", "road")


def test_without_captions_and_objects_nothing_is_said_of_them(computed):
    statistics, images = computed
    assert statistics.objects == {}
    assert (statistics.captions, statistics.object_classes, statistics.object_counts) == ({}, [], {})
    assert (statistics.crowd_counts, statistics.object_sizes) == ({}, {})
    assert images["caption_words"].isna().all()


def test_images_that_look_alike_are_grouped_and_their_splits_compared(of_described):
    statistics, images = of_described
    assert statistics.near_duplicates == statistics.near_shared_between_splits == [["3", "4"]]
    assert images.set_index("id")["near_group"].to_dict() == {"1": -1, "2": -1, "3": 0, "4": 0}
    assert statistics.duplicates == []


def test_many_small_images_of_one_size_have_the_statistics_of_single_ones(make_examples, manifest_of, tmp_path, monkeypatch):
    images = [(str(number), colour(9, 7), "ab"[number % 2]) for number in range(40)]
    example_set = make_examples(tmp_path / "data", train=images[:30], test=[*images[30:], ("other", colour(5, 5), "a")])
    manifest = manifest_of(example_set)
    statistics, table = compute_statistics(example_set, manifest)
    monkeypatch.setattr(by_batches, "FEWEST", 41)
    again, same_table = compute_statistics(example_set, manifest)
    assert again == statistics
    pd.testing.assert_frame_equal(same_table, table)


def test_aspect_is_width_over_height(computed):
    _, images = computed
    assert images.set_index("id").loc["b", "aspect"] == 3.0  # 9 wide, 3 high


def test_tables_say_what_was_counted(of_described, described, computed, example_set, tmp_path):
    save_statistics_tables(*of_described, examples=described, folder=tmp_path)
    words = pd.read_parquet(tmp_path / "vocabulary.parquet")
    assert dict(zip(words["word"], words["count"], strict=True)) == {"a": 3, "cat": 3, "dog": 2, "and": 1, "red": 1}
    copies = pd.read_parquet(tmp_path / "duplicates.parquet")
    assert copies.to_dict("records") == [
        {"kind": "near", "group": 0, "id": "3", "split": "train", "label": ""},
        {"kind": "near", "group": 0, "id": "4", "split": "test", "label": ""},
    ]
    save_statistics_tables(*computed, examples=example_set, folder=tmp_path)
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    assert labels.values.tolist() == [["train", "cat", 3], ["train", "dog", 4], ["test", "cat", 1], ["test", "dog", 0]]
    assert pd.read_parquet(tmp_path / "duplicates.parquet")["kind"].tolist() == ["exact"] * 4
    assert pd.read_parquet(tmp_path / "vocabulary.parquet").empty


def test_a_manifest_of_other_examples_is_refused(example_set, manifest_of):
    manifest = manifest_of(example_set)
    manifest.loc[0, "id"] = "from elsewhere"
    with pytest.raises(DataError, match="data set lacks: from elsewhere"):
        compute_statistics(example_set, manifest)
