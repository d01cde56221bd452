"""`new` recognises a table of images with tags, and writes a pipeline that loads and says why."""

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from kerasvision.config.loading import load_experiment
from kerasvision.config.tag_tables import table_of_tags
from kerasvision.data.png import encode_png
from kerasvision.data.recipes_tags import choose_for_tags
from kerasvision.data.scaffold import pipeline_text
from kerasvision.data.tags_look import look_at_tags
from kerasvision.errors import DataError

TEXTS = ["sea;sun", "sea", "", "sun;sand", "sea;sun;sand", "sand"] * 5


def table(folder, texts=TEXTS, header="image,tags", side=16):
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(len(texts)):
        (folder / f"{number}.png").write_bytes(encode_png(random.integers(0, 255, (side, side, 3), np.uint8)))
    rows = [f"{number}.png,{text}" for number, text in enumerate(texts)]
    (folder / "photos.csv").write_text("\n".join([header, *rows]))
    return folder / "photos.csv"


@pytest.mark.parametrize(
    ("texts", "header", "tags", "separator"),
    [
        (TEXTS, "image,tags", "tags", ";"),
        ([text.replace(";", "|") for text in TEXTS], "path,labels", "labels", "|"),
        (['"' + text.replace(";", ",") + '"' for text in TEXTS], "file_name,categories", "categories", ","),
        ([json.dumps(json.dumps(text.split(";"))).replace('\\"', '""') for text in TEXTS], "image,tags", "tags", None),
        (["New York", "Los Angeles", "Oslo"], "image,tags", "tags", None),
        (["1,0", "0,1", "0,0"], "image,sea,sun", ("sea", "sun"), None),
    ],
)
def test_the_columns_and_the_separator_are_found(texts, header, tags, separator, tmp_path):
    file = table(tmp_path / "photos", texts, header)
    for place in (file, file.parent):
        found = table_of_tags(place)
        assert (found.image, found.tags, found.tag_separator) == (header.split(",")[0], tags, separator)
        assert found.label is None


def test_lists_of_parquet_are_found(tmp_path):
    columns = {"image": [encode_png(np.zeros((4, 4), np.uint8))], "tags": [["sea", "sun"]]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "photos.parquet")
    found = table_of_tags(tmp_path)
    assert (found.tags, found.tag_separator) == ("tags", None)


@pytest.mark.parametrize("text", ["", "image\n1.png\n", "image,label\n1.png,cat\n", "id,name\n1,cat\n", "a,b\n\x00\n"])
def test_another_table_is_not_one_of_tags(text, tmp_path):
    (tmp_path / "photos.csv").write_text(text)
    assert table_of_tags(tmp_path / "photos.csv") is None


def test_the_recipe_loads_and_counts(tmp_path):
    look = look_at_tags(table_of_tags(table(tmp_path / "photos")))
    assert look.counts == {"sea": 15, "sun": 15, "sand": 15}
    assert (look.total, look.per_image[0], look.per_image[-1]) == (30, 0, 3)
    recipe = choose_for_tags(look, network="efficientnet_lite0")
    assert recipe.summary == "a quarter of ResNet-18, from nothing, at 32 x 32 pixels"
    (tmp_path / "beach.py").write_text(pipeline_text("beach", look=look, recipe=recipe))
    experiment = load_experiment(tmp_path / "beach.py")
    assert experiment.task.kind == "multi_label"
    assert experiment.splits.stratify
    assert experiment.source.tag_separator == ";"
    # A network that ranks at random has 15 of 30.
    assert experiment.gate.rules[0].value == pytest.approx(0.55)


def test_photos_get_weights_and_many_tags_of_an_image_get_room(tmp_path):
    texts = [";".join(f"tag {n}" for n in range(number % 5, 24 + number % 3)) for number in range(20)]
    recipe = choose_for_tags(
        look_at_tags(table_of_tags(table(tmp_path / "photos", texts, side=160))), network="efficientnet_lite0"
    )
    code = {choice.setting: choice.code for choice in recipe.choices}
    assert code["model"] == 'c.Model(name="efficientnet_lite0", weights="imagenet")'
    assert code["task"] == "c.MultiLabel(most_tags=26)"


def test_tags_that_teach_nothing_are_refused(tmp_path):
    with pytest.raises(DataError, match="must be missing from some images"):
        choose_for_tags(look_at_tags(table_of_tags(table(tmp_path / "all", ["a;b"] * 9))), network=None)
    with pytest.raises(DataError, match="has no image with tags that can be used"):
        look_at_tags(table_of_tags(table(tmp_path / "none", [""] * 9)))
