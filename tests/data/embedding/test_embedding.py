"""The embedding of a data set: each image is decoded once, and the page, the file and the folder say what was found."""

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from kerasvision.data.embedding.describing import describe_examples
from kerasvision.data.embedding.embedding import embed
from kerasvision.data.embedding.feature_file import FeatureFile
from kerasvision.data.embedding.features import Features, plain_features
from kerasvision.data.embedding.page import MOST_LEGEND, write_embedding_page, write_suspects
from kerasvision.data.embedding.projector import write_projector
from kerasvision.data.embedding.sprite import jpeg_url, sprite
from kerasvision.data.ingesting.quarantine import read_quarantine
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError, DataError

RANDOM = np.random.default_rng(0)
PIXELS = plain_features("pixels", max_side=8, is_grey=True)


def picture(kind):
    """8 x 8 grey pixels: a bright half above or at the left, with noise."""
    pixels = np.zeros((8, 8))
    pixels[(slice(0, 4), slice(None)) if kind == "above" else (slice(None), slice(0, 4))] = 200
    return (pixels + RANDOM.uniform(0, 40, (8, 8))).astype(np.uint8)


@pytest.fixture(scope="module")
def halves(make_examples, tmp_path_factory):
    """40 images of two classes in two splits; one, "wrong", has the other label, and one is "</script>"."""
    kinds = {"train": ["above", "left"] * 14, "test": ["above", "left"] * 5}
    rows = {
        split: [(f"{split}-{number:02d}.png", picture(kind), kind) for number, kind in enumerate(names)]
        for split, names in kinds.items()
    }
    rows["train"] += [("wrong", picture("above"), "left"), ("</script>", picture("left"), "left")]
    return make_examples(tmp_path_factory.mktemp("halves") / "data", **rows)


@pytest.fixture(scope="module")
def found(halves):
    return embed(halves, PIXELS, side=8, asked=("wrong",), seed=0)


@pytest.fixture(scope="module")
def page(halves, found, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "embedding.html"
    write_embedding_page(found, examples=halves, file=file, title="<halves>", unread={"cut.jpg": "cut off"})
    return file.read_text(encoding="utf-8")


def points_of(page):
    return json.loads(re.search(r'<script type="application/json" id="points">(.*?)</script>', page, re.DOTALL)[1])


def same_images(make_examples, folder, count, label=""):
    pixels = np.full((8, 8), 9, np.uint8)
    return make_examples(folder / "data", train=[(f"{number:05d}", pixels, label) for number in range(count)])


def test_every_image_has_its_split_its_label_and_its_own_pixels(halves, found):
    expected = {
        example["id"].decode(): (split, int(example["label"]), example["image"])
        for split in halves.splits
        for example in halves.dataset(split).as_numpy_iterator()
    }
    rows = zip(found.images["id"], found.images["split"], found.images["label"], strict=True)
    assert {name: (split, label) for name, split, label in rows} == {name: one[:2] for name, one in expected.items()}
    assert found.shown.tolist() == list(range(40))
    for name, thumbnail in zip(found.images["id"], found.thumbnails, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(expected[name][2])))
        np.testing.assert_array_equal(thumbnail, np.repeat(pixels[..., None], 3, axis=-1))
        row = found.images.index[found.images["id"] == name][0]
        coordinates = found.components.project(pixels.reshape(1, -1).astype(np.float32))
        np.testing.assert_allclose(coordinates[0], found.coordinates[row], atol=1e-2)
        np.testing.assert_allclose(found.components.restore(coordinates)[0], pixels.ravel(), atol=0.1)  # 39 axes, 40 images


def test_groups_neighbours_and_wrong_label_are_found(found):
    assert found.clusters.count == 2
    wrong = found.images.index[found.images["id"] == "wrong"][0]
    assert found.suspects.image.tolist() == [wrong]
    assert found.classes[found.suspects.suggested[0]] == "above"
    assert found.suspects.is_confident.all()
    (asked,) = found.asked
    assert {found.label(row) for row in asked.neighbours.index[0, :10]} == {"above"}


@pytest.mark.slow
def test_same_seed_gives_the_same_embedding(halves, found):
    again = embed(halves, PIXELS, side=8, seed=0)
    np.testing.assert_array_equal(again.places, found.places)
    np.testing.assert_array_equal(again.clusters.of_image, found.clusters.of_image)


def test_a_part_is_shown_by_the_stated_rule_and_said_on_the_page(halves, tmp_path):
    part = embed(halves, PIXELS, side=8, most_shown=15, seed=4)
    assert part.shown.tolist() == sorted(np.random.default_rng(4).permutation(40)[:15].tolist())
    assert (len(part.thumbnails), len(part.places), len(part.coordinates)) == (15, 15, 40)
    write_embedding_page(part, examples=halves, file=tmp_path / "page.html", title="part", unread={})
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The map shows 15 of them: the first 15 of a random order with this seed." in text
    assert len(points_of(text)["ids"]) == 15


