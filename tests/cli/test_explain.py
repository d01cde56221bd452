"""`kerasvision explain` with a network whose numbers are set by hand: it knows bright images by the mean of their pixels."""

import functools
import json
import re
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision import config as c
from kerasvision.cli import app
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, DataError, ExportError
from kerasvision.export.asking import predict as asking
from kerasvision.export.asking.explained import explained_by
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models.saved import load_network, save_network
from kerasvision.served.versions import describe_files
from kerasvision.tasks.base import make_task

LOADED = functools.cache(asking.ImagePredictor)
CLASSES = ("dark", "bright")
SETTINGS = c.Transform(image_size=(8, 8), color_mode="grayscale", scale="zero_to_one")
TRANSFORM = ImageTransform(SETTINGS, (0.0,), (1.0,))
RED, BLUE, WHITE, BLACK = (255, 77, 77), (77, 126, 255), (255, 255, 255), (0, 0, 0)


def by_brightness():
    """The map is the image itself; the numbers of the classes are 0 and 20 * (mean - 1/2)."""
    image = keras.Input((8, 8, 1), name="image")
    copy = keras.layers.Conv2D(1, 1, name="copy")(image)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(copy)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(mean))
    model.get_layer("copy").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model.get_layer("logits").set_weights([np.array([[0.0, 20.0]]), np.array([0.0, -10.0])])
    return model


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    file = tmp_path_factory.mktemp("network") / "model.keras"
    save_network(by_brightness(), file, names=CLASSES)
    return file


