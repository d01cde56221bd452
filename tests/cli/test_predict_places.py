"""`kerasvision predict` with a model that finds objects: lines, tables, pictures, and results that pycocotools reads."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError, DataError, ExportError

# In an image of 40 x 20 pixels; see tests/export/found_objects.py.
CAT, DOG, THIRD = [20.0, 5.0, 40.0, 15.0], [0.0, 0.0, 20.0, 10.0], [16.0, 8.0, 24.0, 12.0]


@pytest.fixture
def photos(tmp_path):
    """7.png, in which three objects are found, and 8.png, in which nothing is."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 20), (200, 200, 200)).save(tmp_path / "photos" / "7.png")
    Image.new("RGB", (20, 40), (200, 200, 200)).save(tmp_path / "photos" / "8.png")
    return tmp_path / "photos"


@pytest.fixture
def predict(found_objects):
    def run(*arguments, model=found_objects.saved_model):
        return CliRunner().invoke(app, ["predict", *map(str, (model, *arguments))])

    return run


def lines(done):
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_a_line_has_the_best_object_its_place_and_how_many_more_there_are(predict, photos):
    assert lines(predict(photos)) == [
        "image found",
        f"{photos}/7.png cat 0.98 at 20,5-40,15 (+1)",
        f"{photos}/8.png nothing found",
    ]


@pytest.mark.parametrize(
    ("least", "line"),
    [(0, "cat 0.98 at 20,5-40,15 (+2)"), (0.6, "cat 0.98 at 20,5-40,15"), (0.99, "nothing found")],
)
def test_a_line_counts_from_the_least_score_that_was_asked_for(least, line, predict, photos):
    assert lines(predict(photos / "7.png", "--least-score", least))[1] == f"{photos}/7.png {line}"


def test_places_are_those_of_the_upright_image(predict, tmp_path):
    """The file has 20 x 40 pixels, and its EXIF orientation makes it 40 x 20."""
    turned = Image.new("RGB", (20, 40))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    # The model of the test does not turn images: it finds nothing. The picture is upright all the same.
    assert lines(predict(tmp_path / "turned.jpg", "--draw", tmp_path / "drawn"))[-1].endswith("drawn: 1")
    assert pixels(tmp_path / "drawn" / "000001_turned.jpg").shape == (20, 40, 3)


def test_json_holds_the_objects_without_empty_rows(predict, photos):
    (line,) = predict(photos / "7.png", "--json", "--least-score", 0.5).stdout.splitlines()
    answer = json.loads(line)
    assert (answer["classes"], answer["count"], answer["image_size"]) == (["cat", "dog"], 2, [20, 40])
    assert answer["boxes"] == [[0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 0.5, 0.5]]


def test_a_table_has_a_row_per_image_with_lists(predict, photos, tmp_path):
    (photos / "9.png").write_text("hello")
    assert predict(photos, "--out", tmp_path / "answers.parquet").exit_code == 0
    rows = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    assert [row["classes"] for row in rows] == [["cat", "dog", "猫"], [], None]
    assert [row["count"] for row in rows] == [3, 0, None]
    assert rows[0]["boxes"][0] == [0.25, 0.5, 0.75, 1.0]
    assert rows[2]["fault"] == "not an image in a known format"


def test_a_row_for_each_object_is_in_pixels_and_opens_in_a_spreadsheet(predict, photos, tmp_path):
    (photos / "9.png").write_text("hello")
    assert predict(photos, "--out", tmp_path / "objects.csv", "--each").exit_code == 0
    assert (tmp_path / "objects.csv").read_text(encoding="utf-8").splitlines() == [
        '"path","label","score","left","top","right","bottom","fault"',
        f'"{photos}/7.png","cat",0.98,20,5,40,15,""',
        f'"{photos}/7.png","dog",0.5,0,0,20,10,""',
        f'"{photos}/7.png","猫",0.125,16,8,24,12,""',
        f'"{photos}/9.png",,,,,,,"not an image in a known format"',
    ]


