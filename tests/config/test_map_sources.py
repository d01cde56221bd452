"""Every source says whether it gives label maps, or how it would."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError

ELSEWHERE = "read label maps through Masks or Coco, or masks of objects through Coco, Yolo, TfRecord or Shapes"


@pytest.mark.parametrize(
    ("source", "way"),
    [
        (c.Masks(path="a"), ""),
        (c.Shapes(), ""),
        (c.Yolo(path="a"), ""),
        (c.Yolo(path="a", masks="leave_out"), "set source.masks='keep'"),
        (c.TfRecord(path="a"), ""),
        (c.TfRecord(path="a", mask_key=None), "set source.mask_key to the feature that contains the masks of the objects"),
        (c.Voc(path="a"), ELSEWHERE),
        (c.ImageFolder(path="a"), ELSEWHERE),
        (c.Table(path="a.csv"), ELSEWHERE),
        (c.Tfds(name="a"), ELSEWHERE),
        (c.Idx(path="a"), ELSEWHERE),
        (c.Digits(), ELSEWHERE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_way_to_label_maps(source, way):
    assert source.way_to("label_maps") == way


@pytest.mark.parametrize("what", ["labels", "captions", "objects"])
def test_folders_of_maps_give_nothing_else(what):
    assert c.Masks(path="a").way_to(what).startswith(f"read {what} through")


def test_a_classifier_is_not_trained_on_label_maps():
    rest = {"transform": c.Transform(image_size=(32, 32)), "model": c.Model(name="lenet5"), "training": c.Training()}
    with pytest.raises(ConfigError, match="Classification requires labels, but this Masks source gives none"):
        c.Experiment(name="a", source=c.Masks(path="a"), task=c.Classification(), **rest)
