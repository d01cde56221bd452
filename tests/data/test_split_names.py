"""Names of splits are recognised in every place, and words that only contain them are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision.data.split_names import SPLIT_NAMES, split_of, split_within, splits_among

# As data sets on Kaggle, of COCO, of TensorFlow's Models and of PyTorch's examples have them.
PUBLISHED = {
    "train": ["train", "Train", "TRAIN", "training", "training_set", "Training Images", "train2017", "train1",
              "train-images", "trainset", "TrainData", "trainval", "train_full", "train_split"],
    "validation": ["val", "valid", "validation", "Val2017", "val1", "dev", "eval", "evaluation", "valset", "minival2014",
                   "validation_set", "dev-set"],
    "test": ["test", "testing", "test_set", "test2", "TestImages", "testset", "test-dev2017", "test_images", "test (1)"],
}  # fmt: skip


@pytest.mark.parametrize(("split", "name"), [(split, name) for split, names in PUBLISHED.items() for name in names])
def test_published_names_of_splits_are_seen(split, name):
    assert (split_of(name), split_within(name)) == (split, split)


CLASSES = ["trains", "trainer", "trainers", "tester", "contest", "testudo", "evaluation form", "deviled_eggs", "device",
           "eval_kit", "test tube", "train station", "bullet-train", "valley", "invalid", "valentine", "devil", "retrain",
           "de\u0301test", "images", "set", "2017", "", "train_test", "猫"]  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_names_of_classes_are_no_splits(name):
    assert split_of(name) is None


# Letters that cannot form any word of a split's name.
@given(st.sampled_from(sorted(SPLIT_NAMES)), st.text("bchjkqruwxyz", min_size=1), st.booleans())
def test_a_split_grown_together_with_other_letters_is_another_word(split, letters, before):
    word = letters + split if before else split + letters
    assert (split_of(word), split_within(word), split_of(f"my {word}")) == (None, None, None)


@given(
    st.sampled_from(sorted(SPLIT_NAMES)),
    st.sampled_from(["", "_", "-", " ", "."]),
    st.integers(0, 10**6),
    st.sampled_from(["", "_set", "-images", " data", "_v2"]),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_numbers_signs_plain_words_and_case_change_nothing(split, sign, number, ending, case):
    assert split_of(case(f"{split}{sign}{number}{ending}")) == SPLIT_NAMES[split]


@given(st.text())
def test_any_text_has_an_answer(name):
    assert split_of(name) in ("train", "validation", "test", None)
    assert split_of(name) is None or split_within(name) == split_of(name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "test"], {"train": "train", "test": "test"}),
        (["training_set", "test_set"], {"training_set": "train", "test_set": "test"}),
        (["seg_train", "seg_test", "seg_pred"], {"seg_train": "train", "seg_test": "test"}),
        (["cats-train", "cats-val"], {"cats-train": "train", "cats-val": "validation"}),
        (["train", "test", "sample_submission"], {"train": "train", "test": "test"}),
        (["train1", "train2", "val1"], {"train1": "train", "train2": "train", "val1": "validation"}),
        (["val"], {"val": "validation"}),
        (["train", "plane"], {}),
        (["cats_train", "dogs_train", "cats_test", "dogs_test"], {}),
        (["train station", "test tube"], {}),
        (["valid", "invalid"], {}),
        (["dev", "val", "anna"], {}),
        (["seg_train"], {}),
        (["cat", "dog"], {}),
        ([], {}),
    ],
)
def test_the_splits_of_one_data_set_are_seen_together(names, expected):
    assert splits_among(names) == expected
