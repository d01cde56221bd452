"""OpenVINO as a format, and as the engine that computes the network of a served model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.export.writing.formats.writing import format_complaints
from kerasvision.export.writing.shared_network import SharedNetwork
from kerasvision.served.model import ServedModel
from kerasvision.served.versions import check_whole

pytest.importorskip("openvino", reason="OpenVINO has no package for this platform")


@pytest.fixture(scope="module")
def exported(trained, stripes, tmp_path_factory):
    """The folder of an export for both precisions of OpenVINO, with a temperature, and the content of `export.json`."""
    folder = tmp_path_factory.mktemp("exported")
    task = TrainerSettings.load(trained.settings).task
    settings = c.Export(formats=("openvino", "openvino_bfloat16"), temperature=True)
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    export(files, settings=ExporterSettings(task=task, export=settings), folder=folder)
    return folder, json.loads((folder / "export.json").read_text())


@pytest.fixture(scope="module")
def images(trained):
    """Encoded test images with a file that is not an image among them."""
    found = [example["image"].numpy() for example in trained.examples.dataset("test").take(6)]
    return tf.constant([*found[:3], b"not an image", *found[3:]])


@pytest.mark.parametrize(("kind", "bound"), [("openvino", 1e-5), ("openvino_bfloat16", 0.02)])
@pytest.mark.parametrize("name", ["{}", "serve --engine {}"])
def test_the_answers_are_proven_on_the_test_split(name, kind, bound, exported):
    folder, record = exported
    found = record["formats"][name.format(kind)]
    assert (found["examples"], found["passed"], found["same_answers"]) == (24, True, 1.0)
    assert found["max_difference"] <= bound
    assert (folder / found["file"]).with_suffix(".bin").stat().st_size > 10_000


def test_an_engine_that_answers_otherwise_is_complained_about(exported):
    record = exported[1]["formats"]["serve --engine openvino"]
    assert (record["allowed_difference"], record["allowed_decisions"]) == (1e-4, 0)
    failed = {"serve --engine openvino": {**record, "max_difference": 0.5}}
    (complaint,) = format_complaints(failed)
    assert complaint == "serve --engine openvino: numbers differ by up to 0.5 (allowed: 0.0001)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "bound"), [("openvino", 1e-5), pytest.param("openvino_bfloat16", 0.02, marks=pytest.mark.slow)]
)
def test_encoded_images_get_the_answers_of_tensorflow(engine, bound, exported, images):
    saved_model = exported[0] / "Format-Serving"
    wanted = ServedModel(saved_model)("serving_default", image_bytes=images)
    received = ServedModel(saved_model, engine=engine)("serving_default", image_bytes=images)
    assert received.keys() == wanted.keys()
    np.testing.assert_array_equal(received["valid"], [True] * 3 + [False] + [True] * 3)
    for name in ("classes", "top_classes"):
        np.testing.assert_array_equal(received[name], wanted[name])
    for name in ("scores", "top_scores"):
        np.testing.assert_allclose(received[name], wanted[name], atol=bound)
    assert not received["scores"][3].numpy().any()


def test_the_engine_computes_the_network_and_tensorflow_does_not(exported, images, monkeypatch):
    """With a network that always answers with the same logits, all images get the same scores."""
    monkeypatch.setattr(
        "kerasvision.served.openvino.in_float32",
        lambda file: lambda scaled: {"output_0": np.tile(np.float32([[0, 0, 50]]), (len(scaled), 1))},
    )
    served = ServedModel(exported[0] / "Format-Serving", engine="openvino")
    answer = served("serving_default", image_bytes=images)
    assert [name.decode() for name in answer["classes"].numpy()] == ["über Kreuz"] * 3 + [""] + ["über Kreuz"] * 3
    pixels = served("serve_tensor", image=tf.zeros((2, 16, 16, 1)))
    np.testing.assert_allclose(pixels["scores"][:, 2], 1.0, atol=1e-6)


def test_a_model_that_was_exported_without_it_names_the_setting(trained):
    with pytest.raises(ExportError, match=r"was not exported for the engine openvino.*Add \"openvino\" to export.formats"):
        ServedModel(trained.saved_model, engine="openvino")


def test_without_its_package_the_engine_names_the_extra(exported, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    monkeypatch.delitem(__import__("sys").modules, "kerasvision.served.openvino")
    with pytest.raises(ConfigError, match=r"the engine openvino requires the package openvino.*\[openvino\]"):
        ServedModel(exported[0] / "Format-Serving", engine="openvino")


def test_a_network_that_was_changed_after_the_push_is_rejected(exported, tmp_path):
    from kerasvision.export.publishing.push import push

    version = push(exported[0] / "Format-Serving", folder=tmp_path / "model")
    pushed = tmp_path / "model" / str(version)
    check_whole(pushed)
    weights = pushed / "assets.extra" / "openvino" / "network.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(ExportError, match="network.bin is not what was pushed"):
        ServedModel(pushed, engine="openvino")


def test_an_operation_that_it_lacks_is_named(tmp_path):
    from kerasvision.export.writing.formats.openvino import write_openvino

    def numbers(image):
        return {"scores": tf.math.zeta(image + 2.0, image)}

    exported = Exported(numbers, (2, 2, 1), tmp_path, lambda count: iter(()))
    with pytest.raises(ExportError, match=r"OpenVINO lacks operations of the network: Zeta. .*export.formats"):
        write_openvino(exported, tmp_path / "model.xml", kind="openvino")


@pytest.mark.parametrize("failing", ["save_model", "Core.compile_model"])
def test_what_openvino_cannot_write_or_compute_names_the_format(failing, tmp_path, monkeypatch):
    from kerasvision.export.writing.formats.openvino import OpenVinoBfloat16Converter

    def fails(*_, **__):
        raise RuntimeError("Exception from plugin.cpp:5:\nthe shape is not supported\n")

    monkeypatch.setattr(f"openvino.{failing}", fails)
    converter, file = OpenVinoBfloat16Converter(c.OpenVinoBfloat16()), tmp_path / "model.xml"
    exported = Exported(lambda image: {"scores": image[:, 0, 0]}, (2, 2, 1), tmp_path, lambda count: iter(()))
    with pytest.raises(ExportError, match=r"the shape is not supported\. Remove openvino_bfloat16 from export\.formats"):
        converter.write(exported, file)
        converter.load(file)


def test_both_precisions_share_one_network_and_each_must_have_been_exported(exported, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(exported[0] / "Format-Serving", model)
    networks = [file.relative_to(model).as_posix() for file in model.rglob("network.xml")]
    assert networks == ["assets.extra/openvino/network.xml"]
    (model / "assets.extra" / "openvino" / "openvino_bfloat16.exported").unlink()
    ServedModel(model, engine="openvino")
    with pytest.raises(ExportError, match="was not exported for the engine openvino_bfloat16"):
        ServedModel(model, engine="openvino_bfloat16")


def test_another_use_of_the_network_leaves_it_to_tensorflow(trained):
    class Twice:
        def predictor(self, network, *, temperature):
            return lambda images: {"scores": network(images, training=False) + network(images[:, ::-1], training=False)}

    shared = SharedNetwork(trained.network, shape=(16, 16, 1))
    assert shared.answers_of(Twice(), temperature=1.0) is None
    assert shared.answers_of(trained.task, temperature=1.0) is not None


def test_a_network_with_a_second_input_is_left_to_tensorflow(trained):
    import keras

    image, noise = keras.Input((16, 16, 1)), keras.Input((3,))
    network = keras.Model([image, noise], keras.layers.Add()([keras.layers.Flatten()(image)[:, :3], noise]))

    class WithZeros:
        def predictor(self, network, *, temperature):
            return lambda images: {"scores": network([images, tf.zeros((tf.shape(images)[0], 3))], training=False)}

    assert SharedNetwork(network, shape=(16, 16, 1)).answers_of(WithZeros(), temperature=1.0) is None


def test_the_shared_network_is_the_network_to_a_task(trained):
    import keras

    shared = SharedNetwork(trained.network, shape=(16, 16, 1))
    assert isinstance(shared, keras.Model)
    assert shared.layers == trained.network.layers
    images = tf.random.stateless_uniform((3, 16, 16, 1), seed=(0, 1))
    np.testing.assert_allclose(shared(images, training=False), trained.network(images, training=False), atol=1e-6)


@pytest.fixture(scope="module")
def served_folder(exported, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("saved_models") / "stripes"
    shutil.copytree(exported[0] / "Format-Serving", folder / "1")
    return folder


@pytest.mark.slow
def test_a_server_answers_through_the_engine(served_folder, images):
    from kerasvision.serving.limits import Limits
    from kerasvision.serving.measures import Measures
    from kerasvision.serving.versions import Versions

    versions = Versions(served_folder, limits=Limits(max_batch_size=4), measures=Measures(), engine="openvino")
    signature = versions.current.signatures["serving_default"]
    assert signature.joins
    answer = signature({"image_bytes": images.numpy()})
    wanted = ServedModel(served_folder / "1")("serving_default", image_bytes=images)
    np.testing.assert_allclose(answer["scores"], wanted["scores"], atol=1e-5)
