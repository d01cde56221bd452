"""Each source gives the right images with the right labels, and reports at once what it cannot read."""

import gzip
import io
import itertools
import struct
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.sources import Shapes
from kerasvision.errors import DataError

FASHION_MNIST = Path(__file__).parents[4] / "shared" / "data" / "fashion-mnist"


def read(source):
    return list(lookup.load(source.implementation)(source))


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


# --- Digits


def test_digits_are_all_1797_of_scikit_learn_in_its_order():
    records, digits = read(c.Digits()), load_digits()
    assert len(records) == 1797
    assert [record.label for record in records] == [str(label) for label in digits.target]
    assert {record.split for record in records} == {None}


def test_digits_spread_17_grey_levels_over_256():
    first = next(iter(read(c.Digits())))
    # Level 0 is black and 16 white; 8 lies in their middle, at 127.5.
    levels = load_digits().images[0]
    assert np.abs(pixels(first.load()) - levels * 255 / 16).max() <= 0.5
    assert pixels(first.load()).shape == (8, 8)


def test_digits_have_the_same_bytes_every_time():
    assert [record.load() for record in read(c.Digits())] == [record.load() for record in read(c.Digits())]


# --- ImageFolder


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return c.ImageFolder(path=root)


def described(source):
    return [(record.name, record.label, record.split) for record in read(source)]


def test_class_folders_give_labels_and_no_splits(tmp_path):
    source = touch(tmp_path, "dog/2.jpg", "cat/1.png", "dog/1.jpg")
    assert described(source) == [("cat/1.png", "cat", None), ("dog/1.jpg", "dog", None), ("dog/2.jpg", "dog", None)]


def test_split_folders_give_splits(tmp_path):
    source = touch(tmp_path, "train/cat/1.jpg", "val/cat/1.jpg", "Test/dog/1.jpg")
    assert described(source) == [
        ("Test/dog/1.jpg", "dog", "test"),
        ("train/cat/1.jpg", "cat", "train"),
        ("val/cat/1.jpg", "cat", "validation"),
    ]


def test_one_folder_that_is_no_split_makes_all_of_them_classes(tmp_path):
    source = touch(tmp_path, "train/steam/1.jpg", "plane/1.jpg")
    assert {label for _, label, _ in described(source)} == {"train", "plane"}


def test_folders_within_a_class_belong_to_it(tmp_path):
    assert described(touch(tmp_path, "cat/kitten/1.jpg", "dog/1.jpg"))[0] == ("cat/kitten/1.jpg", "cat", None)


def test_hidden_files_and_what_lies_beside_the_classes_are_left_alone(tmp_path):
    source = touch(tmp_path, "cat/1.jpg", "cat/.DS_Store", "cat/.cache/2.jpg", ".git/3.jpg", "LICENSE.txt")
    assert described(source) == [("cat/1.jpg", "cat", None)]


def test_every_visible_file_counts_for_the_fingerprint(tmp_path):
    source = touch(tmp_path, "cat/1.jpg", "cat/.DS_Store", "dog/notes.txt")
    assert {name for name, _ in source.files()} == {"cat/1.jpg", "dog/notes.txt"}


def test_a_record_loads_the_bytes_of_its_file(tmp_path):
    assert read(touch(tmp_path, "cat/1.jpg"))[0].load() == b"cat/1.jpg"


def test_an_empty_class_folder_is_named(tmp_path):
    source = touch(tmp_path, "cat/1.jpg", "dog/.keep")
    with pytest.raises(DataError, match="class folder .*/dog is empty"):
        read(source)


def test_a_folder_without_class_folders_is_refused(tmp_path):
    with pytest.raises(DataError, match="contains no class folders"):
        read(touch(tmp_path, "1.jpg"))


def test_images_without_labels_are_read_from_every_folder(tmp_path):
    touch(tmp_path, "1.jpg", "walk/2.png", "walk/dog/3.jpg", "LICENSE.txt")
    source = c.ImageFolder(path=tmp_path, labels=False)
    assert described(source) == [("1.jpg", "", None), ("walk/2.png", "", None), ("walk/dog/3.jpg", "", None)]


