"""What `new` chooses for a folder of images."""

from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.data.first_look import FirstLook
from kerasvision.data.recipes import LEAST_SIDE, choose
from kerasvision.data.scaffold import pipeline_text
from kerasvision.errors import DataError
from kerasvision.models.table import NETWORKS


def look(counts, *, side=200, grey=False, split=""):
    files = {label: [Path(f"{label}/{number}.png") for number in range(count)] for label, count in counts.items()}
    return FirstLook(Path("photos"), {split: files}, (side,), grey)


def chosen(seen, *, epochs=None):
    """The experiment of the written file."""
    space = {}
    exec(pipeline_text("new", look=seen, recipe=choose(seen, epochs=epochs)), space)
    return space["EXPERIMENT"]


FEW = {"cat": 200, "dog": 200}


def test_photos_get_a_small_network():
    experiment = chosen(look(FEW))
    assert (experiment.model.name, experiment.model.options, experiment.model.weights) == ("resnet9", {"width": 0.25}, None)
    assert experiment.transform.image_size == (96, 96)


def test_thousands_of_photos_get_a_wider_network_and_fewer_epochs():
    many = chosen(look({"cat": 2000, "dog": 2000}))
    assert many.model.options == {"width": 0.5}
    assert many.training.epochs < chosen(look(FEW)).training.epochs


@pytest.mark.parametrize(("side", "used"), [(28, 28), (45, 44), (3, 8), (48, 48)])
def test_small_images_keep_their_size_and_pass_every_network_by_that_needs_more(side, used):
    experiment = chosen(look(FEW, side=side))
    assert experiment.transform.image_size == (used, used)
    assert experiment.model.name == "resnet9"
    assert next(network.smallest_side for network in NETWORKS if network.name == "resnet9") == LEAST_SIDE


def test_grey_scans_are_not_mirrored_and_have_one_channel():
    for side in (28, 200):
        experiment = chosen(look(FEW, side=side, grey=True))
        assert experiment.transform.color_mode == "grayscale"
        assert not [one for one in experiment.augment if isinstance(one, c.RandomFlip)]


def test_classes_have_their_share_in_each_split_and_few_images_mostly_train():
    recipe = choose(look(FEW))
    assert recipe.split_sizes == {"train": 300, "validation": 40, "test": 60}
    assert recipe.expected["test"] == {"cat": 30, "dog": 30}
    assert chosen(look(FEW)).splits == c.Splits(validation=0.1, test=0.15, stratify=True)


def test_given_splits_are_used_and_named():
    seen = FirstLook(
        Path("photos"),
        {"train": look(FEW).files[""], "validation": look({"cat": 20, "dog": 30}).files[""]},
        (200,),
        False,
    )
    recipe = choose(seen)
    assert recipe.split_sizes == {"train": 340, "validation": 50, "test": 60}
    assert "The folders for train and validation are kept" in pipeline_text("new", look=seen, recipe=recipe)


def test_the_margin_of_the_test_images_is_that_of_a_binomial_share():
    # 1.96 * sqrt(0.8 * 0.2 / 60) = 0.101
    recipe = choose(look(FEW))
    assert "With 60 test images, an accuracy of 0.8 is known to +- 0.10." in recipe.choices[0].why


# --- Uneven and tiny folders


def test_one_image_per_class_is_refused():
    with pytest.raises(DataError, match="at least 2 images: .*; received '3 classes with 1 image each'"):
        choose(look({"cat": 1, "dog": 1, "owl": 1}))


def test_a_handful_of_images_is_divided_without_validation():
    recipe = choose(look({"cat": 2, "dog": 2}))
    assert recipe.split_sizes == {"train": 2, "validation": 0, "test": 2}
    assert chosen(look({"cat": 2, "dog": 2})).training.batch_size == 2


def test_classes_of_1_and_10000_are_judged_class_by_class_and_the_lone_image_only_trains():
    uneven = look({"cat": 10_000, "dog": 1})
    recipe = choose(uneven)
    assert recipe.unjudged == ("dog",)
    assert recipe.expected["train"]["dog"] == 1
    (rule,) = chosen(uneven).gate.rules
    # The model that always answers cat has an accuracy of 0.9999, and a balanced accuracy of 0.5.
    assert (rule.metric, rule.value) == ("balanced_accuracy", 0.51)


def test_always_answering_the_largest_class_does_not_pass_the_gate():
    (rule,) = chosen(look({"cat": 290, "dog": 710})).gate.rules
    assert (rule.metric, rule.value) == ("accuracy", 0.72)


def test_wanted_epochs_are_used():
    assert chosen(look(FEW), epochs=7).training.epochs == 7
