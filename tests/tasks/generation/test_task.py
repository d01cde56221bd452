"""Generation as a task: what it learns from, what it answers as a SavedModel, and how it is judged."""

import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.export.asking.made import ImageMaker, check_outputs, write_files, write_picture
from kerasvision.export.proof.contract import check_contract
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models.generators import computed
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import SplitPixels, make_task
from kerasvision.tasks.generation.answers import pictures_of, samples_of
from kerasvision.tasks.generation.losses import bound_parts
from kerasvision.tasks.generation.noise import noise_of_samples

CLASSES = ("cat", "dog", "T-shirt/top")
SIDE = 16
TRANSFORM = ImageTransform(c.Transform(image_size=(SIDE, SIDE), color_mode="grayscale"), (0.0,), (1.0,))
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (24, SIDE, SIDE, 1)).astype(np.uint8)
NETWORKS = {"elbo": "vae", "adversarial": "dcgan"}


def make(loss, *, classes=CLASSES, conditional=True, **fields):
    return make_task(c.Generation(loss=loss, conditional=conditional, latent_size=5, **fields), classes)


def built(task, **options):
    keras.utils.set_random_seed(0)
    model = c.Model(name=NETWORKS[task.settings.loss], options={"channels": 4, **options})
    network = task.build(model, image_shape=(SIDE, SIDE, 1))
    network([np.zeros((2, *tensor.shape[1:]), np.float32) for tensor in network.inputs], training=True)
    return network