def test_a_picture_has_a_box_where_the_object_is_and_nothing_elsewhere(predict, photos, tmp_path):
    Image.new("RGB", (400, 200), (200, 200, 200)).save(photos / "7.png")
    assert lines(predict(photos, "--draw", tmp_path / "drawn"))[-1] == f"pictures in {tmp_path}/drawn: 2"
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["000001_7.jpg", "000002_8.jpg"]
    picture = pixels(tmp_path / "drawn" / "000001_7.jpg")
    changed = np.abs(picture - 200).max(axis=2) > 60
    # The lower and the right side of the cat's box, at 200,50-400,150, and its inside.
    assert changed[147:150, 210:390].all() and changed[60:140, 397:].all()
    assert not changed[70:140, 210:390].any() and not changed[160:].any()
    # The third object has a score below 0.3.
    assert not changed[104:122, 158:196].any()
    assert not (np.abs(pixels(tmp_path / "drawn" / "000002_8.jpg") - 200) > 60).any()


def test_images_of_one_name_get_pictures_of_their_own(predict, photos, tmp_path):
    (photos / "more").mkdir()
    Image.new("RGB", (40, 20)).save(photos / "more" / "7.jpg")
    assert predict(photos, "--draw", tmp_path / "drawn").exit_code == 0
    names = ["000001_7.jpg", "000002_8.jpg", "000003_7.jpg"]
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == names


def test_a_folder_with_files_is_never_written_to(predict, photos):
    before = sorted(photos.iterdir())
    done = predict(photos, "--draw", photos)
    assert isinstance(done.exception, ConfigError) and "a new or an empty folder" in str(done.exception)
    assert sorted(photos.iterdir()) == before


def test_pycocotools_scores_the_results_with_the_numbers_of_the_training_data(predict, photos, tmp_path):
    assert lines(predict(photos, "--coco", tmp_path / "results.json"))[-1] == (
        f"results in {tmp_path}/results.json: 3 (images: 2)"
    )
    assert json.loads((tmp_path / "results.json").read_text())[:2] == [
        {"image_id": 7, "category_id": 17, "bbox": [20.0, 5.0, 20.0, 10.0], "score": pytest.approx(0.98)},
        {"image_id": 7, "category_id": 18, "bbox": [0.0, 0.0, 20.0, 10.0], "score": 0.5},
    ]
    truth = truth_file(tmp_path / "truth.json", {7: "7.png", 8: "8.png"}, {17: "cat", 18: "dog"})
    assert scored(truth, tmp_path / "results.json") == pytest.approx(1.0)


def test_numbers_of_annotations_take_precedence_and_what_they_lack_is_left_out(predict, photos, tmp_path):
    truth = truth_file(tmp_path / "truth.json", {70: "photos/7.png"}, {1: "dog", 2: "cat"})
    done = predict(photos, "--coco", tmp_path / "results.json", "--coco-images", truth)
    assert lines(done)[-1] == (
        f"results in {tmp_path}/results.json: 2 (images: 1); "
        f"left out, because {truth} does not list them: images 1, rows of other classes 1"
    )
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in results] == [(70, 2), (70, 1)]
    assert scored(truth, tmp_path / "results.json") == pytest.approx(1.0)


def test_without_any_numbers_categories_count_from_1(found_objects, predict, photos, tmp_path):
    model = found_objects.module.changed(found_objects.saved_model, tmp_path / "1", dict(found_objects.module.ANSWERS))
    assert predict(photos / "7.png", "--coco", tmp_path / "results.json", model=model).exit_code == 0
    assert [row["category_id"] for row in json.loads((tmp_path / "results.json").read_text())] == [1, 2, 3]


