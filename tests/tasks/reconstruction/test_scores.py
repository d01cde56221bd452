"""Measures of restored images, against NumPy; and the simple models."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.reconstruction.errors import image_errors
from kerasvision.tasks.reconstruction.judging import small_picture
from kerasvision.tasks.reconstruction.losses import reconstruction_losses
from kerasvision.tasks.reconstruction.presentation import ANSWER, RestoredImage


def images(count, side=16, channels=3, seed=0):
    return np.random.default_rng(seed).random((count, side, side, channels)).astype(np.float32)


def similarity(one, other):
    """SSIM of Wang et al., 2004, section III.C, of two grey images: the mean over all windows that lie in the image."""
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for top in range(one.shape[0] - 10):
        for left in range(one.shape[1] - 10):
            x, y = (image[top : top + 11, left : left + 11].astype(np.float64) for image in (one, other))
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            of_x, of_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
            both = (weights * (x - mean_x) * (y - mean_y)).sum()
            low, high = 0.01**2, 0.03**2
            found.append(
                (2 * mean_x * mean_y + low) * (2 * both + high) / ((mean_x**2 + mean_y**2 + low) * (of_x + of_y + high))
            )
    return np.mean(found)


def test_measures_of_images_are_those_of_their_definitions():
    one, other = images(3), np.clip(images(3) * 0.7 + images(3, seed=1) * 0.3, 0, 1)
    found = {name: value.numpy() for name, value in image_errors(tf.constant(one), tf.constant(other)).items()}
    np.testing.assert_allclose(found["mse"], ((one - other) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["mae"], np.abs(one - other).mean(axis=(1, 2, 3)), rtol=1e-5)
    expected = [np.mean([similarity(a[..., k], b[..., k]) for k in range(3)]) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(found["ssim"], expected, rtol=1e-4)


def test_images_smaller_than_the_window_have_a_similarity():
    same = image_errors(tf.constant(images(1, side=8)), tf.constant(images(1, side=8)))
    assert same["ssim"].numpy().tolist() == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("l2", lambda x, y: (x - y) ** 2),
        ("l1", lambda x, y: np.abs(x - y)),
        ("binary_cross_entropy", lambda x, y: -(x * np.log(1 / (1 + np.exp(-y))) + (1 - x) * np.log(1 / (1 + np.exp(y))))),
    ],
)
def test_losses_are_those_of_their_formulas_also_in_16_bits(loss, by_hand):
    x, y, code = images(2), images(2, seed=1) * 4 - 2, np.array([[1.0, -3.0], [0.0, 0.5]], np.float32)
    expected = by_hand(x.astype(np.float64), y.astype(np.float64)).mean(axis=(1, 2, 3)) + 0.5 * np.array([2.0, 0.25])
    losses = reconstruction_losses(c.Reconstruction(loss=loss, sparsity=0.5))
    outputs = {"restored": tf.constant(y), "code": tf.constant(code)}
    np.testing.assert_allclose(losses(tf.constant(x), outputs, training=True), expected, rtol=1e-5)
    half = {**outputs, "code": tf.cast(code, tf.bfloat16)}
    np.testing.assert_allclose(losses(tf.constant(x), half, training=False), expected, rtol=1e-5)


# Judging


def kept(mse, **changes):
    mse = np.asarray(mse, np.float32)
    return {"mse": mse, "mae": np.sqrt(mse), "ssim": 1 - mse, **changes}


def judged(mse, *, task=None, **changes):
    task = task or make_task(c.Reconstruction(), ())
    ids = [f"{number}.png" for number in range(len(mse))]
    return task.judge(ids=ids, truth=np.zeros(len(mse)), predictions=kept(mse, **changes))


def test_scores_are_means_over_the_images():
    found = judged([0.01, 0.04])
    assert found.scores["mse"] == pytest.approx(0.025)
    assert found.scores["mae"] == pytest.approx(0.15)
    assert found.scores["psnr"] == pytest.approx((20 + -10 * np.log10(0.04)) / 2)
    assert found.rows["loss"].tolist() == pytest.approx([0.01, 0.04])


def test_weightings_give_the_scores_of_resamples_and_slices():
    scores = judged([0.01, 0.04, 0.09]).weighted_scores(np.array([0, 2]), np.array([[1, 3], [1, 1.0]]))
    np.testing.assert_allclose(scores["mse"], [0.05, (3 * 0.01 + 0.09) / 4], rtol=1e-6)


def test_a_perfect_image_has_a_finite_ratio():
    assert judged([0.0, 0.01]).scores["psnr"] == pytest.approx(60)


def test_answers_that_are_not_numbers_and_those_of_another_model_stop_the_evaluation():
    with pytest.raises(StageError, match="1 of 2 answers of the network are not numbers"):
        judged([0.1, np.nan])
    with pytest.raises(DataError, match="error, mae, ssim; error, mae, ssim is missing"):
        make_task(c.Reconstruction(), ()).measured(np.zeros(1), {"scores": np.zeros((1, 3))})


def test_metrics_of_a_users_own_receive_the_measures_of_each_image(tmp_path, monkeypatch):
    (tmp_path / "worst_restored.py").write_text(
        "import numpy as np\ndef worst(truth, answers, weights):\n"
        "    return np.where(weights > 0, answers[:, :1] - truth[:, None], -np.inf).max(axis=0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = make_task(c.Reconstruction(metrics=("worst_restored:worst",)), ())
    assert judged([0.01, 0.04], task=task).scores["worst"] == pytest.approx(0.04)


def test_large_pictures_are_kept_small():
    large = encode_png(np.zeros((400, 200, 3), np.uint8))
    assert Image.open(io.BytesIO(small_picture(large))).size == (80, 160)
    small = encode_png(np.zeros((20, 30, 3), np.uint8))
    assert small_picture(small) is small
    assert small_picture(b"") == b""


def test_measures_need_to_know_how_images_were_scaled():
    with pytest.raises(ConfigError, match=r"Call seeing\(transform\) of the task first"):
        make_task(c.Reconstruction(), ()).predictor(None)


# Simple models


def scores_of_baselines(settings, train, test):
    task = make_task(settings, ())
    ids = [str(number) for number in range(len(test))]
    found = {}
    for name, fit in task.baselines().items():
        truth, answers = task.measured(np.zeros(len(test)), fit(train, np.zeros(len(train)))(test))
        found[name] = task.judge(ids=ids, truth=truth, predictions=answers).scores
    return found


def test_principal_components_restore_as_a_singular_value_decomposition_does():
    train, test = images(40, side=12, channels=1), images(9, side=12, channels=1, seed=1)
    found = scores_of_baselines(c.Reconstruction(bottleneck="20-7"), train, test)
    mean = train.reshape(40, -1).mean(axis=0, dtype=np.float64)
    axes = np.linalg.svd(train.reshape(40, -1) - mean, full_matrices=False)[2][:7]
    restored = np.clip((test.reshape(9, -1) - mean) @ axes.T @ axes + mean, 0, 1)
    assert found["PCA, 7 components"]["mse"] == pytest.approx(((restored - test.reshape(9, -1)) ** 2).mean(), rel=1e-4)
    assert found["mean image"]["mse"] == pytest.approx(((mean - test.reshape(9, -1)) ** 2).mean(), rel=1e-4)


def test_with_noise_simple_models_restore_noisy_images():
    train, test = images(40, side=12, channels=1) * 0.5, images(90, side=12, channels=1, seed=1) * 0.5
    found = scores_of_baselines(c.Reconstruction(bottleneck=7, noise="salt_and_pepper"), train, test)
    noisy = found["the noisy image itself"]
    assert noisy["mse"] == 0
    assert noisy["denoised_psnr"] == pytest.approx(noisy["noisy_psnr"], rel=1e-6)
    # A quarter of the pixels become 0 or 1: the mean of x^2 and (1 - x)^2 for x uniform in [0, 1/2].
    assert noisy["denoised_mse"] == pytest.approx(0.25 * (1 / 12 + 7 / 12) / 2, rel=0.1)
    assert found["mean image"]["denoised_mse"] == pytest.approx(found["mean image"]["mse"])


# What people see


def test_an_answer_is_a_line_a_row_and_two_pictures():
    shown = RestoredImage(ANSWER)
    answer = {"error": np.float32(0.001), "image_png_bytes": encode_png(np.full((10, 5), 200, np.uint8))}
    assert shown.line(shown.kept(answer)) == "error 0.00100, PSNR 30.0 dB"
    assert shown.rows(answer) == [{"error": pytest.approx(0.001), "psnr": pytest.approx(30.0)}]
    both = shown.drawn(Image.new("L", (7, 20), 9), answer)
    assert both.size == (17, 20)
    assert [both.getpixel(place) for place in ((3, 3), (12, 10))] == [(9, 9, 9), (200, 200, 200)]
    with pytest.raises(ConfigError, match="no least score"):
        shown.kept(answer, least_score=0.5)


def test_pages_show_the_image_the_noisy_one_and_what_was_restored():
    pictures = {name: np.array([name.encode()], object) for name in ("seen", "noisy", "restored", "denoised")}
    noise = {"denoised_mse": [0.1], "denoised_mae": [0.1], "denoised_ssim": [0.5], "noisy_mse": [0.2]}
    plain, noisy = (make_task(c.Reconstruction(noise=kind), ()) for kind in (None, "masking"))
    row = judged([0.01], task=plain, **pictures).rows.iloc[0]
    assert [(one.meaning, one.png) for one in plain.drawings(row)] == [("image", b"seen"), ("restored", b"restored")]
    row = judged([0.01], task=noisy, **pictures, **{name: np.array(value) for name, value in noise.items()}).rows.iloc[0]
    assert [one.png for one in noisy.drawings(row)] == [b"seen", b"noisy", b"denoised"]
    assert noisy.caption(row) == "error 0.1000, PSNR 10.0 dB, SSIM 0.50"