def test_page_has_the_points_and_escapes_names(page, found):
    points = points_of(page)
    assert points["ids"] == found.images["id"].tolist()
    assert "</script>" in points["ids"]
    assert page.count("</script>") == 2  # of the two elements
    assert "<halves>" not in page
    assert "cut.jpg (cut off)" in page
    components = [f"principal components 1 and {second}" for second in (2, 3)]
    assert [one["name"] for one in points["maps"]] == ["t-SNE", *components]
    assert [one["name"] for one in points["colours"]] == ["label", "cluster", "split"]
    places = np.array([points["maps"][0]["x"], points["maps"][0]["y"]])
    assert places.min() >= 0 and places.max() == 4095
    named = [one["name"] for one in points["colours"][0]["groups"]]
    assert [named[group] for group in points["colours"][0]["of"]] == [found.label(row) for row in range(40)]
    near = points["near"][points["ids"].index("wrong")]
    assert near == found.neighbours.index[points["ids"].index("wrong"), :5].tolist()


def test_page_needs_no_connection(page):
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert not re.findall(r"url\((?!data:)", page)
    assert not re.findall(r"\bfetch\(|XMLHttpRequest|import\(|@import", page)


def test_page_says_in_words_what_the_map_shows(page):
    tables = page[page.index('id="classes"') : page.index('id="suspects"')]
    cells = [re.split("<td[^>]*>", row)[1:] for row in re.findall("<tr>(.*?)</tr>", tables, re.DOTALL)]
    rows = {row[0].strip(): [cell.strip() for cell in row[1:4]] for row in cells if len(row) >= 4}
    assert rows["above"][0] == "19" and rows["left"][0] == "21"
    assert rows["left"][2] == "above"
    assert rows["1"][0] == "20"
    assert "Purity 97.5 %" in page  # all but the wrong one


def test_map_of_a_page_runs_in_a_browser(page):
    """The script names only elements that the page has."""
    names = set(re.findall(r'part\("(\w+)"\)', page))
    named = set(re.findall(r'\bid="(\w+)"', page))
    assert names | set(re.findall(r'fill\("(\w+)"', page)) <= named
    assert {"map", "search", "legend", "found"} <= names


def test_file_of_suspects_is_one_that_ingest_reads(found, tmp_path):
    write_suspects(found, tmp_path / "suspects.csv", digests={"wrong": "a" * 64})
    rows = list(csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines()))
    assert len(rows) == 1
    assert rows[0].items() >= {"id": "wrong", "label": "left", "suggested": "above", "confident": "yes"}.items()
    quarantine = read_quarantine(tmp_path / "suspects.csv")
    assert quarantine.by_sha256["a" * 64].startswith("labelled left, and ")
    write_suspects(found, tmp_path / "by_id.csv", digests={})
    assert set(read_quarantine(tmp_path / "by_id.csv").by_id) == {"wrong"}


def test_tensorboard_serves_the_projector_folder(found, tmp_path):
    from tensorboard.backend.event_processing import plugin_event_multiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
    from werkzeug.test import Client
    from werkzeug.wrappers import Response

    write_projector(found, tmp_path)
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    plugin = ProjectorPlugin(TBContext(logdir=str(tmp_path), multiplexer=multiplexer, data_provider=None))
    served = {path: Client(app, Response) for path, app in plugin.get_plugin_apps().items()}

    def ask(path, **query):
        reply = served[path].get("/", query_string=query)
        assert reply.status_code == 200, reply.data
        return reply.data

    (run,) = json.loads(ask("/runs"))
    (one,) = json.loads(ask("/info", run=run))["embeddings"]
    assert one["tensorShape"] == list(found.coordinates.shape)
    name = one["tensorName"]
    vectors = np.frombuffer(ask("/tensor", run=run, name=name), np.float32).reshape(one["tensorShape"])
    np.testing.assert_allclose(vectors, found.coordinates, rtol=1e-4, atol=1e-3)
    rows = [row.split("\t") for row in ask("/metadata", run=run, name=name).decode().splitlines()]
    assert rows[0] == ["id", "label", "split", "cluster"]
    assert [row[0] for row in rows[1:]] == found.images["id"].tolist()
    with Image.open(io.BytesIO(ask("/sprite_image", run=run, name=name))) as picture:
        assert picture.size == (7 * 8, 7 * 8)


