"""How long a training takes: two short trainings of the experiment itself are measured."""

import numpy as np
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.training.probes.training_time import TrainingTime, training_time


@pytest.fixture
def files(tmp_path):
    """Class -> 7 images of 12 x 12 pixels."""
    random = np.random.default_rng(0)
    found = {}
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        found[label] = [tmp_path / label / f"{number}.png" for number in range(7)]
        for file in found[label]:
            Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).save(file)
    return found


def experiment(**training):
    return c.Experiment(
        name="timed",
        source=c.ImageFolder(path="elsewhere"),
        transform=c.Transform(image_size=(12, 12)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        training=c.Training(**{"epochs": 100, "batch_size": 3, **training}),
    )


@pytest.mark.slow
def test_a_few_images_are_trained_on_and_all_that_is_measured_takes_time(files, capsys):
    early = c.EarlyStopping(patience=1)
    time = training_time(experiment(warmup_epochs=50, plain_epochs=10, early_stopping=early, keep="best"), files)
    # Four batches of 3.
    assert time.images == 12
    assert time.step_image > 0
    assert time.start + time.image > 0
    assert "epoch" not in capsys.readouterr().err


def test_images_that_cannot_be_read_are_named(files):
    for file in (one for of in files.values() for one in of):
        file.write_bytes(b"not an image")
    with pytest.raises(DataError):
        training_time(experiment(), files)


def test_time_that_is_too_short_gives_one_epoch():
    assert TrainingTime(start=10.0, image=0.1, step_image=0.01, images=64).epochs_in(1.0, images=[100]) == 1


@pytest.mark.slow
def test_images_with_objects_are_measured_from_their_own_source(make_images, tmp_path):
    """A detector learns from the first 8 of 72 images, and from the objects in them."""
    detector = c.Experiment(
        name="timed",
        source=c.Coco(path=make_images.clean_coco(tmp_path / "things"), annotations=("instances",), masks="leave_out"),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Detection(),
        model=c.Model(name="fcos", options={"backbone": "resnet9", "width": 0.0625, "levels": "p3-p3", "channels": 8}),
        training=c.Training(epochs=100, batch_size=2, xla="off"),
    )
    time = training_time(detector)
    assert time.images == 8
    assert time.step_image > 0


def test_the_first_images_keep_their_objects_and_one_is_to_test(make_images, tmp_path):
    from kerasvision.training.probes.first_images import FirstImages, read_first

    source = c.Coco(path=make_images.clean_coco(tmp_path / "things"), annotations=("instances",))
    records = list(read_first(FirstImages(source=source, count=3)))
    assert [(record.name, record.split) for record in records] == [
        ("train2017/000.jpg", "test"),
        ("train2017/001.jpg", "train"),
        ("train2017/002.jpg", "train"),
        ("train2017/003.jpg", "train"),
    ]
    assert [len(record.objects) for record in records] == [1, 1, 1, 1]
