"""`kerasvision new`: what it says of a folder of images; which examples there are, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.config.examples import example_names
from kerasvision.config.loading import load_experiment
from kerasvision.config.meant import instead_of_class_folders
from kerasvision.errors import ConfigError, DataError

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture
def new(tmp_path, monkeypatch):
    """Calls `kerasvision new` in an empty folder; what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        done = CliRunner().invoke(app, ["new", *words])
        if done.exception is not None:
            raise done.exception
        return done.output

    return call


@pytest.mark.parametrize("words", [("--example",), ("--example", "--folder", "mine"), ("--example", "")])
def test_example_without_a_name_lists_every_pipeline_of_the_repository(new, words, tmp_path):
    printed = new(*words)
    listed = [line.split()[0] for line in printed.splitlines()[1:-1]]
    assert listed == sorted(file.stem for file in PIPELINES.glob("*.py"))
    assert "data/flowers" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", example_names())
def test_example_is_written_as_it_is_in_the_repository(new, name, tmp_path):
    assert f"kerasvision run mine/{name}.py" in new("--example", name, "--folder", "mine")
    assert (tmp_path / "mine" / f"{name}.py").read_bytes() == (PIPELINES / f"{name}.py").read_bytes()


def test_what_the_user_must_provide_is_named_until_it_is_there(new, tmp_path):
    assert "data/flowers, which you must provide" in new("--example", "flowers")
    (tmp_path / "data" / "flowers").mkdir(parents=True)
    assert "provide" not in new("--example", "flowers", "--folder", "again")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--example", "digit"],
            "did you mean 'digits'? The examples are coco_captions, coco_detection, coco_segmentation, coco_tags, digits, ",
        ),
        (["--example", "zzz"], "choose from coco_captions, coco_detection, coco_segmentation, coco_tags, digits, "),
        (["mine", "--example", "digits"], "does not accept NAME; received 'mine'"),
        (["--images", "x", "--example", "digits"], "does not accept --images; received 'x'"),
        (["--minutes", "3", "--example", "digits"], "does not accept --minutes; received '3.0'"),
        (["mine", "--images", "x", "--minutes", "0"], "--minutes must be above 0; received 0.0"),
        ([], "new requires NAME and --images, or --example; NAME is missing"),
        (["mine"], "new requires NAME and --images, or --example; --images is missing"),
    ],
)
def test_wrong_call_says_the_rule_and_what_there_is(new, words, message, tmp_path):
    with pytest.raises(ConfigError) as refused:
        new(*words)
    assert message in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_file_of_the_user_is_kept(new, tmp_path):
    new("--example", "digits")
    (tmp_path / "pipelines" / "digits.py").write_text("edited")
    with pytest.raises(ConfigError, match="exists already, and is not overwritten"):
        new("--example", "digits")
    assert (tmp_path / "pipelines" / "digits.py").read_text() == "edited"


# --- From images


@pytest.fixture
def coco(make_images, tmp_path):
    """72 images of 48 x 40 pixels, each with a cup or a ball of 12 x 10 pixels; 48 of them for training."""
    return make_images.clean_coco(tmp_path / "things")


def test_of_images_with_objects_the_objects_are_described(new, coco):
    printed = new("things", "--images", "things").splitlines()
    assert printed[0] == "wrote pipelines/things.py"
    assert [line.split() for line in printed[2:5]] == [["class", "objects"], ["cup", "36"], ["ball", "36"]]
    assert printed[5:10] == [
        "72 images with 72 objects of 2 classes, in colour",
        "longer side of an image in pixels: 48",
        "objects in an image: 1; images without objects: 0",
        "side of an object in pixels, the root of its area: 11",
        "splits: train 41, validation 24, test 7",
    ]
    assert printed[10].startswith("recipe: FCOS on a quarter of ResNet-18, from nothing, at 64 x 64 pixels, because ")
    assert printed[11].startswith("the objects have outlines: with task=c.Segmentation() and masks=")
    assert printed[12] == "100 epochs; --minutes M measures a step on this machine, and chooses the epochs by it"
    assert printed[13:] == [
        "next:",
        "  kerasvision data show pipelines/things.py",
        "  kerasvision run pipelines/things.py --set training.epochs=1 --until trainer",
        "  kerasvision run pipelines/things.py",
    ]


