"""A folder with every kind of bad and odd image, through the whole pipeline: reported, counted, and served correctly."""

import io
import json

import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.export.proof import fresh_process
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import standard_pipeline

BAD = {
    "zero_byte": "the file is empty",
    "truncated_jpeg": "truncated or corrupt JPEG",
    "text_named_jpg": "not an image in a known format: a page of HTML; download the image again",
    "giant_header_png": "the header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 100,000,000",
    "giant_header_jpeg": "the header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 100,000,000",
    "tiff": "TIFF cannot be read by TensorFlow: convert it to PNG or JPEG",
}
# A class in another script and with markup.
DOG = "<b>& пёс"
MISNAMED = "the suffix of the file's name does not match its format"
ODD = {
    "one_by_one": MISNAMED,
    "grey": MISNAMED,
    "rgba": f"alpha channel dropped; {MISNAMED}",
    "palette": MISNAMED,
    "cmyk": "CMYK converted to RGB",
    "sixteen_bit": f"16 bits per channel reduced to 8; {MISNAMED}",
    "wrong_extension": MISNAMED,
}


def experiment(folder, **fields):
    defaults = {
        "name": "pets",
        "source": c.ImageFolder(path=folder),
        "ingest": c.Ingest(max_bad_fraction=0.2),
        "transform": c.Transform(image_size=(16, 16)),
        "task": c.Classification(),
        "model": c.Model(name="linear"),
        "training": c.Training(epochs=1, batch_size=8),
        "gate": c.Gate(c.AtLeast("accuracy", 0.0)),
        "serving": c.Serving(latency_queries=5),
        "simple_models": None,
    }
    return c.Experiment(**{**defaults, **fields})


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_images, forked_process):
    """The folder with bad images, after a whole run."""
    root = tmp_path_factory.mktemp("faults")
    folder = make_images.class_folder(root / "images", classes=("cat", DOG), per_class=30)
    for name in BAD | ODD:
        (folder / "cat" / f"{name}.jpg").write_bytes(getattr(make_images, name)())
    for orientation in (3, 6, 8):
        (folder / DOG / f"turned_{orientation}.jpg").write_bytes(make_images.exif_rotated(orientation))
    (folder / DOG / "copy.jpg").write_bytes((folder / DOG / f"{DOG}_000.jpg").read_bytes())
    (folder / "licence.txt").write_text("beside the class folders: left alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "FreshProcess", forked_process)
        return root, run(standard_pipeline(experiment(folder)), root=root)


@pytest.fixture(scope="module")
def manifest(finished):
    return pd.read_parquet(finished[1].artifact("example_gen", "examples").manifest).set_index("id")


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_named_with_its_fault(manifest, name):
    assert manifest.loc[f"cat/{name}.jpg", "fault"] == BAD[name]


@pytest.mark.parametrize("name", ODD)
def test_odd_file_is_used_and_what_it_loses_is_noted(manifest, name):
    row = manifest.loc[f"cat/{name}.jpg"]
    assert (row["fault"], row["notes"]) == ("", ODD[name])


def test_every_file_of_a_class_folder_is_counted(finished, manifest):
    files = [path for path in (finished[0] / "images").rglob("*") if path.parent.name in ("cat", DOG)]
    assert len(manifest) == len(files)
    assert (manifest["fault"] != "").sum() == len(BAD)


def test_rotated_file_has_the_size_that_one_sees(manifest, make_images):
    assert tuple(manifest.loc[f"{DOG}/turned_6.jpg", ["width", "height"]]) == (make_images.HEIGHT, make_images.WIDTH)


def test_anomalies_name_the_quarantined_files(finished):
    found = json.loads(finished[1].artifact("example_validator", "anomalies").file.read_text())
    left_out = {name for a in found["anomalies"] if "left out" in a["message"] for name in a["examples"]}
    assert left_out == {f"cat/{name}.jpg" for name in BAD}
    assert {"corrupt", "oversized", "unsupported", "duplicates"} <= {a["code"] for a in found["anomalies"]}
    assert found["verdict"] == "warn"


def test_images_that_show_too_little_are_proposed_for_the_quarantine_file(finished):
    proposed = pd.read_csv(finished[1].artifact("example_validator", "anomalies").quarantine).set_index("id")
    assert "tiny_image" in proposed.loc["cat/one_by_one.jpg", "reason"]
    assert not set(proposed.index) & {f"cat/cat_{number:03d}.jpg" for number in range(30)}


def test_class_and_file_names_in_other_scripts_and_with_markup_survive(finished, manifest):
    assert manifest.loc[f"{DOG}/{DOG}_001.jpg", ["label", "fault"]].tolist() == [DOG, ""]
    page = finished[1].artifact("evaluator", "evaluation").page.read_text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp; пёс" in page


def test_run_ends_with_a_served_model(finished):
    root, result = finished
    assert result.artifact("infra_validator", "blessing").properties["blessed"] == 1
    assert (root / "saved_models" / "pets" / "1" / "saved_model.pb").is_file()


def test_served_model_sees_a_rotated_photo_as_its_upright_twin(finished, make_images, tmp_path):
    import tensorflow as tf

    root, _ = finished
    served = tf.saved_model.load(str(root / "saved_models" / "pets" / "1"))
    turned = make_images.exif_rotated(6)
    stored = Image.open(io.BytesIO(turned))
    # A PNG of the stored pixels, rotated a quarter clockwise by Pillow, without a second JPEG loss.
    upright, lying = io.BytesIO(), io.BytesIO()
    stored.transpose(Image.Transpose.ROTATE_270).save(upright, "PNG")
    stored.save(lying, "PNG")
    ask = tf.constant([turned, upright.getvalue(), lying.getvalue()])
    scores = served.signatures["serving_default"](image_bytes=ask)["scores"].numpy()
    # Pillow's and TensorFlow's JPEG decoders may differ by a level or two.
    assert abs(scores[0] - scores[1]).max() < 0.02
    assert abs(scores[0] - scores[2]).max() > 2 * abs(scores[0] - scores[1]).max()


def test_too_many_bad_files_are_fatal_and_named(finished, tmp_path):
    strict = experiment(finished[0] / "images", ingest=c.Ingest(max_bad_fraction=0.05))
    with pytest.raises(DataError) as raised:
        run(standard_pipeline(strict), root=tmp_path, until="example_gen")
    message = str(raised.value)
    assert "6 of 77 images cannot be used (7.8%; the limit is 5.0%)" in message
    assert all(f"cat/{name}.jpg: {fault}" in message for name, fault in BAD.items())


def test_empty_class_folder_is_named(make_images, tmp_path):
    folder = make_images.class_folder(tmp_path / "images", per_class=2)
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match=r"class folder .*bird is empty"):
        run(standard_pipeline(experiment(folder)), root=tmp_path, until="example_gen")


def test_one_class_is_refused_with_its_name(make_images, tmp_path):
    folder = make_images.class_folder(tmp_path / "images", classes=("cat",), per_class=12)
    with pytest.raises(DataError, match="at least two classes, and only 'cat' has images"):
        run(standard_pipeline(experiment(folder)), root=tmp_path, until="trainer")


def test_folder_that_vanished_is_told_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        run(standard_pipeline(experiment(tmp_path / "nowhere")), root=tmp_path)
    assert not (tmp_path / "runs").exists()