def test_an_image_file_has_neighbours_too(halves, found, tmp_path):
    file = tmp_path / "asked.png"
    file.write_bytes(encode_png(picture("left")))
    (asked,) = embed(halves, PIXELS, side=8, asked=(str(file),)).asked
    assert not asked.is_example
    assert {halves.classes[found.labels[row]] for row in asked.neighbours.index[0, :10]} == {"left"}


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [(None, ConfigError, "no image has the id .*: No such file"), (b"not an image", DataError, "cannot be described: ")],
)
def test_what_is_no_image_has_no_neighbours(halves, tmp_path, content, error, message):
    if content:
        (tmp_path / "asked").write_bytes(content)
    with pytest.raises(error, match=message):
        embed(halves, PIXELS, side=8, asked=(str(tmp_path / "asked"),))


def test_one_image_is_too_few(make_examples, tmp_path):
    with pytest.raises(DataError, match="requires at least two images; received 1"):
        embed(same_images(make_examples, tmp_path, 1), PIXELS, side=8)


@pytest.mark.parametrize("label", ["", "one"])
def test_equal_images_are_said_to_be_equal(make_examples, tmp_path, label):
    examples = same_images(make_examples, tmp_path, 7, label)
    same = embed(examples, PIXELS, side=8)
    assert same.places is None and same.clusters is None and same.suspects is None
    assert (same.coordinates == 0).all()
    write_embedding_page(same, examples=examples, file=tmp_path / "page.html", title="same", unread={})
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "All images have the same features" in text
    assert ("The images have no labels." in text) == (not label)
    write_projector(same, tmp_path / "projector")


def test_more_clusters_than_images_are_rejected(make_examples, tmp_path):
    rows = [(str(number), np.full((8, 8), 10 * number, np.uint8)) for number in range(3)]
    with pytest.raises(ConfigError, match="at most that of images that differ; received '9, with 3 images that differ'"):
        embed(make_examples(tmp_path / "data", train=rows), PIXELS, side=8, clusters=9)


@pytest.mark.slow
def test_thousands_of_classes_make_a_page_of_the_usual_size(make_examples, tmp_path):
    rows = [(f"{number:04d}", RANDOM.integers(0, 256, (4, 4), np.uint8), f"class {number // 2}") for number in range(300)]
    examples = make_examples(tmp_path / "data", train=rows)
    many = embed(examples, plain_features("pixels", max_side=4, is_grey=True), side=4, clusters=2)
    write_embedding_page(many, examples=examples, file=tmp_path / "page.html", title="many", unread={})
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    groups = points_of(text)["colours"][0]["groups"]
    assert len(groups) == MOST_LEGEND + 1
    assert groups[-1]["name"] == "130 others"
    assert text.count('<td class="left">class ') == 2 * 60 + 2  # two cells of a class, and two clusters


@pytest.mark.slow
def test_images_that_a_model_rejects_are_named_and_left_out(halves, tmp_path):
    def describe(batch):
        rows = np.stack([np.asarray(Image.open(io.BytesIO(file)), np.float32).ravel()[:5] for file in batch["file"]])
        rows[batch["id"] == b"wrong"] = np.nan
        return rows

    model = Features("a model", (8, 8), "rgb", describe, reads_files=True)
    part = embed(halves, model, side=8)
    assert part.left_out == ["wrong"]
    assert len(part.images) == len(part.coordinates) == len(part.thumbnails) == 39
    write_embedding_page(part, examples=halves, file=tmp_path / "page.html", title="part", unread={})
    assert "1 image is left out because the model rejects it: wrong" in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="wrong has no neighbours: it could not be described"):
        embed(halves, model, side=8, asked=("wrong",))


def test_colour_images_of_any_size_are_described_by_hog(make_examples, tmp_path):
    rows = [(str(number), RANDOM.integers(0, 256, (9 + number, 40, 3), np.uint8)) for number in range(4)]
    examples = make_examples(tmp_path / "data", train=rows)
    features = plain_features("hog", max_side=40, is_grey=False)
    with FeatureFile() as file:
        described = describe_examples(examples, features, file=file, most_shown=4, side=16, seed=0)
        (found,) = file.batches()
    assert features.image_shape == (40, 40, 3)
    assert found.shape == (4, 4 * 4 * 36)
    assert described.thumbnails.shape == (4, 16, 16, 3)


def test_sprite_is_as_small_as_asked():
    pixels = sprite(RANDOM.integers(0, 256, (100, 8, 8, 3), np.uint8))
    sizes = [len(base64.b64decode(jpeg_url(pixels, most_bytes=most).partition(",")[2])) for most in (10**6, 5_000)]
    assert sizes[1] <= 5_000 < sizes[0]


def test_unknown_features_are_rejected():
    with pytest.raises(ConfigError, match="no features are named 'hogg'; did you mean 'hog'"):
        plain_features("hogg", max_side=8, is_grey=True)