@pytest.fixture(scope="module")
def saved_model(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "1"
    export_saved_model(
        load_network(network), task=make_task(c.Classification(), CLASSES), transform=TRANSFORM, folder=folder
    )
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photo of 320 x 160 pixels, black on the left and white on the right."""
    pixels = np.zeros((160, 320, 3), np.uint8)
    pixels[:, 160:] = 255
    file = tmp_path_factory.mktemp("photos") / "half.png"
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    """A saved model is loaded once for all tests of this file, because that takes about a second."""
    monkeypatch.setattr(asking, "ImagePredictor", LOADED)


def explain(*arguments):
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def opened(file):
    with Image.open(file) as picture:
        return picture.copy()


def shown(folder, name="000001_half.png"):
    """The colours of the picture on the left and on the right."""
    picture = opened(folder / name)
    return picture.size, picture.getpixel((10, 80)), picture.getpixel((310, 80))


def line_of(done):
    assert done.exit_code == 0, done.output
    return re.sub(r"\s+", " ", done.stdout.splitlines()[1]).strip()


def test_grad_cam_is_red_where_the_class_is(saved_model, network, photo, tmp_path):
    done = explain(saved_model, photo, "--network", network, "--label", "bright", "-o", tmp_path / "out")
    assert shown(tmp_path / "out") == ((320, 160), BLACK, RED)
    assert line_of(done) == f"{photo} bright 0.5000 layer copy, 8 x 8 places"
    assert done.stdout.splitlines()[-1] == f"pictures in {tmp_path / 'out'}: 1"


def test_grad_cam_says_where_nothing_speaks_for_a_class(saved_model, network, photo, tmp_path):
    """The number of the class dark is always 0, so no map can raise it."""
    done = explain(saved_model, photo, "--network", network, "--label", "dark", "-o", tmp_path / "out")
    assert line_of(done).endswith("layer copy, 8 x 8 places; no place speaks for it")
    assert shown(tmp_path / "out")[1:] == (BLACK, WHITE)


def test_occlusion_needs_the_saved_model_alone_and_is_blue_where_the_class_is_contradicted(saved_model, photo, tmp_path):
    done = explain(saved_model, photo, "--method", "occlusion", "--label", "bright", "--window", 8, "-o", tmp_path / "all")
    # A square over the whole image has its mean colour, and so the same score.
    assert "falls by up to 0.000 where squares of 8 x 8 pixels cover the image" in line_of(done)
    done = explain(saved_model, photo, "--method", "occlusion", "--label", "bright", "--window", 2, "-o", tmp_path / "out")
    # A square of 4 of the 64 pixels, white covered by the mean grey, lowers the mean by 1/32.
    fall = 0.5 - 1 / (1 + np.exp(20 / 32))
    assert f"the score falls by up to {fall:.3f} where squares of 2 x 2 pixels" in line_of(done)
    _, left, right = shown(tmp_path / "out")
    assert right == RED and left[2] > 150 and left[0] == 0


def test_integrated_gradients_state_how_complete_they_are(saved_model, photo, tmp_path):
    done = explain(saved_model, photo, "--method", "integrated_gradients", "--label", "bright", "-o", tmp_path / "out")
    total, difference = map(float, re.findall(r"[+-]\d\.\d{3}", line_of(done)))
    assert difference == 0.5 and total == pytest.approx(0.5, abs=0.01)
    assert shown(tmp_path / "out")[1:] == (BLACK, RED)


@pytest.fixture(scope="module")
def tagger(network, tmp_path_factory):
    """The same network for tags: sigmoids of 0 and of 20 * (mean - 1/2)."""
    folder = tmp_path_factory.mktemp("tagger") / "1"
    task = make_task(c.MultiLabel(), CLASSES)
    export_saved_model(load_network(network), task=task, transform=TRANSFORM, folder=folder)
    return folder


def test_a_tag_is_explained_by_each_method(tagger, network, photo, tmp_path):
    done = explain(tagger, photo, "--network", network, "--label", "bright", "-o", tmp_path / "cam")
    assert line_of(done) == f"{photo} bright 0.5000 layer copy, 8 x 8 places"
    assert shown(tmp_path / "cam") == ((320, 160), BLACK, RED)
    occluding = ("--method", "occlusion", "--window", 2, "--label", "bright")
    done = explain(tagger, photo, *occluding, "-o", tmp_path / "covered")
    # As above: the mean falls by 1/32.
    fall = 0.5 - 1 / (1 + np.exp(20 / 32))
    assert f"the score falls by up to {fall:.3f} where squares of 2 x 2 pixels" in line_of(done)
    done = explain(tagger, photo, "--method", "integrated_gradients", "--label", "bright", "-o", tmp_path / "gradients")
    total, difference = map(float, re.findall(r"[+-]\d\.\d{3}", line_of(done)))
    assert difference == 0.5 and total == pytest.approx(0.5, abs=0.01)


def test_without_a_label_it_is_the_tag_with_the_highest_score_and_an_unknown_one_is_named(tagger, tmp_path):
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    Image.new("L", (8, 8), 0).save(tmp_path / "black.png")
    images = (tmp_path / "white.png", tmp_path / "black.png", "--method", "occlusion")
    done = explain(tagger, *images, "-o", tmp_path / "out")
    # Of a black image no tag reaches its threshold, and dark still has the higher score.
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:3]] == [["bright", "1.0000"], ["dark", "0.5000"]]
    done = explain(tagger, *images, "--label", "brigth", "-o", tmp_path / "none")
    assert "does not know the tag 'brigth'; did you mean 'bright'?" in str(done.exception)


def by_number(*, scale=200.0, offset=100.0, count=1):
    """Each number is offset + scale * mean."""
    image = keras.Input((8, 8, 1), name="image")
    copy = keras.layers.Conv2D(1, 1, name="copy")(image)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(copy)
    values = keras.layers.Dense(count, name="values")(mean)
    model = keras.Model(image, keras.layers.Rescaling([scale] * count, [offset] * count, name="units")(values))
    model.get_layer("copy").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model.get_layer("values").set_weights([np.ones((1, count)), np.zeros(count)])
    return model


def estimator(folder, *names, **network):
    """The saved model of numbers with these names, and its network."""
    model = by_number(count=len(names), **network)
    save_network(model, folder / "model.keras", names=names)
    export_saved_model(model, task=make_task(c.Regression(), names), transform=TRANSFORM, folder=folder / "1")
    return folder / "1", folder / "model.keras"


def test_a_number_is_explained_in_its_unit(photo, tmp_path):
    saved, network = estimator(tmp_path, "lux")
    done = explain(saved, photo, "--network", network, "-o", tmp_path / "cam")
    assert done.stdout.split()[:4] == ["image", "value", "number", "grad_cam"]
    assert line_of(done) == f"{photo} lux 200 layer copy, 8 x 8 places"
    assert shown(tmp_path / "cam") == ((320, 160), BLACK, RED)
    done = explain(saved, photo, "--method", "occlusion", "--window", 2, "-o", tmp_path / "covered")
    # The mean changes by 1/32, up where a black square becomes grey, down where a white one does.
    assert "the number falls by up to 6.25 and rises by up to 6.25 where squares of 2 x 2 pixels" in line_of(done)
    done = explain(saved, photo, "--method", "integrated_gradients", "-o", tmp_path / "gradients")
    assert "the pixels add up to +100, and the number grows by +100 (32 steps)" in line_of(done)
    # 150 instead of 200 is a quarter of the deviation of 200.
    save_network(by_number(offset=50.0), tmp_path / "other.keras", names=("lux",))
    done = explain(saved, photo, "--network", tmp_path / "other.keras", "-o", tmp_path / "other")
    assert "it answers lux 150 to an image, the saved model 200" in str(done.exception)


@pytest.mark.slow
def test_of_several_numbers_one_must_be_named(photo, tmp_path):
    saved, _ = estimator(tmp_path, "lux", "glare")
    done = explain(saved, photo, "--method", "occlusion", "-o", tmp_path / "out")
    assert isinstance(done.exception, ConfigError)
    assert "explain requires --label for a model that answers several values" in str(done.exception)
    assert "received 'a model of lux, glare'" in str(done.exception)
    done = explain(saved, photo, "--method", "occlusion", "--label", "glare", "-o", tmp_path / "out")
    assert " glare 200 " in line_of(done)


def test_without_a_label_it_is_the_best_one_and_every_image_has_a_picture(saved_model, network, photo, tmp_path):
    Image.new("RGB", (5, 4), WHITE).save(photo.parent / "light.png")
    done = explain(saved_model, photo.parent, "--network", network, "-o", tmp_path / "out")
    assert [line.split()[1] for line in done.stdout.splitlines()[1:3]] == ["dark", "bright"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["000001_half.png", "000002_light.png"]
    # A picture of 5 x 4 pixels would be too small to see a map on it.
    assert opened(tmp_path / "out" / "000002_light.png").size == (240, 192)


def test_a_photo_that_lies_on_its_side_is_explained_upright(saved_model, network, tmp_path):
    pixels = np.zeros((160, 80, 3), np.uint8)
    pixels[:80] = 255  # white above
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise, white is on the right
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    done = explain(saved_model, tmp_path / "turned.jpg", "--network", network, "--label", "bright", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    picture = opened(tmp_path / "out" / "000001_turned.png")
    assert picture.size == (320, 160)
    assert (
        picture.getpixel((310, 80))[0] > 250 and picture.getpixel((310, 80))[1] < 90 and max(picture.getpixel((5, 80))) < 10
    )


def test_the_filters_are_one_picture(network, saved_model, tmp_path):
    done = explain(network, "--filters", "-o", tmp_path / "out")
    assert done.stdout.splitlines() == ["layer copy: 1 filters of 1 x 1 pixels", str(tmp_path / "out" / "filters.png")]
    # One weight of 1, the largest: white.
    assert opened(tmp_path / "out" / "filters.png").getpixel((20, 20)) == WHITE
    assert explain(saved_model, "--filters", "--network", network, "-o", tmp_path / "other").exit_code == 0


def test_the_filters_of_a_linear_network_are_templates_with_the_names_of_their_classes(tmp_path):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2, name="logits")])
    model.layers[-1].set_weights([np.array([[2.0, 0], [0, 0], [0, 0], [-2.0, -1]]), np.zeros(2)])
    save_network(model, tmp_path / "linear.keras", names=CLASSES)
    done = explain(tmp_path / "linear.keras", "--filters", "-o", tmp_path / "out")
    assert done.stdout.splitlines()[0] == "layer logits: 2 templates of 2 x 2 pixels, row by row dark, bright"
    picture = opened(tmp_path / "out" / "filters.png")  # each pixel is 24 pixels wide, with gaps of 2
    corners = [
        picture.getpixel((2 + 50 * number + x, y + 2))[0] for number in (0, 1) for x, y in ((5, 5), (40, 5), (40, 40))
    ]
    assert corners == [255, 128, 0, 128, 128, 0]


def test_the_maps_of_a_layer_lie_side_by_side(saved_model, network, photo, tmp_path):
    done = explain(saved_model, photo, "--layer", "copy", "--network", network, "-o", tmp_path / "out")
    assert line_of(done) == f"{photo} 1 maps of 8 x 8, values 0 to 1"
    picture = opened(tmp_path / "out" / "000001_half.png")
    assert picture.size == (52, 52)  # 8 x 8, six times as large, with gaps of 2
    assert (picture.getpixel((5, 20)), picture.getpixel((45, 20))) == (BLACK, WHITE)
    done = explain(saved_model, photo, "--layer", "logits", "--network", network, "-o", tmp_path / "row")
    assert line_of(done) == f"{photo} 2 maps of 1 x 1, values 0 to 0; 2 are 0 everywhere"


# --- What it refuses


def test_bad_files_are_named_and_do_not_disturb_the_others(saved_model, network, photo, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    images = (tmp_path / "text.png", photo, tmp_path / "nowhere.png")
    done = explain(saved_model, *images, "--network", network, "-o", tmp_path / "out")
    assert isinstance(done.exception, DataError)
    assert "2 of 3 files cannot be used:" in str(done.exception) and "text.png" in str(done.exception)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["000002_half.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "occlusion", "--label", "brigth"], r"does not know the class 'brigth'; did you mean 'bright'\?"),
        (
            ["--method", "occlusion", "--window", "9"],
            r"--window must lie in \[1, 8\]: the network sees 8 x 8 pixels; received 9",
        ),
        (["--method", "occlusion", "--window", "0"], r"--window must lie in \[1, 8\]"),
        (["--window", "2"], "--window requires --method occlusion"),
        (["--method", "occlusion", "--network", "a.keras"], "--network is for grad_cam, --layer and --filters"),
        ([], r"grad_cam requires the .keras file of the training, because a saved model has no layers, and no record names"),
        (["--layer", "copy"], "--layer copy requires the .keras file of the training"),
        (["--filters"], "--filters shows the network alone; remove the images"),
        (["--filters", "--layer", "copy"], "--filters and --layer ask for different pictures"),
        (["--layer", "copy", "--label", "dark"], "--label explains an answer, and --layer shows the network"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_picture_is_written(options, message, saved_model, photo, tmp_path):
    done = explain(saved_model, photo, *options, "-o", tmp_path / "out")
    assert isinstance(done.exception, ConfigError) and re.search(message, str(done.exception)), done.exception
    assert not (tmp_path / "out").exists()


def test_an_image_is_required_and_a_folder_with_files_is_not_written_into(saved_model, photo, tmp_path):
    assert "explain requires an image" in str(explain(saved_model).exception)
    done = explain(saved_model, photo, "--method", "occlusion", "-o", photo.parent)
    assert "pictures require a new or an empty folder" in str(done.exception)


def test_an_unknown_layer_is_named_with_its_neighbour(saved_model, network, photo, tmp_path):
    done = explain(saved_model, photo, "--layer", "cpoy", "--network", network, "-o", tmp_path / "out")
    assert "the network has no layer 'cpoy' with one output; did you mean 'copy'?" in str(done.exception)


def test_another_network_is_refused(saved_model, photo, tmp_path):
    """One with other images, one with other classes, and one of another training, which answers otherwise."""
    opposite = by_brightness()
    opposite.get_layer("logits").set_weights([np.array([[0.0, -20.0]]), np.array([0.0, 10.5])])
    save_network(opposite, tmp_path / "opposite.keras", names=CLASSES)
    save_network(by_brightness(), tmp_path / "named.keras", names=("cat", "dog"))
    larger = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    save_network(larger, tmp_path / "larger.keras", names=CLASSES)
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    for name, message in (
        ("larger", "whose images have the shape (8, 8, 1)"),
        ("named", "the classes differ"),
        ("opposite", "it answers 'dark' to an image, the saved model 'bright'"),
    ):
        done = explain(saved_model, tmp_path / "white.png", "--network", tmp_path / f"{name}.keras", "-o", tmp_path / name)
        assert isinstance(done.exception, ConfigError) and message in str(done.exception), done.exception


@pytest.mark.slow
def test_a_network_without_maps_is_explained_by_the_other_methods(photo, tmp_path):
    linear = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    save_network(linear, tmp_path / "linear.keras", names=CLASSES)
    task = make_task(c.Classification(), CLASSES)
    export_saved_model(linear, task=task, transform=TRANSFORM, folder=tmp_path / "1")
    done = explain(tmp_path / "1", photo, "--network", tmp_path / "linear.keras", "-o", tmp_path / "cam")
    assert "Grad-CAM requires a network with maps" in str(done.exception)
    done = explain(tmp_path / "1", photo, "--method", "integrated_gradients", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("found_objects", "draws what it finds, and where"), ("pixel_classes", "paints the class of each pixel")],
)
def test_a_model_that_does_not_score_its_classes_is_refused(kind, instead, request, photo, tmp_path):
    done = explain(request.getfixturevalue(kind).saved_model, photo, "-o", tmp_path / "out")
    assert isinstance(done.exception, ConfigError)
    message = str(done.exception)
    assert "explain requires a model that answers with a score for each class or tag, or with numbers; received" in message
    assert f"`kerasvision predict --draw` {instead}" in message


@pytest.mark.parametrize(
    ("signatures", "instead"),
    [
        (("serving_default", "explain"), "Its signature explain answers where"),
        (("serving_default",), "`kerasvision predict` prints"),
    ],
)
def test_a_model_that_answers_with_sentences_is_refused_with_what_it_has(signatures, instead, tmp_path):
    model = SimpleNamespace(
        folder=tmp_path,
        presentation=None,
        outputs={"captions": ("object", (None,))},
        served=SimpleNamespace(signatures=signatures),
    )
    with pytest.raises(ConfigError, match=f"which answers with captions'. {instead}"):
        explained_by(model)


def test_a_saved_model_of_other_software_is_told_what_it_lacks(brightness, photo, tmp_path):
    folder = brightness.saved(tmp_path / "1")
    done = explain(folder, photo, "--method", "occlusion", "-o", tmp_path / "out")
    assert isinstance(done.exception, ExportError) and "labels.txt cannot be read" in str(done.exception)
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "labels.txt").write_text("dark\nbright\n")
    done = explain(folder, photo, "--method", "occlusion", "-o", tmp_path / "out")
    assert "this method asks the signature serve_tensor for scores" in str(done.exception)


def test_the_network_is_found_in_the_record_of_a_pushed_version(saved_model, network, photo, tmp_path):
    """As the pusher records it: `version.json` names the artifacts below `runs/`."""
    version = tmp_path / "saved_models" / "halves" / "1"
    shutil.copytree(saved_model, version)
    lineage = {
        "inputs": {"saved_model": 8, "model": 3},  # the network that was judged may be another than the one that is served
        "executions": [{"node": "exporter", "inputs": {"model": 7}, "outputs": {"saved_model": 8}}],
        "artifacts": [{"id": 7, "uri": "artifacts/halves/trainer/model/7"}, {"id": 3, "uri": "artifacts/other"}],
    }
    record = {"name": "halves", "version": 1, "lineage": lineage, "files": describe_files(version)}
    (version / "version.json").write_text(json.dumps(record))
    done = explain(version.parent, photo, "-o", tmp_path / "before")
    assert "no record names that of" in str(done.exception)
    kept = tmp_path / "runs" / "artifacts" / "halves" / "trainer" / "model" / "7" / "Format-Keras" / "model.keras"
    kept.parent.mkdir(parents=True)
    shutil.copy(network, kept)
    done = explain(version.parent, photo, "-o", tmp_path / "out")
    assert line_of(done) == f"{photo} dark 0.5000 layer copy, 8 x 8 places; no place speaks for it"
