"""All splits of a data set are read as its train split."""

from kerasvision.data.all_images import AllImages


def test_the_train_split_has_every_image_once_and_no_other_split_has_any(stripes):
    images = AllImages(stripes.examples)
    ids = [example["id"].decode() for example in images.dataset("train").as_numpy_iterator()]
    # `stripes` has 96 images to train, 24 to validate and 24 to test: 000.png to 143.png.
    assert sorted(ids) == [f"{number:03d}.png" for number in range(144)]
    assert images.splits == ("train",)
    assert [images.count(split) for split in ("train", "validation", "test")] == [144, 0, 0]
    assert [images.encoded_bytes(split) > 0 for split in ("train", "validation", "test")] == [True, False, False]


def test_the_order_is_the_same_every_time(stripes):
    first, second = (
        [example["id"] for example in AllImages(stripes.examples).dataset("train").as_numpy_iterator()] for _ in range(2)
    )
    assert first == second