def test_the_pipeline_for_objects_reads_the_folder_and_finds_objects(new, coco):
    new("things", "--images", "things")
    experiment = load_experiment("pipelines/things.py")
    assert (experiment.source.kind, experiment.task.kind, experiment.model.name) == ("coco", "detection", "fcos")
    assert experiment.source.crowds == "keep"
    assert experiment.transform.image_size == (64, 64)


def test_minutes_for_objects_become_epochs_by_what_was_measured(new, coco, monkeypatch):
    from kerasvision.training.probes import training_time

    measured = training_time.TrainingTime(start=10.0, image=0.1, step_image=0.01, images=64)
    monkeypatch.setattr(training_time, "training_time", lambda experiment, files: measured if files is None else None)
    printed = new("things", "--images", "things", "--minutes", "1")
    # 41 images: 10 s to start, 4.1 s once, and 0.41 s for an epoch. So 60 s are enough for 111 epochs.
    assert "111 epochs of 41 images: about 1.0 minutes of training" in printed
    assert load_experiment("pipelines/things.py").training.epochs == 111


def test_objects_without_outlines_are_not_said_to_have_any(new, coco):
    for file in (coco / "annotations").glob("instances_*.json"):
        content = json.loads(file.read_text())
        for one in content["annotations"]:
            one["segmentation"] = []
        file.write_text(json.dumps(content))
    assert "outlines" not in new("things", "--images", "things")


def test_of_a_folder_of_objects_that_has_maps_too_the_other_settings_are_named(new, coco):
    for name in ("images/1.jpg", "masks/1.png"):
        (coco / name).parent.mkdir()
        Image.new("L", (8, 8)).save(coco / name)
    found = " ".join(new("things", "--images", "things").split())
    assert "the folder has label maps, too: with source=c.Masks(path='things') and task=c.Segmentation()" in found


@pytest.fixture
def maps(tmp_path):
    """20 images of 40 x 30 pixels and their maps: every map has a road below, every second one a car on it."""
    for folder in ("images", "masks"):
        (tmp_path / "streets" / folder).mkdir(parents=True)
    for number in range(20):
        pixels = np.zeros((30, 40), np.uint8)
        pixels[15:] = 1
        pixels[20:26, 10:20] = 2 * (number % 2) or 1
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / "streets" / "images" / f"{number}.png")
        Image.fromarray(pixels).save(tmp_path / "streets" / "masks" / f"{number}.png")
    return tmp_path / "streets"


def test_of_images_with_maps_the_classes_are_described(new, maps):
    printed = new("streets", "--images", "streets").splitlines()
    table = [line.split() for line in printed[2:6]]
    assert table == [["class", "maps", "with", "it"], ["0", "20"], ["1", "20"], ["2", "10"]]
    assert printed[6:10] == [
        "20 images with maps of 3 classes, in colour",
        "longer side of an image in pixels: 40",
        # 60 of 1,200 pixels are a car in half of the maps.
        "share of the pixels of 20 maps: 0 50.0%, 1 47.5%, 2 2.5%",
        "splits: train 15, validation 2, test 3",
    ]
    assert printed[10].startswith("recipe: a quarter of U-Net, from nothing, at 64 x 64 pixels, because ")
    assert "  kerasvision run pipelines/streets.py" in printed


def test_the_pipeline_for_maps_reads_the_folder_and_gives_each_pixel_a_class(new, maps):
    new("streets", "--images", "streets")
    experiment = load_experiment("pipelines/streets.py")
    assert (experiment.source.kind, experiment.task.kind, experiment.model.name) == ("masks", "segmentation", "unet")
    # 0.5 of the pixels, over three classes, and 0.05 above it.
    assert [rule.value for rule in experiment.gate.rules] == [0.22]


def test_a_folder_of_maps_instead_of_a_pipeline_file_is_answered_with_the_command(new, maps):
    assert "has images and label maps: `kerasvision new streets --images" in instead_of_class_folders(maps)


def test_maps_that_cannot_be_used_are_refused_with_their_fault(new, maps):
    for file in (maps / "masks").iterdir():
        Image.new("RGB", (40, 30), (255, 0, 0)).save(file)
    with pytest.raises(DataError, match="no image with a label map that can be used; .* is a colour PNG") as refused:
        new("streets", "--images", "streets")
    assert "in a CSV file in streets, with the columns id and name, or r, g, b and name" in str(refused.value)


