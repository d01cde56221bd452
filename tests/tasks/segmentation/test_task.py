"""Segmentation from an example to answers: what is learned of objects, and that maps come back to their places."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import jaccard_score

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, DataError
from kerasvision.ops.places import Places
from kerasvision.tasks.base import make_task
from kerasvision.tasks.segmentation.painting import painted
from kerasvision.tasks.segmentation.truth import ImageMap, image_maps, resized

NAMES = ("background", "cat", "dog")
FRAME = (96, 96)


@pytest.fixture(scope="module")
def task():
    return make_task(c.Segmentation(), NAMES)


def things(masks, labels, areas):
    """Objects of one example, as training has them."""
    return {
        "mask": tf.constant(np.array(masks, np.uint8)),
        "label": tf.constant(labels, tf.int64),
        "area": tf.constant(areas, tf.float32),
    }


# --- Painting


def test_small_objects_stay_visible_and_the_order_of_the_source_can_be_kept():
    objects = things([[[1, 1, 0]], [[1, 1, 1]]], [0, 1], [2.0, 3.0])
    assert painted(objects, settings=c.Segmentation()).numpy().tolist() == [[1, 1, 2]]
    assert painted(objects, settings=c.Segmentation(order="as_listed")).numpy().tolist() == [[2, 2, 2]]


def test_rows_without_an_object_and_images_without_objects_are_background():
    padding = things([[[1, 1]], [[1, 0]]], [-1, 1], [9.0, 1.0])
    assert painted(padding, settings=c.Segmentation()).numpy().tolist() == [[2, 0]]
    none = things(np.zeros((0, 1, 2)), np.zeros(0), np.zeros(0))
    assert painted(none, settings=c.Segmentation()).numpy().tolist() == [[0, 0]]


@pytest.mark.parametrize("order", ["largest_first", "as_listed"])
def test_what_is_judged_is_painted_like_what_is_learned(order, png):
    random, settings = np.random.default_rng(0), c.Segmentation(order=order)
    masks = (random.random((7, 6, 5)) < 0.4).astype(np.uint8)
    labels, areas = random.integers(-1, 200, 7), random.integers(1, 4, 7).astype(float)
    learned = painted(things(masks, labels, areas), settings=settings).numpy()
    objects = {
        "mask": tf.constant([[png(mask * 255) for mask in masks]]),
        "label": tf.constant(labels[None]),
        "area": tf.constant(areas[None], tf.float32),
    }
    (truth,) = image_maps({"objects": objects}, settings=settings)
    assert truth.pixels((1, 1)).tolist() == learned.tolist()


def test_ragged_and_padded_objects_give_the_same_truth(png):
    pngs = [[png([[255, 0]]), png([[0, 255]])], [png([[255, 255]]), b""]]
    dense = {"mask": tf.constant(pngs), "label": tf.constant([[0, 1], [1, -1]]), "area": tf.ones((2, 2))}
    ragged = {name: tf.ragged.boolean_mask(part, dense["label"] >= 0) for name, part in dense.items()}
    maps = [image_maps({"objects": one}, settings=c.Segmentation()) for one in (dense, ragged)]
    for found in maps:
        assert [one.pixels((1, 1)).tolist() for one in found] == [[[1, 2]], [[2, 2]]]


def test_an_image_without_objects_is_background_in_its_size(png):
    assert ImageMap().pixels((2, 3)).tolist() == [[0, 0, 0]] * 2


def test_examples_keep_one_map_instead_of_their_objects(task):
    example = {"image": tf.zeros((1, 3, 3)), "id": "a", "objects": things([[[1, 1, 0]]], [0], [2.0])}
    covered = tf.constant([[False, True, True]])
    assert task.reduced(example)["label_map"].numpy().tolist() == [[1, 1, 0]]
    assert task.reduced({**example, "covered": covered})["label_map"].numpy().tolist() == [[255, 1, 0]]
    assert "objects" not in task.reduced(example)
    given = {**example, "label_map": tf.constant([[2, 2, 2]], tf.uint8)}
    assert task.reduced(given)["label_map"].numpy().tolist() == [[2, 2, 2]]


def test_what_lies_around_a_padded_image_is_ignored(task, png):
    transform = ImageTransform(c.Transform(image_size=(4, 4), fit="pad"), (0.0,) * 3, (1.0,) * 3)
    objects = {
        "bbox": tf.constant([[0.0, 0.0, 1.0, 0.5]]),
        "label": tf.constant([1], tf.int64),
        "area": tf.constant([4.0]),
        "mask": tf.constant([png([[255, 255, 0, 0]] * 2)]),
    }
    example = {"image": tf.constant(png(np.zeros((2, 4, 3)))), "id": "a", "objects": objects}
    found = task.reduced(transform.prepared(example))["label_map"].numpy()
    assert found.tolist() == [[255] * 4, [2, 2, 0, 0], [2, 2, 0, 0], [255] * 4]


def test_images_without_maps_are_refused_with_the_way_out(task):
    with pytest.raises(DataError, match="Choose a source with maps or masks"):
        task.encode({"image": tf.zeros((1, 8, 8, 3))})
    with pytest.raises(DataError, match="Choose a source with maps or masks"):
        task.truth({"objects": {"bbox": tf.zeros((1, 1, 4))}})


def test_a_map_follows_the_pixels_of_images_that_were_cut_together(task):
    numbers = tf.constant([[[0, 2]]], tf.uint8)
    _, targets = task.encode({"image": tf.zeros((1, 1, 2, 3)), "label_map": numbers, "label_shares": tf.ones((1, 1))})
    assert targets.numpy().tolist() == numbers.numpy().tolist()


# --- The network


def test_a_network_without_a_map_is_refused_with_the_way_out(task):
    with pytest.raises(ConfigError, match=r"must return a logit for each class in each pixel, float32 \(N, 32, 32, 3\)"):
        task.build(c.Model(name="lenet5"), image_shape=(32, 32, 3))


def test_auxiliary_heads_train_and_are_left_out_of_the_saved_network(task):
    network = task.build(c.Model(name="pixel_network:pixels"), image_shape=(8, 8, 3))
    assert set(network.output) == {"logits", "auxiliary_logits"}
    assert task.trained(network).output_shape == (None, 8, 8, 3)


# --- Answers


class Colours:
    """A network whose logits are the channels of its image, times 20."""

    def __call__(self, images, training):
        return images * 20.0


def painted_picture(size, *, top=0.2, left=0.3):
    """A class for each pixel of an image: two discs on the background. uint8 (H, W)."""
    y, x = (np.arange(side) + 0.5 for side in size)
    radius = 0.25 * min(size)
    numbers = np.zeros(size, np.uint8)
    for number, (down, right) in ((1, (top, left)), (2, (0.7, 0.7))):
        numbers[np.hypot(y[:, None] - down * size[0], x - right * size[1]) < radius] = number
    return numbers


def as_photo(numbers, *, orientation=1):
    """A PNG or, turned by EXIF, a JPEG in which channel k is white where the class is k."""
    photo = Image.fromarray((np.eye(3)[numbers] * 255).astype(np.uint8))
    if orientation == 1:
        file = io.BytesIO()
        photo.save(file, "PNG")
        return file.getvalue()
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    turned = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}[orientation]
    photo.transpose(turned).save(file, "JPEG", exif=exif, quality=97, subsampling=0)
    return file.getvalue()


def came_back(task, photo, *, fit):
    """The answers for an encoded image, through the transform, the network, and back."""
    transform = ImageTransform(c.Transform(image_size=FRAME, fit=fit), (0.0,) * 3, (1.0,) * 3)
    pixels, placement, size = transform.placed(tf.constant(photo))
    places = Places(*(part[None] for part in placement), size[None], frame=FRAME)
    answers = task.predictor(Colours())(transform.scaled(pixels)[None])
    return {name: value.numpy() for name, value in task.placed_back(answers, places).items()}


def mean_iou(truth, answer):
    seen = answer != 255
    return jaccard_score(truth[seen], answer[seen], average=None).mean()


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(200, 300), (310, 150), (60, 90)])
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_a_painted_map_comes_back_to_the_original_image(fit, size, orientation, task):
    truth = painted_picture(size)
    found = came_back(task, as_photo(truth, orientation=orientation), fit=fit)
    answer = np.asarray(Image.open(io.BytesIO(found["mask_png_bytes"][0])))
    assert answer.shape == size
    assert found["image_size"].tolist() == [list(size)]
    assert mean_iou(truth, answer) >= 0.98
    np.testing.assert_allclose(found["shares"][0], [(answer == number).mean() for number in range(3)], atol=1e-6)


def test_class_numbers_alone_would_come_back_with_rougher_borders(task):
    # The evidence for interpolating logits: the same network, and the nearest class number.
    truth = painted_picture((200, 300))
    small = resized(truth, (64, 96))
    nearest = mean_iou(truth, resized(small, truth.shape))
    found = came_back(task, as_photo(truth), fit="pad")
    assert mean_iou(truth, np.asarray(Image.open(io.BytesIO(found["mask_png_bytes"][0])))) > nearest + 0.01


def test_what_was_cut_off_has_no_answer(task):
    found = came_back(task, as_photo(painted_picture((96, 192))), fit="crop")
    answer = np.asarray(Image.open(io.BytesIO(found["mask_png_bytes"][0])))
    assert ((answer == 255) == np.repeat([[True, False, True]], [48, 96, 48], axis=1)).all()
    assert found["shares"].sum() == pytest.approx(0.5)


def test_a_row_without_an_image_does_not_stop_the_others(task):
    answers = task.predictor(Colours())(tf.zeros((2, *FRAME, 3)))
    sizes = tf.constant([[0, 0], [4, 5]])
    found = task.placed_back(answers, Places(tf.ones((2, 2)), tf.zeros((2, 2)), sizes, frame=FRAME))
    assert np.asarray(Image.open(io.BytesIO(found["mask_png_bytes"].numpy()[1]))).shape == (4, 5)
    assert np.isfinite(found["shares"].numpy()).all()


def test_large_images_are_enlarged_in_strips_without_a_seam(task, monkeypatch):
    from kerasvision.tasks.segmentation import answers

    photo = as_photo(painted_picture((200, 300)))
    whole = came_back(task, photo, fit="pad")["mask_png_bytes"][0]
    monkeypatch.setattr(answers, "STRIP_NUMBERS", 7 * 3 * 300)  # seven rows of three classes
    assert came_back(task, photo, fit="pad")["mask_png_bytes"][0] == whole


def test_probabilities_come_with_the_place_of_the_image(task):
    signature = task.extra_signatures(Colours())["probabilities"]
    places = Places(tf.constant([[0.5, 0.5]]), tf.constant([[24.0, 0.0]]), tf.constant([[96, 192]]), frame=FRAME)
    found = task.placed_back(signature.answer(tf.random.uniform((1, *FRAME, 3), seed=0)), places)
    np.testing.assert_allclose(found["probabilities"].numpy().sum(axis=-1), 1.0, atol=1e-6)
    assert found["image_box"].numpy().tolist() == [[0.25, 0.0, 0.75, 1.0]]


def test_pixels_and_shares_of_the_predictor_agree(task):
    images = tf.random.uniform((2, 8, 8, 3), seed=1)
    found = {name: value.numpy() for name, value in task.predictor(Colours())(images).items()}
    assert (found["class_numbers"] == images.numpy().argmax(axis=-1)).all()
    for numbers, shares in zip(found["class_numbers"], found["shares"], strict=True):
        np.testing.assert_allclose(shares, [(numbers == number).mean() for number in range(3)], atol=1e-6)
    assert found["classes"].tolist() == [[name.encode() for name in NAMES]] * 2
    assert "logits" not in task.in_frame(found)


# --- What an evaluation keeps


def kept_bytes(measured):
    parts = [value.tolist() if value.dtype == object else [value.tobytes()] for value in measured[1].values()]
    return sum(len(value) for part in parts for value in part)


def test_an_evaluation_keeps_as_much_of_images_of_twice_the_side(task, png):
    def measure(side):
        maps = [painted_picture((side, side), left=place) for place in np.linspace(0.2, 0.8, 4)]
        truth = np.empty(4, object)
        truth[:] = [ImageMap(png=png(one)) for one in maps]
        pngs = np.array([png(one) for one in maps[1:] + maps[:1]], object)
        return task.measured(truth, {"mask_png_bytes": pngs})

    small, large = kept_bytes(measure(256)), kept_bytes(measure(512))
    assert large <= 1.1 * small


def test_answers_of_other_classes_are_refused(task, png):
    truth = np.empty(1, object)
    truth[:] = [ImageMap(png=png([[0, 1]]))]
    other = np.array([[b"background", b"dog", b"cat"]], object)
    with pytest.raises(DataError, match="must answer with the classes background, cat, dog"):
        task.measured(truth, {"mask_png_bytes": np.array([png([[0, 1]])], object), "classes": other})


def test_an_answer_of_another_size_is_refused(task, png):
    truth = np.empty(1, object)
    truth[:] = [ImageMap(png=png([[0, 1]]))]
    with pytest.raises(DataError, match="must have the size of its image, 1 x 2; received one of 2 x 1"):
        task.measured(truth, {"mask_png_bytes": np.array([png([[0], [1]])], object)})


# --- Simple models


def test_simple_models_learn_a_class_a_place_and_a_colour(task, png):
    random = np.random.default_rng(0)
    maps = [np.where(random.random((16, 16)) < 0.4, 1, 0).astype(np.uint8) for _ in range(6)]
    for one in maps:
        one[:4] = 2
    images = np.stack([np.eye(3, dtype=np.float32)[one] for one in maps])
    truth = np.empty(6, object)
    truth[:] = [ImageMap(png=png(one)) for one in maps]
    scores = {}
    for name, fit in task.baselines().items():
        kept, measured = task.measured(truth, fit(images, truth)(images))
        scores[name] = task.judge(ids=list("abcdef"), truth=kept, predictions=measured).scores["pixel_accuracy"]
    assert scores["commonest class"] == pytest.approx(np.mean(np.stack(maps) == 0))
    assert scores["class by place"] > scores["commonest class"] + 0.2
    assert scores["softmax of colour and place"] == pytest.approx(1.0)