def test_split_folders_of_images_without_labels_give_splits(tmp_path):
    touch(tmp_path, "train/1.jpg", "train/deep/2.jpg", "test/3.jpg")
    source = c.ImageFolder(path=tmp_path, labels=False)
    assert described(source) == [("test/3.jpg", "", "test"), ("train/1.jpg", "", "train"), ("train/deep/2.jpg", "", "train")]
    touch(tmp_path, "walk/4.jpg")
    assert {split for _, _, split in described(source)} == {None}


def test_a_folder_without_any_image_is_refused(tmp_path):
    touch(tmp_path, "LICENSE.txt")
    with pytest.raises(DataError, match="contains no file that is named like an image"):
        read(c.ImageFolder(path=tmp_path, labels=False))


def test_a_missing_folder_is_told(tmp_path):
    source = c.ImageFolder(path=tmp_path / "nothing")
    with pytest.raises(DataError, match="there is no folder .*/nothing"):
        list(source.files())
    with pytest.raises(DataError, match="there is no folder .*/nothing"):
        read(source)


def test_a_link_to_nowhere_is_a_record_that_cannot_be_read(tmp_path):
    source = touch(tmp_path, "cat/1.jpg")
    (tmp_path / "cat" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    assert [name for name, _, _ in described(source)] == ["cat/1.jpg", "cat/2.jpg"]
    with pytest.raises(OSError, match="No such file"):
        read(source)[1].load()


def test_a_link_that_leads_out_of_the_folder_is_followed_as_people_mean_it(tmp_path):
    # Unlike a path in a table, a link in a class folder was made by the owner of the folder.
    (tmp_path / "elsewhere.jpg").write_bytes(b"elsewhere")
    source = touch(tmp_path / "data", "cat/1.jpg")
    (tmp_path / "data" / "cat" / "2.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert [record.load() for record in read(source)] == [b"cat/1.jpg", b"elsewhere"]
    assert {name for name, _ in source.files()} == {"cat/1.jpg", "cat/2.jpg"}


def test_files_of_one_stem_and_names_in_any_script_stay_apart(tmp_path):
    names = ["größe/1.jpeg", "größe/1.jpg", "größe/1.png", "猫/写真 1.jpg", "猫/é.jpg", "猫/e\u0301.jpg"]
    source = touch(tmp_path, *names)
    assert sorted(record.name for record in read(source)) == sorted(names)
    assert {record.label for record in read(source)} == {"größe", "猫"}
    assert [record.load().decode() for record in read(source)] == [record.name for record in read(source)]


# --- Idx


def idx_bytes(array, *, kind=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx(folder, **changed):
    """The four files: 3 training images and 2 test images of 2 x 3 pixels; `changed` replaces some, None removes."""
    arrays = {
        "train_images_idx3": np.arange(18).reshape(3, 2, 3),
        "train_labels_idx1": np.array([1, 0, 2]),
        "t10k_images_idx3": np.arange(100, 112).reshape(2, 2, 3),
        "t10k_labels_idx1": np.array([2, 2]),
    }
    files = {name: idx_bytes(array) for name, array in arrays.items()} | changed
    for name, data in files.items():
        if data is not None:
            (folder / f"{name.replace('_', '-')}-ubyte.gz").write_bytes(gzip.compress(data))
    return c.Idx(path=folder)


def test_idx_gives_images_labels_and_splits(tmp_path):
    records = read(write_idx(tmp_path))
    assert [(record.name, record.label, record.split) for record in records] == [
        ("train/00000.png", "1", "train"),
        ("train/00001.png", "0", "train"),
        ("train/00002.png", "2", "train"),
        ("test/00000.png", "2", "test"),
        ("test/00001.png", "2", "test"),
    ]
    assert pixels(records[1].load()).tolist() == [[6, 7, 8], [9, 10, 11]]
    assert pixels(records[3].load()).tolist() == [[100, 101, 102], [103, 104, 105]]


def test_idx_names_its_classes(tmp_path):
    source = write_idx(tmp_path).model_copy(update={"class_names": ("shirt", "shoe", "bag")})
    assert [record.label for record in read(source)] == ["shoe", "shirt", "bag", "bag", "bag"]


def test_idx_stops_each_split_at_the_most_asked_for(tmp_path):
    source = write_idx(tmp_path).model_copy(update={"max_examples": 1})
    assert [record.name for record in read(source)] == ["train/00000.png", "test/00000.png"]


def test_idx_lists_its_four_files(tmp_path):
    source = write_idx(tmp_path)
    (tmp_path / "README").touch()
    assert sorted(name for name, _ in source.files()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


WHOLE = idx_bytes(np.arange(18).reshape(3, 2, 3))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"t10k_images_idx3": None}, "there is no file .*t10k-images-idx3-ubyte.gz"),
        ({"train_images_idx3": WHOLE[:-1]}, "should contain 18 values, and contains 17"),
        ({"train_images_idx3": WHOLE + b"\0"}, "should contain 18 values, and contains more"),
        ({"train_images_idx3": WHOLE[:10]}, "is not an idx file of unsigned bytes"),
        ({"train_images_idx3": b""}, "is not an idx file of unsigned bytes"),
        ({"train_images_idx3": b"\1" + WHOLE[1:]}, "is not an idx file of unsigned bytes"),
        ({"train_images_idx3": idx_bytes(np.zeros((3, 2, 3)), kind=0x0D)}, "is not an idx file of unsigned bytes"),
        # 2**66: as a 64-bit number that is 0, the number of values that are there.
        ({"train_images_idx3": struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**22] * 3)}, "should contain 73786976294838206464"),
        ({"train_images_idx3": idx_bytes(np.arange(3))}, "is not an idx file of unsigned bytes in 3 dimensions"),
        ({"train_labels_idx1": WHOLE}, "is not an idx file of unsigned bytes in 1 dimensions"),
        ({"train_labels_idx1": idx_bytes(np.array([1, 0]))}, "train has 3 images and 2 labels"),
    ],
)
def test_idx_files_that_do_not_hold_what_they_say_are_refused(changed, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read(write_idx(tmp_path, **changed))


def test_no_more_of_an_idx_file_is_unpacked_than_its_header_claims(tmp_path):
    source = write_idx(tmp_path, train_images_idx3=WHOLE + bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(DataError, match="should contain 18 values, and contains more"):
        read(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_an_idx_file_cut_short_is_refused(tmp_path):
    source = write_idx(tmp_path)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match="train-images-idx3-ubyte.gz cannot be unpacked"):
        read(source)


def test_an_idx_file_that_is_not_compressed_is_refused(tmp_path):
    source = write_idx(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(WHOLE)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz cannot be unpacked: Not a gzipped file"):
        read(source)


def test_a_label_without_a_name_is_refused(tmp_path):
    source = write_idx(tmp_path).model_copy(update={"class_names": ("shirt", "shoe")})
    with pytest.raises(DataError, match=r"label 2 has no name. Name it in source.class_names, which has 2"):
        read(source)


def test_fashion_mnist_is_60000_and_10000_images_of_ten_equal_classes():
    if not FASHION_MNIST.is_dir():
        pytest.skip(f"Fashion-MNIST is not at {FASHION_MNIST}")
    records = read(c.Idx(path=FASHION_MNIST))
    counts = Counter((record.split, record.label) for record in records)
    assert counts == {("train", str(n)): 6000 for n in range(10)} | {("test", str(n)): 1000 for n in range(10)}
    assert pixels(records[0].load()).shape == (28, 28)


def test_every_source_of_the_house_can_be_read_twice_with_the_same_result(tmp_path):
    sources = [c.Digits(), write_idx(tmp_path), Shapes(count=20)]
    for source in sources:
        for first, second in itertools.islice(zip(read(source), read(source), strict=True), 50):
            assert (first.name, first.label, first.split, first.load()) == (
                second.name,
                second.label,
                second.split,
                second.load(),
            )