def test_a_table_gets_the_same_pictures_and_results(predict, photos, tmp_path):
    """They are made when all images are answered, of what is in the parts."""
    printed = predict(photos, "--draw", tmp_path / "a", "--coco", tmp_path / "a.json")
    written = predict(photos, "--draw", tmp_path / "b", "--coco", tmp_path / "b.json", "--out", tmp_path / "b.parquet")
    assert (printed.exit_code, written.exit_code) == (0, 0)
    for name in ("000001_7.jpg", "000002_8.jpg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_a_name_without_a_number_requires_annotations(predict, photos, tmp_path):
    (photos / "8.png").rename(photos / "cat.png")
    done = predict(photos, "--coco", tmp_path / "results.json")
    assert isinstance(done.exception, DataError) and "a number for each image" in str(done.exception)
    assert "--coco-images" in str(done.exception)
    assert not (tmp_path / "results.json").exists()


def test_annotations_that_list_none_of_the_images_are_refused(predict, photos, tmp_path):
    truth = truth_file(tmp_path / "truth.json", {1: "other.png"}, {1: "cat"})
    done = predict(photos, "--coco", tmp_path / "results.json", "--coco-images", truth)
    assert isinstance(done.exception, DataError) and "lists none of the images" in str(done.exception)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "not a file of annotations"), ('{"images": [{"id": "a", "file_name": "7.png"}]}', "a number of its own")],
)
def test_a_file_that_holds_no_annotations_is_refused(text, message, predict, photos, tmp_path):
    (tmp_path / "truth.json").write_text(text)
    done = predict(photos, "--coco", tmp_path / "results.json", "--coco-images", tmp_path / "truth.json")
    assert isinstance(done.exception, DataError) and message in str(done.exception)


@pytest.mark.parametrize("option", [["--masks", "maps"], ["--masks", "maps", "--out", "answers.csv"]])
def test_maps_require_a_model_of_pixels(option, predict, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = predict(photos, *option)
    assert isinstance(done.exception, ConfigError)
    assert "maps require a model that answers with a class for each pixel" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--each"], "--each requires --out"),
        (["--coco-images", "truth.json"], "--coco-images requires --coco"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, predict, photos):
    done = predict(photos, *options)
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)


@pytest.mark.parametrize(
    "options",
    [
        ["--draw", "drawn"],
        ["--masks", "maps"],
        ["--coco", "results.json"],
        ["--least-score", "0.5"],
        ["--each", "--out", "objects.csv"],
    ],
)
def test_a_model_without_places_refuses_what_requires_them(options, brightness, tmp_path, predict, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = predict(photos, *options, model=brightness.saved(tmp_path / "1"))
    assert isinstance(done.exception, ConfigError)
    assert "requires a model whose answers have places in the image" in str(done.exception)
    assert str(done.exception).endswith("Ask without it, or name a model that finds places.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "photos"]


def test_a_file_in_the_model_never_names_code(found_objects, predict, photos, tmp_path):
    """Another name than those of the table is not looked up: the answers are shown as they are."""
    answers = {"presentation": "kerasvision.tasks.detection.presentation:FoundObjects"}
    model = found_objects.module.changed(found_objects.saved_model, tmp_path / "1", answers)
    assert lines(predict(photos / "7.png", model=model))[0] == "image boxes class_numbers classes count image_size scores"


def test_a_model_that_lacks_an_output_of_its_presentation_is_refused(found_objects, brightness, predict, photos, tmp_path):
    saved = brightness.saved(tmp_path / "saved")
    model = found_objects.module.changed(saved, tmp_path / "1", dict(found_objects.module.ANSWERS))
    done = predict(photos, model=model)
    assert isinstance(done.exception, ExportError) and "requires the outputs boxes, scores" in str(done.exception)


def test_a_damaged_description_of_the_answers_is_named(found_objects, predict, photos, tmp_path):
    model = found_objects.module.changed(found_objects.saved_model, tmp_path / "1", {"places": []})
    done = predict(photos, model=model)
    assert isinstance(done.exception, ExportError) and "answers.json is damaged" in str(done.exception)


def pixels(file):
    with Image.open(file) as opened:
        return np.asarray(opened, int)


def truth_file(file, images, categories):
    """Annotations in COCO's form: a cat and a dog in the first image."""
    numbers = {name: number for number, name in categories.items()}
    boxes = [("cat", CAT), ("dog", DOG)]
    first = next(iter(images))
    data = {
        "images": [{"id": number, "file_name": name, "width": 40, "height": 20} for number, name in images.items()],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
        "annotations": [
            {
                "id": place,
                "image_id": first,
                "category_id": numbers[name],
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0,
            }
            for place, (name, (left, top, right, bottom)) in enumerate(boxes, 1)
            if name in numbers
        ],
    }
    file.write_text(json.dumps(data))
    return file


def scored(truth, results):
    """COCO's average precision by pycocotools."""
    judge = COCO(str(truth))
    evaluation = COCOeval(judge, judge.loadRes(str(results)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[0]