def test_some_maps_that_cannot_be_used_are_counted_and_the_first_is_named(new, maps):
    spoil = {"3": np.zeros((20, 40), np.uint8), "5": np.full((30, 40), 255, np.uint8), "7": np.zeros((30, 40, 3), np.uint8)}
    spoil["7"][0, 0, 0] = 9
    for number, pixels in spoil.items():
        Image.fromarray(pixels).save(maps / "masks" / f"{number}.png")
    (maps / "masks" / "9.png").unlink()
    printed = new("streets", "--images", "streets").splitlines()
    assert "16 images with maps of 3 classes, in colour" in printed
    assert any(line.startswith("share of the pixels of 16 maps: ") for line in printed)
    found = " ".join(printed)
    assert "images that cannot be used: 4; the first is images/9.png: no label map: there is no masks/9.png" in found


def named_as_vocs(maps, folder):
    """The same images in the folders of Pascal VOC; the last is in no list."""
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (maps / "images").rename(folder / "JPEGImages")
    (maps / "masks").rename(folder / "SegmentationClass")
    for split, numbers in (("train", range(12)), ("val", range(12, 19))):
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{number}\n" for number in numbers))


def test_the_folders_of_voc_are_known_with_their_lists(new, maps, tmp_path):
    named_as_vocs(maps, tmp_path / "voc")
    printed = new("streets", "--images", "voc")
    assert "19 images with maps of 3 classes" in printed and "cannot be used" not in printed
    source = load_experiment("pipelines/streets.py").source
    assert (source.images, source.masks, source.lists) == ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")


def test_the_folders_of_cityscapes_are_known_with_their_suffixes(new, maps, tmp_path):
    for kind, folder, suffix in (("images", "leftImg8bit", "leftImg8bit"), ("masks", "gtFine", "gtFine_labelIds")):
        (tmp_path / "city" / folder / "train" / "bonn").mkdir(parents=True)
        for file in (maps / kind).iterdir():
            file.rename(tmp_path / "city" / folder / "train" / "bonn" / f"{file.stem}_{suffix}.png")
    assert "20 images with maps of 3 classes" in new("streets", "--images", "city")
    assert load_experiment("pipelines/streets.py").source.mask_suffix == "_gtFine_labelIds"


def test_objects_that_are_painted_with_the_ignored_number_are_recognised(new, maps):
    for file in (maps / "masks").iterdir():
        with Image.open(file) as opened:
            numbers = np.asarray(opened)
        Image.fromarray(np.where(numbers == 1, 255, 0).astype(np.uint8)).save(file)
    with pytest.raises(DataError, match=r"two classes .*received '0; pixels of 255 are ignored'") as refused:
        new("streets", "--images", "streets")
    assert "If 255 is a class, name all numbers in a CSV file in streets" in str(refused.value)
    (maps / "classes.csv").write_text("id,name\n0,sky\n255,road\n")
    assert "share of the pixels of 20 maps: sky 52.5%, road 47.5%" in new("streets", "--images", "streets")


@pytest.mark.parametrize("first", ["id,name\n", "id;name\r\n"])
def test_a_table_in_a_folder_of_maps_names_the_classes(new, maps, first):
    separator = first[2]
    rows = ("0,sky", "1,road", "2,car")
    (maps / "classes.csv").write_text(first + "".join(f"{row.replace(',', separator)}\n" for row in rows))
    (maps / "sizes.csv").write_text("file,name,height\n")  # another table
    assert "share of the pixels of 20 maps: sky 50.0%, road 47.5%, car 2.5%" in new("streets", "--images", "streets")
    assert load_experiment("pipelines/streets.py").source.table == Path("streets/classes.csv")


def test_of_several_tables_of_classes_none_is_chosen(new, maps):
    for name in ("a.csv", "b.csv"):
        (maps / name).write_text("id,name\n0,sky\n")
    assert "20 maps: 0 50.0%, 1 47.5%, 2 2.5%" in new("streets", "--images", "streets")


def test_images_without_any_object_are_refused(new, coco):
    for file in (coco / "annotations").glob("instances_*.json"):
        content = json.loads(file.read_text())
        file.write_text(json.dumps({**content, "annotations": []}))
    with pytest.raises(DataError, match="must hold images with objects; received '72 images without any'"):
        new("things", "--images", "things")


