"""What `new` chooses for images with objects."""

from collections import Counter
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.data.objects_look import ObjectsLook, for_objects, look_at_objects
from kerasvision.data.recipes_objects import choose_for_objects
from kerasvision.data.scaffold import pipeline_text
from kerasvision.errors import DataError


def look(images=1000, *, side=640, most=30, given=None, is_grey=False, source=None):
    return ObjectsLook(
        images=Path("things"),
        source=source or c.Voc(path="things"),
        counts=Counter(cat=2 * images, dog=images),
        per_image=(0,) * (images - 1) + (most,),
        object_sides=(4, 50, 300),
        given=given or {"": images},
        left_out=0,
        sides=(side,),
        is_grey=is_grey,
    )


def chosen(one, network=None):
    """The settings of the pipeline file that is written."""
    recipe = choose_for_objects(one, network=network)
    space = {}
    exec(compile(pipeline_text("new", look=one, recipe=recipe), "new.py", "exec"), space)
    return recipe, space["EXPERIMENT"]


def test_photos_begin_with_installed_weights():
    recipe, experiment = chosen(look(), "efficientnet_lite0")
    assert recipe.summary == "FCOS on efficientnet_lite0, which begins with ImageNet weights, at 320 x 320 pixels"
    assert (experiment.model.weights, experiment.model.options["backbone"]) == ("imagenet", "efficientnet_lite0")
    assert experiment.transform.fit == "pad"


@pytest.mark.parametrize(
    ("side", "network", "expected"),
    [(640, None, 160), (640, "efficientnet_lite0", 320), (200, "efficientnet_lite0", 224), (96, "efficientnet_lite0", 96),
     (100, None, 128), (10, None, 64)],
)  # fmt: skip
def test_the_image_size_follows_the_photos_in_steps_of_32(side, network, expected):
    _, experiment = chosen(look(side=side), network)
    assert experiment.transform.image_size == (expected, expected)


def test_small_images_are_trained_from_nothing_though_weights_are_installed():
    recipe, experiment = chosen(look(side=96), "efficientnet_lite0")
    assert experiment.model.weights is None
    assert "too few for networks made for photos" in recipe.reason


@pytest.mark.parametrize(("most", "boxes", "candidates"), [(100, 100, 300), (101, 200, 600), (550, 600, 1800)])
def test_every_object_of_the_fullest_image_can_be_found(most, boxes, candidates):
    _, experiment = chosen(look(most=most))
    assert (experiment.task.boxes, experiment.task.candidates) == (boxes, candidates)


@pytest.mark.parametrize(("images", "epochs"), [(100, 100), (1000, 50), (5000, 24), (100_000, 12)])
def test_few_images_are_seen_more_often(images, epochs):
    recipe, experiment = chosen(look(images))
    assert recipe.epochs == experiment.training.epochs == epochs


def test_epochs_that_are_asked_for_take_precedence():
    recipe = choose_for_objects(look(), network=None, epochs=7)
    assert recipe.epochs == 7 and "epochs=7," in pipeline_text("new", look=look(), recipe=recipe)


def test_splits_of_the_folder_are_kept_and_test_images_come_from_train():
    recipe, _ = chosen(look(1000, given={"train": 800, "validation": 200}))
    assert recipe.choices[0].why.startswith("The folder's own validation images are kept. 120 test images judge")
    assert recipe.split_sizes == {"train": 680, "validation": 200, "test": 120}


def test_grey_images_stay_grey_unless_the_weights_expect_colour():
    assert chosen(look(is_grey=True))[1].transform.color_mode == "grayscale"
    assert chosen(look(is_grey=True), "efficientnet_lite0")[1].transform.color_mode == "rgb"


def test_images_that_leave_none_to_judge_by_are_refused():
    with pytest.raises(DataError, match="images to judge by; received 'train 1, validation 0, test 0'"):
        choose_for_objects(look(1), network=None)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (c.Coco(path="things"), c.Coco(path="things", annotations=("instances",), crowds="keep", masks="leave_out")),
        (c.Yolo(path="things"), c.Yolo(path="things", masks="leave_out")),
        (c.Voc(path="things"), c.Voc(path="things")),
    ],
)
def test_the_source_is_written_with_what_a_detector_needs(source, expected):
    assert chosen(look(source=for_objects(source)))[1].source == expected


def test_crowds_are_not_counted_and_images_without_a_use_are(make_images, tmp_path):
    """One of the 72 objects becomes a crowd, and one image is not listed."""
    root = make_images.clean_coco(tmp_path / "things")
    file = root / "annotations" / "instances_train2017.json"
    file.write_text(file.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1))
    (root / "train2017" / "more.jpg").write_bytes((root / "train2017" / "007.jpg").read_bytes())
    seen = look_at_objects(c.Coco(path=root), images=root)
    assert (seen.counts, seen.total, seen.left_out) == ({"cup": 35, "ball": 36}, 72, 1)
    assert (seen.per_image[0], seen.per_image[-1], seen.given) == (0, 1, {"train": 48, "validation": 24})
    assert (seen.sides[0], seen.object_sides[0]) == (48, 11)
