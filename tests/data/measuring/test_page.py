"""The page of statistics shows what was found, has a limited size, and does not run code in names."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision.data.measuring.charts import HEIGHT, histogram
from kerasvision.data.measuring.contact_sheets import MOST_PICTURES, PICTURES_OF_ALL, chosen_examples, ids_to_show, pictures
from kerasvision.data.measuring.page import write_statistics_page
from kerasvision.data.measuring.statistics import compute_statistics

RANDOM = np.random.default_rng(0)
EVIL = "<script>alert(1)</script>"


def noise(height=20, width=30):
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


LIGHTHOUSE = noise()
BOAT = {"bbox": (0.25, 0.5, 0.75, 1.0), "label": "<i>boat</i>", "area": 150.0, "crowd": True}
SAID = {
    "train": [("<b>1</b>.png", LIGHTHOUSE, "", [f"A lighthouse {EVIL}", "sea"], [BOAT]), ("2.png", noise(), "", [], [])],
    "test": [("3.png", LIGHTHOUSE, "", ["The sea"], [])],
}


@pytest.fixture(scope="module")
def described(make_examples, tmp_path_factory):
    return make_examples(tmp_path_factory.mktemp("described") / "data", **SAID)


def page_of(example_set, manifest, folder):
    statistics, images = compute_statistics(example_set, manifest)
    write_statistics_page(statistics, images, examples=example_set, file=folder / "statistics.html")
    return (folder / "statistics.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(described, manifest_of, tmp_path_factory):
    """The page of `SAID` and of one more file, which is bad."""
    manifest = manifest_of(described)
    bad = manifest.iloc[:1].assign(id="<u>bad</u>", fault="<s>the file is empty</s>")
    return page_of(described, pd.concat([manifest, bad]), tmp_path_factory.mktemp("page"))


def test_names_captions_and_faults_are_shown_as_text(page):
    assert "A lighthouse &lt;script&gt;" in page
    assert "&lt;i&gt;boat&lt;/i&gt;" in page
    assert "<td>&lt;s&gt;the file is empty&lt;/s&gt;</td><td>1</td>" in page
    assert "<code>&lt;u&gt;bad&lt;/u&gt;</code>" in page
    assert not re.search(r"<(script|i|u|s|b)\b", page)


def test_boxes_lie_over_the_picture_in_percent_of_its_sides(page):
    assert "left: 50.00%; top: 25.00%; width: 50.00%; height: 50.00%" in page
    assert "&lt;i&gt;boat&lt;/i&gt; (crowd)" in page
    assert "1 are crowds or difficult, which a score of boxes ignores." in page


def test_copies_across_splits_are_marked(page):
    assert page.count("in several splits</span>") == 1


def test_without_copies_none_are_spoken_of(make_examples, manifest_of, tmp_path):
    example_set = make_examples(tmp_path / "data", train=[("a", noise(), "x"), ("b", noise(), "y")])
    page = page_of(example_set, manifest_of(example_set), tmp_path)
    assert "in several splits</span>" not in page
    assert "look alike</h2>" not in page


def test_a_thumbnail_keeps_the_shape_and_small_pictures_their_pixels(make_examples, tmp_path):
    small = noise(5, 7)
    example_set = make_examples(tmp_path / "data", train=[("large", noise(100, 400), "x"), ("small", small, "y")])
    found = pictures(example_set, ["large", "small", "not there"], side=100)
    assert set(found) == {"large", "small"}
    assert (found["large"].height, found["large"].width) == (25, 100)
    data = base64.b64decode(found["small"].url.removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), small)


@pytest.mark.parametrize("said", [(), (["a word"],)], ids=["labels", "captions"])
def test_the_chosen_examples_come_in_the_order_of_the_data_set(said, make_examples, tmp_path):
    rows = [(str(number), np.full((4, 4), number, np.uint8), "a", *said) for number in range(50)]
    example_set = make_examples(tmp_path / "data", train=rows[:40], test=rows[40:])
    every = [*example_set.ids("train"), *example_set.ids("test")]
    for wanted in (every[::3], every[-1:], [], ["not there"]):
        found = [example["id"].decode() for example in chosen_examples(example_set, reversed(wanted))]
        assert found == [name for name in wanted if name in every]


def test_a_thumbnail_of_12_bits_fills_the_range(make_examples, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 2048, 4095]], np.uint16)).save(buffer, "PNG")
    example_set = make_examples(tmp_path / "data", train=[("x-ray", buffer.getvalue(), "x")])
    found = pictures(example_set, ["x-ray"], side=100, significant_bits=12)
    data = base64.b64decode(found["x-ray"].url.removeprefix("data:image/png;base64,"))
    assert np.asarray(Image.open(io.BytesIO(data)))[0, :, 0].tolist() == [0, 128, 255]


def table(count, classes):
    labels = [f"class {number % classes}" for number in range(count)]
    return pd.DataFrame(
        {
            "id": [str(n) for n in range(count)],
            "sha256": [f"{n:05}" for n in range(count)],
            "split": "train",
            "label": labels,
        }
    )


@pytest.mark.parametrize(("classes", "each"), [(2, 12), (100, 6), (1_000, 1)])
def test_however_many_classes_there_are_the_pictures_are_bounded(classes, each):
    chosen = ids_to_show(table(20_000, classes), [f"class {number}" for number in range(classes)])
    assert {len(ids) for ids in chosen.values()} == {each}
    assert sum(len(ids) for ids in chosen.values()) <= MOST_PICTURES


def test_only_training_images_are_chosen_and_a_copy_once():
    images = table(4, 1).assign(split=["train", "train", "train", "test"], sha256=["0", "0", "1", "2"])
    assert ids_to_show(images, ["class 0", "another"]) == {"class 0": ["0", "2"], "another": []}


def test_without_classes_there_is_one_sheet():
    chosen = ids_to_show(table(100, 1), [])
    assert list(chosen) == [""]
    assert len(chosen[""]) == PICTURES_OF_ALL


def test_a_histogram_shows_the_share_of_each_split():
    images = pd.DataFrame({"split": ["train"] * 4 + ["test"], "side": [10.0, 10.0, 10.0, 12.0, 12.0]})
    drawn = histogram(images, "side", title="side", splits=["train", "test"])
    assert (drawn.low, drawn.high, drawn.medians) == ("10", "12", {"train": "10", "test": "12"})
    train, test = ([HEIGHT - float(point.split(",")[1]) for point in line.split()] for line in drawn.outlines.values())
    assert train[1] == pytest.approx(0.75 * test[-2], abs=0.1)  # 3 of 4 in the first bin, 1 of 1 in the last


def test_a_column_without_numbers_has_no_histogram():
    images = pd.DataFrame({"split": ["train"], "caption_words": [np.nan]})
    assert histogram(images, "caption_words", title="words", splits=["train"]) is None


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_column_of_one_value_has_a_histogram(value):
    images = pd.DataFrame({"split": ["train", "train"], "objects": [value, value]})
    assert histogram(images, "objects", title="objects", splits=["train"]).medians == {"train": f"{value:g}"}


@pytest.fixture(scope="module")
def mapped(make_examples, tmp_path_factory):
    """Two grey images with label maps: the left half of one is a road, its right half says nothing."""
    half = np.repeat([[1] * 8 + [255] * 8], 16, axis=0)
    half, sky, other = (
        (name, np.full((16, 16), grey), "", (), (), label_map)
        for name, grey, label_map in (("half", 100, half), ("sky", 50, np.zeros((16, 16))), ("other", 9, np.zeros((16, 16))))
    )
    folder = tmp_path_factory.mktemp("mapped") / "data"
    return make_examples(folder, ("sky", "<road>"), train=[half, sky], test=[other])


def test_the_shares_of_the_pixels_of_label_maps_are_shown_in_percent(mapped, manifest_of, tmp_path):
    text = page_of(mapped, manifest_of(mapped), tmp_path)
    table = text[text.index("<h2>Label maps") :]
    table = table[: table.index("</table>")]
    # The first cell, which the style aligns left, has the colour and the name.
    rows = re.findall(r"<tr><td>(?:<span[^>]*></span> )?(.*?)</td><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>", table)
    # Of 512 training pixels 256 are sky, 128 a road, and 128 say nothing.
    assert rows == [
        ("sky", "66.67", "100.00", "2"),
        ("&lt;road&gt;", "33.33", "0.00", "1"),
        ("<small>ignored, of all pixels</small>", "25.00", "0.00", ""),
    ]


def test_the_classes_of_a_label_map_are_painted_over_its_thumbnail(mapped):
    for painted, left in ((True, [132, 70, 64]), (False, [100, 100, 100])):  # half grey, half #a4271b: 164, 39, 27
        (picture,) = pictures(mapped, ["half"], side=16, painted=painted).values()
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.url.partition(",")[2]))))
        assert np.abs(pixels[0, 0].astype(int) - left).max() <= 1
        assert pixels[0, 15].tolist() == [100, 100, 100]
