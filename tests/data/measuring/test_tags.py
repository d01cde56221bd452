"""The statistics of tags are counted by hand, shown on the page, and compared with the schema."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.ingesting.ingest import ingest
from kerasvision.data.measuring.page import write_statistics_page
from kerasvision.data.measuring.statistics import Statistics, compute_statistics
from kerasvision.data.png import encode_png
from kerasvision.data.validating.anomalies import anomaly
from kerasvision.data.validating.images import fault_code
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.tags import tag_anomalies
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.pipeline.stages.schema_gen import schema_gen

TAGS = ["sea;sun", "sea", "", "sun;<b>", "sea;sun", "sea", "sea;sea", "sun"]
SPLITS = ["train", "train", "train", "train", "train", "test", "test", "test"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(statistics, row per image, examples) of a table of eight images."""
    folder = tmp_path_factory.mktemp("tags")
    random = np.random.default_rng(0)
    for number in range(len(TAGS)):
        (folder / f"{number}.png").write_bytes(encode_png(random.integers(0, 255, (16, 16, 3), np.uint8)))
    rows = [f"{number}.png,{tags},{split}" for number, (tags, split) in enumerate(zip(TAGS, SPLITS, strict=True))]
    (folder / "table.csv").write_text("\n".join(["image,tags,split", *rows]))
    source = c.Table(path=folder / "table.csv", tags="tags", tag_separator=";", split="split")
    files = {name: folder / name for name in ("data", "manifest", "span")}
    table = ingest(source, splits=c.Splits(validation=0.0), policy=c.Ingest(), **files).manifest
    examples = ExampleSet(folder / "data")
    return *compute_statistics(examples, table), examples


def test_tags_are_counted_by_split_by_image_and_in_pairs(measured):
    statistics, images, _ = measured
    assert statistics.tag_classes == ["<b>", "sea", "sun"]
    assert statistics.tags == {
        "images": {"train": {"<b>": 1, "sea": 3, "sun": 3}, "test": {"<b>": 0, "sea": 2, "sun": 1}},
        "without": {"train": 1, "test": 0},
        "per_image": {"0": 1, "1": 4, "2": 3},
        "together": [("sea", "sun", 2), ("<b>", "sun", 1)],
    }
    assert images["tags"].tolist() == [2, 1, 0, 2, 2, 1, 1, 1]


def test_statistics_are_saved_and_loaded(measured, tmp_path):
    measured[0].save(tmp_path / "statistics.json")
    loaded = Statistics.load(tmp_path / "statistics.json")
    assert loaded.tag_classes == measured[0].tag_classes
    assert loaded.tags["images"] == measured[0].tags["images"]


def test_the_page_shows_the_tags_and_which_occur_together(measured, tmp_path):
    statistics, images, examples = measured
    write_statistics_page(statistics, images, examples=examples, file=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h2>Images per tag</h2>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "Tags per image: 0 in 1 image, 1 in 4 images, 2 in 3 images." in page
    assert "Tags that occur together" in page
    assert "tags per image" in page


def test_the_data_are_normal_by_their_own_schema_and_what_is_rare_is_said(measured):
    statistics, images, _ = measured
    schema = DataSchema.infer(statistics)
    assert schema.tag_classes == ("<b>", "sea", "sun")
    found = {one.code: one.message for one in find_anomalies(statistics, schema, images=images)}
    assert found["images_without_tags"].startswith("1 image has no tag, of 8;")
    assert found["tag_missing_in_split"] == "no image of the test split has the tag '<b>'; it is not measured there"
    assert found["rare_tag"] == "fewer than 2 training images have the tag '<b>'"
    assert found["repaired_tags"] == "1 image: a tag is given twice, and was counted once"
    assert not {"untagged", "unseen_tag", "missing_tag", "unparted_tags"} & found.keys()


def codes(statistics, schema):
    return {one.code for one in tag_anomalies(statistics, schema)}


def test_tags_that_are_new_gone_or_spelt_in_two_ways_are_found(measured):
    statistics, *_ = measured
    schema = DataSchema.infer(statistics)
    assert "unseen_tag" in codes(statistics, schema.model_copy(update={"tag_classes": ("sea", "sun")}))
    assert "missing_tag" in codes(statistics, schema.model_copy(update={"tag_classes": ("<b>", "sea", "sun", "wind")}))
    tags = {**statistics.tags, "images": {"train": {"sea": 4, "Sea": 2}}}
    assert "tag_variants" in codes(replace(statistics, tags=tags), schema)


def test_no_tag_at_all_is_an_error_of_a_task_that_requires_them(measured):
    statistics, *_ = measured
    bare = replace(statistics, tag_classes=[], tags={})
    schema = DataSchema.infer(bare)
    assert codes(bare, schema) == set()
    assert codes(bare, schema.model_copy(update={"requires": ("tags",)})) == {"untagged"}
    assert codes(bare, DataSchema.infer(statistics)) == {"untagged"}
    assert anomaly("untagged", "").severity == "error"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["sea", "sea;sun", "sun"], "set source.tag_separator=';'"),
        (["a|b", "b|c", "d"], "set source.tag_separator='|'"),
        (["Paris, France", *map(str, range(30))], None),
        (["sea", "sun"], None),
    ],
)
def test_texts_that_were_not_parted_are_noticed(names, found, measured):
    tags = {**measured[0].tags, "images": {"train": dict.fromkeys(names, 5)}}
    statistics, schema = replace(measured[0], tags=tags), DataSchema.infer(measured[0])

    def said(parts_tags):
        known = schema.model_copy(update={"parts_tags": parts_tags})
        return [one.message for one in tag_anomalies(statistics, known) if one.code == "unparted_tags"]

    assert [found in message for message in said(parts_tags=False)] == ([True] if found else [])
    assert said(parts_tags=True) == []
    # A source without the setting, such as a folder for each tag.
    assert [message.partition("; ")[2] for message in said(parts_tags=None)] == (
        ["if these are several tags, the source must give them one by one"] if found else []
    )


@pytest.mark.parametrize(
    ("source", "parts_tags"),
    [
        (c.Table(path="a.csv", tags="tags"), False),
        (c.Table(path="a.csv", tags="tags", tag_separator=";"), True),
        (c.Table(path="a.csv", tags=("sea", "sun")), None),
        (c.ImageFolder(path="a", tags=True), None),
        (c.TfRecord(path="a", tag_key="tags"), None),
    ],
)
def test_the_schema_says_whether_the_source_parts_texts(source, parts_tags, measured, tmp_path):
    experiment = c.Experiment(
        name="tags",
        source=source,
        transform=c.Transform(image_size=(32, 32)),
        task=c.MultiLabel(),
        model=c.Model(name="mlp"),
    )
    settings = stage_settings(experiment)["schema_gen"]
    assert settings.parts_tags == parts_tags
    assert ("parts_tags" in settings.to_data()) == (parts_tags is not None)
    measured[0].save(tmp_path / "statistics.json")
    schema_gen(
        SimpleNamespace(summary=tmp_path / "statistics.json"),
        SimpleNamespace(file=tmp_path / "schema.json"),
        settings=settings,
    )
    assert DataSchema.load(tmp_path / "schema.json").parts_tags == parts_tags


def test_faults_of_tags_have_codes():
    assert fault_code("no tags are given, not even an empty list") == "no_tags"
    assert fault_code("column 'sea' of a.csv holds '2' in row 5, neither 0 nor 1") == "bad_value"