def with_moving_couplings(task):
    """A network whose prior is not standard normal, as after a training."""
    network = built(task, couplings=2)
    for layer in network.layers:
        if layer.name.endswith("_moves"):
            layer.kernel.assign(RANDOM.normal(0, 0.1, layer.kernel.shape))
    return network


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The SavedModel of each loss; that of `elbo` is conditional."""

    def saved(loss, *, conditional):
        task = make(loss, conditional=conditional)
        folder = tmp_path_factory.mktemp(loss) / "1"
        network = built(task)
        export_saved_model(network, task=task, transform=TRANSFORM, folder=folder)
        return SimpleNamespace(task=task, network=network, folder=folder, model=ServedModel(folder))

    return {"elbo": saved("elbo", conditional=True), "adversarial": saved("adversarial", conditional=False)}


def sampled(one, *, seed=0, numbers=(0, 1, 2), labels=None):
    inputs = {"seed": tf.fill([len(numbers)], tf.constant(seed, tf.int64)), "number": tf.constant(numbers, tf.int64)}
    inputs |= {} if labels is None else {"label": tf.constant(labels)}
    return {name: value.numpy() for name, value in one.model("sample", **inputs).items()}


def test_inputs_are_image_noise_and_label_and_the_target_is_the_image():
    batch = {"image": tf.ones((2, SIDE, SIDE, 1)), "numbers": tf.fill([2, 5], 0.5), "label": tf.constant([2, 0], tf.int64)}
    (image, noise, label), target = make("elbo").encode(batch)
    assert image is target
    np.testing.assert_allclose(noise, 0, atol=1e-6)  # the middle of a normal distribution
    assert label.numpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert len(make("elbo", conditional=False).encode(batch)[0]) == 2
    with pytest.raises(DataError, match="requires a label for every image"):
        make("elbo").encode({name: part for name, part in batch.items() if name != "label"})


def test_what_cannot_be_learned_is_named_before_training():
    with pytest.raises(ConfigError, match="images of at least 2 classes; received 1"):
        built(make("elbo", classes=("cat",)))
    task = make("adversarial")
    with pytest.raises(ConfigError, match="must return a dict with real, real_classes, fake, picture"):
        task.build(c.Model(name="vae"), image_shape=(SIDE, SIDE, 1))


def test_a_server_finds_nothing_to_complain_about(served):
    for one in served.values():
        assert check_contract(one.folder)[0] == []


def test_a_sample_is_decided_by_seed_number_and_label_alone(served):
    one = served["elbo"]
    together = sampled(one, labels=["cat", "dog", "cat"])
    assert together["valid"].all()
    alone = sampled(one, numbers=(2,), labels=["cat"])
    assert alone["image_png_bytes"][0] == together["image_png_bytes"][2]
    others = {
        sampled(one, numbers=(2,), labels=["dog"])["image_png_bytes"][0],
        sampled(one, numbers=(3,), labels=["cat"])["image_png_bytes"][0],
        sampled(one, numbers=(2,), labels=["cat"], seed=1)["image_png_bytes"][0],
    }
    assert len(others | {alone["image_png_bytes"][0]}) == 4
    picture = Image.open(io.BytesIO(alone["image_png_bytes"][0]))
    assert (picture.size, picture.mode) == ((SIDE, SIDE), "L")


def test_a_class_that_is_not_there_spoils_its_own_row_only(served):
    found = sampled(served["elbo"], labels=["cat", "bird", "dog"])
    assert found["valid"].tolist() == [True, False, True]
    assert found["image_png_bytes"][1] == b""
    assert not sampled(served["adversarial"], numbers=(-1,))["valid"][0]


def test_served_answers_about_an_image(served):
    file = tf.constant([encode_png(PIXELS[0, ..., 0])])
    code = served["elbo"].model("serving_default", image_bytes=file)
    assert code["code"].shape == (1, 3, 5)  # as an image of each class
    realness = served["adversarial"].model("serving_default", image_bytes=file)["realness"].numpy()
    assert realness.shape == (1, 1)
    assert 0 < realness[0, 0] < 1
    restored = served["elbo"].model("restore", image_bytes=file, label=tf.constant(["dog"]))
    picture = np.asarray(Image.open(io.BytesIO(restored["restored_png_bytes"].numpy()[0])), np.float64) / 255
    error = np.square(picture - PIXELS[0, ..., 0] / 255).mean()
    assert restored["reconstruction_error"].numpy()[0] == pytest.approx(error, abs=2e-3)  # of an image in 256 steps
    # The divergence by hand, in nats per value.
    variance = np.exp(code["log_variance"].numpy()[0, 1])
    divergence = (np.square(code["code"].numpy()[0, 1]) + variance - np.log(variance) - 1).sum() / 2 / SIDE**2
    assert restored["kl_divergence"].numpy()[0] == pytest.approx(divergence, rel=1e-3)
    bad = served["elbo"].model("restore", image_bytes=file, label=tf.constant(["bird"]))
    assert not bad["valid"].numpy()[0]


def test_a_sample_is_made_of_the_noise_times_the_temperature():
    noise, label = RANDOM.normal(size=(4, 5)).astype(np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    network = with_moving_couplings(make("elbo"))
    usual, cool = (
        samples_of(network, settings=make("elbo", **fields).settings) for fields in ({}, {"sample_temperature": 0.5})
    )
    np.testing.assert_array_equal(cool(noise, label), usual(0.5 * noise, label))
    # Its code is that which the prior makes of the noise, and not the noise.
    code = computed(network, {"noise": noise, "label": label}, to="prior_code")
    np.testing.assert_array_equal(usual(noise, label), pictures_of(network)(code, label))
    assert np.abs(usual(noise, label) - pictures_of(network)(noise, label)).max() > 1e-3


def test_the_bound_of_a_restored_image_is_that_of_the_training_with_a_learned_prior_too():
    task = make("elbo")
    network = with_moving_couplings(task)
    images, label = tf.constant(PIXELS[:2] / np.float32(255)), tf.one_hot([1, 1], 3)
    found = task.extra_signatures(network)["restore"].answer(images, tf.constant(["dog", "dog"]))
    parts = []
    for number in range(4):  # the draws of the answer
        noise = noise_of_samples(tf.zeros(2, tf.int64), tf.fill([2], tf.constant(number, tf.int64)), size=5)
        parts.append(bound_parts(images, network([images, noise, label], training=False), pixel_deviation=None))
    for name in ("reconstruction_loss", "kl_divergence"):
        expected = np.mean([part[name] for part in parts], axis=0) / SIDE**2
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)


def test_the_bound_of_an_image_does_not_depend_on_its_batch(served):
    files = tf.constant([encode_png(one[..., 0]) for one in PIXELS[:5]])
    labels = tf.constant(["cat"] * 5)
    whole = served["elbo"].model("restore", image_bytes=files, label=labels)
    alone = served["elbo"].model("restore", image_bytes=files[3:4], label=labels[3:4])
    np.testing.assert_allclose(alone["reconstruction_loss"][0], whole["reconstruction_loss"][3], rtol=1e-5)


def reference(split):
    return {
        "train": SplitPixels([f"t{number}" for number in range(12)], PIXELS[:12]),
        "validation": SplitPixels([], PIXELS[:0]),
        "test": SplitPixels([f"e{number}" for number in range(12)], PIXELS[12:]),
    }[split]


def judged(task, samples, **more):
    predictions = {"samples": samples, "realness": np.full((12, 3), 0.5, np.float32), **more}
    known = task.with_reference(reference)
    return known, known.judge(ids=[f"e{number}" for number in range(12)], truth=np.arange(12) % 3, predictions=predictions)


def test_copies_of_training_images_have_no_novelty_and_are_named():
    task, judgement = judged(make("adversarial"), PIXELS[:12])
    assert judgement.scores["novelty"] == pytest.approx(0, abs=1e-6)
    assert judgement.rows["nearest"].tolist() == [f"t{number}" for number in range(12)]
    assert "may copy" in judgement.remarks[0]
    assert list(task.figures(judgement)) == ["Samples, and the nearest training image below each"]


def test_unseen_images_as_samples_have_the_best_scores():
    task, judgement = judged(make("adversarial"), PIXELS[12:])
    assert judgement.scores["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert judgement.scores["novelty"] == pytest.approx(1)
    assert judgement.scores["diversity"] == pytest.approx(1)
    assert judgement.rows["loss"].tolist() == pytest.approx([np.log(2)] * 12)
    assert judgement.scores.keys() == set(task.settings.built_in_metrics())


def test_a_collapsed_model_has_no_diversity_and_is_named():
    _, judgement = judged(make("adversarial"), np.repeat(PIXELS[12:13], 12, axis=0))
    assert judgement.scores["diversity"] == pytest.approx(0, abs=1e-6)
    assert any("differ only" in remark for remark in judgement.remarks)


def test_the_bound_is_measured_in_nats_per_image():
    parts = {"reconstruction_loss": 0.5, "kl_divergence": 0.25, "reconstruction_error": 0.125}
    means = {name: np.full(12, value, np.float32) for name, value in parts.items()}
    _, judgement = judged(make("elbo"), PIXELS[12:], **means)
    assert judgement.scores["negative_elbo"] == pytest.approx(0.75 * SIDE**2)
    assert judgement.scores["reconstruction_error"] == pytest.approx(0.125)
    found = judgement.weighted_scores(np.arange(12), np.ones((12, 2)))
    assert found["kl_divergence"].tolist() == pytest.approx([0.25 * SIDE**2] * 2)


def test_answers_that_are_not_numbers_are_refused():
    with pytest.raises(StageError, match="12 of 12 answers of the network are not numbers"):
        judged(make("elbo"), PIXELS[12:], kl_divergence=np.full(12, np.nan, np.float32))


def test_judging_requires_the_images_to_compare_with():
    with pytest.raises(DataError, match="call with_reference first"):
        make("elbo").judge(ids=["a"], truth=np.zeros(1, int), predictions={})


def test_agreement_is_counted_for_each_class(tmp_path):
    """A classifier of brightness: dark images are cats, bright ones dogs, and nothing is a T-shirt."""
    from kerasvision.tasks.generation import judging

    class Bright:
        folder = tmp_path

        def __call__(self, signature, image_bytes):
            means = [np.asarray(Image.open(io.BytesIO(file))).mean() for file in image_bytes.numpy()]
            return {"classes": tf.constant(["dog" if mean > 127 else "cat" for mean in means])}

    pixels = np.stack([np.full((SIDE, SIDE, 1), value, np.uint8) for value in (0, 255, 255, 0)])
    assert judging.answered(Bright(), pixels, classes=CLASSES).tolist() == [0, 1, 1, 0]
    with pytest.raises(ConfigError, match="must know the classes of the images: bird"):
        judging.answered(Bright(), pixels, classes=("bird",))
    agrees = np.array([True, True, False, False])
    one = judging.Judged(np.array([0, 1, 2, 2]), pixels, {"agreement": agrees.astype(float)}, agrees, CLASSES)
    found = one.scores(np.arange(4), np.ones((4, 1)))
    assert {name: value.tolist() for name, value in found.items()} == {
        "agreement": [0.5],
        "agreement[cat]": [1.0],
        "agreement[dog]": [1.0],
        "agreement[T-shirt/top]": [0.0],
    }
    assert one.evidence(np.arange(4))["agreement[T-shirt/top]"].of == 2


def test_lessons_and_epochs_show_the_same_noise_each_time(served):
    one = served["elbo"]
    draw = one.task.epoch_picture(one.network)
    np.testing.assert_array_equal(draw(), draw())
    assert draw().shape == (6 * 18 - 2, 3 * 18 - 2, 1)
    inputs = [tf.constant(PIXELS[:4] / 255, tf.float32), tf.zeros((4, 5)), tf.one_hot([0, 1, 2, 0], 3)]
    figures = one.task.lessons()(one.network, PIXELS[:4].astype(np.float32), inputs, None).figures
    assert list(figures) == ["Samples", "From one code to another", "Training images, and restored from their codes"]


def picture_in(file):
    return np.asarray(Image.open(io.BytesIO(file.read_bytes())))


def test_files_of_samples_are_a_source_of_images(served, tmp_path):
    maker = ImageMaker(served["elbo"].folder.parent)
    assert maker.labels == CLASSES
    made = list(maker.make(labels=maker.chosen(()), count=2, seed=4))
    assert write_files(iter(made), tmp_path / "made") == 6
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["T-shirt-top", "cat", "dog", "images.csv"]
    rows = (tmp_path / "made" / "images.csv").read_text().splitlines()
    assert rows[0] == "path,label"
    assert "T-shirt-top/4-000001.png,T-shirt/top" in rows
    write_picture(made, tmp_path / "grid.png")
    assert picture_in(tmp_path / "grid.png").shape == (3 * 18 - 2, 2 * 18 - 2)
    write_picture(made[:2], tmp_path / "one.png")
    assert picture_in(tmp_path / "one.png").shape == (16, 2 * 18 - 2)


def test_what_a_model_cannot_make_is_named(served, tmp_path):
    maker = ImageMaker(served["elbo"].folder)
    with pytest.raises(ConfigError, match="no class is named 'cet'; did you mean 'cat'"):
        maker.chosen(["cet"])
    plain = ImageMaker(served["adversarial"].folder)
    assert plain.chosen(()) == ("",)
    with pytest.raises(ConfigError, match="makes images of no particular class; received 'cat'"):
        plain.chosen(["cat"])
    with pytest.raises(ConfigError, match="give either --out"):
        check_outputs(None, None)
    with pytest.raises(ConfigError, match=r"--out must end in \.png"):
        check_outputs(tmp_path / "grid.jpg", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="a new or an empty folder"):
        check_outputs(None, tmp_path)