@pytest.fixture
def photos(tmp_path):
    """Makes images of one colour, 60 x 48 pixels, too small for networks for photos: {class: how many}."""

    def make(counts):
        for label, count in counts.items():
            (tmp_path / "photos" / label).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (60, 48), (number, len(label), 90)).save(tmp_path / "photos" / label / f"{number}.png")

    return make


def test_what_was_seen_chosen_and_comes_next_is_printed(new, photos):
    photos({"cat": 20, "dog": 40})
    printed = new("pets", "--images", "photos").splitlines()
    assert printed[0] == "wrote pipelines/pets.py"
    assert [line.split() for line in printed[2:5]] == [["class", "images"], ["dog", "40"], ["cat", "20"]]
    assert printed[5:7] == [
        "60 images of 2 classes, in colour; shorter side in pixels: 48",
        "splits: train 45, validation 6, test 9",
    ]
    assert printed[7] == "after the verdict another network is trained on all of them and pushed"
    assert printed[8].startswith("recipe: ResNet-9 ")
    assert " because " in printed[8]
    assert printed[10:] == [
        "next:",
        "  kerasvision data show pipelines/pets.py",
        "  kerasvision run pipelines/pets.py --set training.epochs=1 --until trainer",
        "  kerasvision run pipelines/pets.py",
    ]


def test_of_many_classes_the_largest_and_the_smallest_are_shown(new, photos):
    photos({f"class{number:02}": 3 + number for number in range(14)})
    printed = new("many", "--images", "photos").splitlines()
    rows = [line.split() for line in printed[3:14]]
    assert [row[0] for row in rows[:5]] == ["class13", "class12", "class11", "class10", "class09"]
    assert rows[5] == ["and", "4", "more", "8", "to", "11"]
    assert [row[1] for row in rows[6:]] == ["7", "6", "5", "4", "3"]


def test_class_that_cannot_be_judged_is_named(new, photos):
    photos({"cat": 40, "dog": 1})
    assert "no test image of 'dog': too few images to judge by" in new("pets", "--images", "photos")


def test_minutes_become_epochs_by_what_was_measured(new, photos, monkeypatch):
    from kerasvision.training.probes import training_time

    measured = training_time.TrainingTime(start=10.0, image=0.1, step_image=0.01, images=64)
    monkeypatch.setattr(training_time, "training_time", lambda *_: measured)
    photos({"cat": 20, "dog": 40})
    printed = new("pets", "--images", "photos", "--minutes", "1")
    # Two trainings, with 45 and 60 images: 20 s to start both, 10.5 s once, and 1.05 s for an epoch of both. So 60 s are
    # enough for 28 epochs.
    assert "28 epochs of 45 and then of 60 images: about 1.0 minutes of training" in printed
    assert "10 s to start, 100.0 ms once per image, 10.0 ms per image and epoch" in printed
    assert load_experiment("pipelines/pets.py").training.epochs == 28


def test_a_folder_that_is_missing_is_answered_with_the_option_to_change(new):
    with pytest.raises(DataError, match=r"there is no folder photos \(looked in .*Give --images a folder"):
        new("pets", "--images", "photos")


def test_a_file_that_is_no_table_of_images_is_answered_with_the_folder_of_all_classes(new, photos):
    photos({"cat": 1, "dog": 1})
    Path("photos/classes.csv").write_text("id,name\n1,cat\n", encoding="utf-8")
    photo = next(Path("photos/cat").iterdir())
    for file in (photo, Path("photos/classes.csv")):
        with pytest.raises(
            DataError, match=rf"{file} is another file\. Give --images the folder .*, such as /[^;]*/photos; "
        ):
            new("pets", "--images", str(file))


def test_a_folder_with_one_class_is_answered_with_the_folders_to_make(new, photos):
    photos({"cat": 3})
    with pytest.raises(
        DataError, match=r"at least two classes; received \['cat'\]\. Put .* such as photos/cat and photos/dog"
    ):
        new("pets", "--images", "photos")


def test_no_minutes_are_answered_with_an_example(new):
    with pytest.raises(ConfigError, match=r"--minutes must be above 0; received 0\.0\. For example, --minutes 10"):
        new("pets", "--images", "photos", "--minutes", "0")
