"""What `new` chooses for a folder of images."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data import recipes
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.first_look import FirstLook
from kerasvision.data.recipes import LEAST_SIDE, choose
from kerasvision.data.scaffold import pipeline_text
from kerasvision.errors import ConfigError, DataError
from kerasvision.models.table import NETWORKS


def look(counts, *, side=200, grey=False, split=""):
    files = {label: [Path(f"{label}/{number}.png") for number in range(count)] for label, count in counts.items()}
    return FirstLook(Path("photos"), {split: files}, (side,), grey)


def chosen(seen, *, network=None, epochs=None):
    """The experiment of the written file."""
    space = {}
    exec(pipeline_text("new", look=seen, recipe=choose(seen, network=network, epochs=epochs)), space)
    return space["EXPERIMENT"]


FEW = {"cat": 200, "dog": 200}


LITE = "efficientnet_lite0"


@pytest.mark.parametrize(("network", "side"), [("efficientnet_lite0", 224), ("efficientnet_lite2", 260)])
def test_installed_weights_are_used_for_photos_and_frozen(network, side):
    experiment = chosen(look(FEW), network=network)
    assert (experiment.model.name, experiment.model.weights) == (network, "imagenet")
    assert (experiment.training.freeze, experiment.training.features) == ("backbone", "once")
    # The frozen part is most of the work, and a processor that multiplies bfloat16 fast takes half of the time for it.
    assert experiment.training.precision == "auto"
    assert experiment.augment == ()
    assert experiment.transform.image_size == (side, side)


def test_photos_without_weights_get_a_small_network_and_say_what_is_missing():
    seen = look(FEW)
    experiment = chosen(seen)
    assert (experiment.model.name, experiment.model.options, experiment.model.weights) == ("resnet9", {"width": 0.25}, None)
    assert experiment.transform.image_size == (96, 96)
    assert "`pretrained`" in choose(seen, network=None).reason


@pytest.mark.parametrize(("side", "working_side"), [(999, None), (1000, 192), (3000, 192)])
def test_large_photos_are_reduced_once(side, working_side):
    transform = chosen(look({"a": 80, "b": 80}, side=side)).transform
    assert transform.working_side == working_side
    assert transform.reduced_decoding is (working_side is not None)
    # A frozen network needs each photo once: there is no use in copies.
    frozen = chosen(look({"a": 80, "b": 80}, side=side), network=LITE).transform
    assert (frozen.working_side, frozen.reduced_decoding) == (None, transform.reduced_decoding)


def test_thousands_of_photos_get_a_wider_network_and_fewer_epochs():
    many = chosen(look({"cat": 2000, "dog": 2000}))
    assert many.model.options == {"width": 0.5}
    assert many.training.epochs < chosen(look(FEW)).training.epochs


@pytest.mark.parametrize("grey", [False, True])
def test_long_training_of_many_photos_gets_stronger_augmentation_and_averaged_weights(grey):
    many = look({"cat": 2000, "dog": 2000}, grey=grey)
    short, long = chosen(many), chosen(many, epochs=80)
    assert {type(one) for one in long.augment} - {type(one) for one in short.augment} >= {c.RandomErasing, c.CutMix}
    assert any(isinstance(one, c.RandAugment) for one in long.augment) is not grey
    assert (short.training.average_decay, short.training.plain_epochs) == (None, 0)
    assert (long.training.average_decay, long.training.plain_epochs) == (0.999, 4)


@pytest.mark.parametrize("seen", [{"side": 28}, {}])
def test_long_training_of_few_or_small_images_keeps_its_augmentation(seen):
    images = look({"cat": 2000, "dog": 2000} if seen else FEW, **seen)
    assert chosen(images, epochs=80).augment == chosen(images).augment


@pytest.mark.parametrize("network", [None, LITE])
@pytest.mark.parametrize(("side", "used"), [(28, 28), (45, 44), (3, 8), (48, 48)])
def test_small_images_keep_their_size_and_pass_every_network_by_that_needs_more(side, used, network):
    experiment = chosen(look(FEW, side=side), network=network)
    assert experiment.transform.image_size == (used, used)
    assert experiment.model.name == "resnet9"
    assert next(network.smallest_side for network in NETWORKS if network.name == "resnet9") == LEAST_SIDE


def test_grey_scans_are_not_mirrored_and_have_one_channel():
    for side in (28, 200):
        experiment = chosen(look(FEW, side=side, grey=True))
        assert experiment.transform.color_mode == "grayscale"
        assert not [one for one in experiment.augment if isinstance(one, c.RandomFlip)]


def test_grey_scans_get_three_channels_for_weights_of_colour_photos_and_the_file_says_so():
    seen = look(FEW, grey=True)
    assert chosen(seen, network=LITE).transform.color_mode == "rgb"
    text = pipeline_text("new", look=seen, recipe=choose(seen, network=LITE))
    assert "each channel gets the same grey values" in text


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("side", [10, 200])
def test_the_augmentation_of_a_recipe_runs_on_its_images(side, grey):
    experiment = chosen(look(FEW, side=side, grey=grey))
    augmenter = make_augmentation(experiment.augment)
    images = tf.random.stateless_uniform((2, *experiment.transform.image_shape), (0, 0), maxval=255.0)
    numbers = tf.random.stateless_uniform((2, augmenter.draws), (0, 1))
    changed = augmenter({"image": images}, numbers)["image"]
    assert changed.shape == images.shape
    assert not np.allclose(changed, images)


def test_classes_have_their_share_in_each_split_and_few_images_mostly_train():
    recipe = choose(look(FEW), network=None)
    assert recipe.split_sizes == {"train": 300, "validation": 40, "test": 60}
    assert recipe.expected["test"] == {"cat": 30, "dog": 30}
    assert chosen(look(FEW)).splits == c.Splits(validation=0.1, test=0.15, stratify=True)


@pytest.mark.parametrize("network", [None, LITE])
def test_of_few_images_all_teach_the_network_that_is_pushed_and_the_file_says_why(network):
    recipe = choose(look(FEW), network=network)
    assert chosen(look(FEW), network=network).training.final == "all"
    assert recipe.trainings == [300, 400]
    text = " ".join(pipeline_text("new", look=look(FEW), recipe=recipe).replace("#", "").split())
    assert "another one is trained on all 400 images and pushed" in text


@pytest.mark.parametrize("network", [None, LITE])
def test_many_images_and_a_persons_own_test_images_teach_no_second_network(network):
    many = look({"cat": 1_000, "dog": 1_000})
    own = FirstLook(
        Path("photos"), {"train": look(FEW).files[""], "test": look({"cat": 20, "dog": 30}).files[""]}, (200,), False
    )
    for seen, train in ((many, 1_600), (own, 360)):
        recipe = choose(seen, network=network)
        assert (recipe.is_final, recipe.trainings) == (False, [train])
        assert chosen(seen, network=network).training.final is None


def test_given_splits_are_used_and_named():
    seen = FirstLook(
        Path("photos"),
        {"train": look(FEW).files[""], "validation": look({"cat": 20, "dog": 30}).files[""]},
        (200,),
        False,
    )
    recipe = choose(seen, network=None)
    assert recipe.split_sizes == {"train": 340, "validation": 50, "test": 60}
    assert "The folders for train and validation are kept" in pipeline_text("new", look=seen, recipe=recipe)


def test_the_margin_of_the_test_images_is_that_of_a_binomial_share():
    # 1.96 * sqrt(0.8 * 0.2 / 60) = 0.101
    recipe = choose(look(FEW), network=None)
    assert "With 60 test images, an accuracy of 0.8 is known to +- 0.10." in recipe.choices[0].why


# --- Uneven and tiny folders


def test_one_image_per_class_is_refused():
    with pytest.raises(DataError, match="at least 2 images: .*; received '3 classes with 1 image each'"):
        choose(look({"cat": 1, "dog": 1, "owl": 1}), network=None)


def test_a_handful_of_images_is_divided_without_validation():
    recipe = choose(look({"cat": 2, "dog": 2}), network=None)
    assert recipe.split_sizes == {"train": 2, "validation": 0, "test": 2}
    assert chosen(look({"cat": 2, "dog": 2})).training.batch_size == 2


def test_classes_of_1_and_10000_are_judged_class_by_class_and_the_lone_image_only_trains():
    uneven = look({"cat": 10_000, "dog": 1})
    recipe = choose(uneven, network=None)
    assert recipe.unjudged == ("dog",)
    assert recipe.expected["train"]["dog"] == 1
    (rule,) = chosen(uneven).gate.rules
    assert (rule.metric, rule.value) == ("balanced_accuracy", 0.51)
    # All test images are cats.
    assert "Only 'cat' has test images: a model that always predicts it passes every gate." in recipe.choices[-1].why


def test_the_gate_counts_the_classes_that_have_test_images():
    """Of three classes two have some. Always answering one of them has a balanced accuracy of 0.5 there, not 0.33."""
    seen = look({"cat": 200, "dog": 200, "owl": 2})
    assert choose(seen, network=None).unjudged == ("owl",)
    (rule,) = chosen(seen).gate.rules
    assert (rule.metric, rule.value) == ("balanced_accuracy", 0.51)


def test_the_gate_is_above_the_largest_class_of_the_given_test_images():
    test = look({"cat": 30, "dog": 10}).files[""]
    seen = FirstLook(Path("photos"), {"train": look({"cat": 100, "dog": 100}).files[""], "test": test}, (200,), False)
    (rule,) = chosen(seen).gate.rules
    assert (rule.metric, rule.value) == ("accuracy", 0.76)


def test_split_folders_without_test_images_are_named():
    given = {"train": look({"cat": 2, "dog": 2}).files[""], "validation": look({"cat": 50, "dog": 50}).files[""]}
    with pytest.raises(
        DataError, match="the split test would have none; received .*validation 100, test 0.*Add a folder test"
    ):
        choose(FirstLook(Path("photos"), given, (200,), False), network=None)


@pytest.mark.parametrize(
    ("network", "cells"), [("efficientnet_lite0", 7), ("efficientnet_lite1", 8), ("efficientnet_lite2", 9)]
)
def test_a_frozen_network_gets_no_more_images_than_its_maps_have_room_for(network, cells):
    most = int(c.Training().memory_budget_gb * 1e9 / (cells * cells * 1280 * 4))
    assert recipes.most_with_maps(network) == most
    fits, is_too_large = (look({"cat": count // 2, "dog": count - count // 2}) for count in (most, most + 1))
    assert chosen(fits, network=network).model.name == network
    assert chosen(is_too_large, network=network).model.name == "resnet9"
    assert f"the maps of at most {most:,} would fit into 4 GB" in choose(is_too_large, network=network).reason


@pytest.mark.parametrize(("counts", "weights"), [((80, 80), None), ((80, 10), "balanced"), ((400, 10), None)])
def test_uneven_classes_are_balanced_unless_single_images_would_weigh_most(counts, weights):
    for network in (None, LITE):
        experiment = chosen(look(dict(zip(("cat", "dog"), counts, strict=True))), network=network)
        assert experiment.task.class_weights == weights


def test_always_answering_the_largest_class_does_not_pass_the_gate():
    (rule,) = chosen(look({"cat": 290, "dog": 710})).gate.rules
    assert (rule.metric, rule.value) == ("accuracy", 0.72)


def test_wanted_epochs_are_used():
    for network in (None, LITE):
        assert chosen(look(FEW), network=network, epochs=7).training.epochs == 7


def test_head_gets_no_more_epochs_than_its_recipe_has():
    assert chosen(look(FEW), network=LITE, epochs=5_000).training.epochs == chosen(look(FEW), network=LITE).training.epochs


def test_the_smallest_installed_network_is_chosen(monkeypatch):
    installed = {"efficientnet_lite2", "efficientnet_lite1"}

    def packaged_file(network):
        if network not in installed:
            raise ConfigError("not installed")

    monkeypatch.setattr(recipes, "packaged_file", packaged_file)
    assert recipes.installed_network() == "efficientnet_lite1"
    installed.clear()
    assert recipes.installed_network() is None
