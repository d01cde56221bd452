"""What a served model that makes images answers: samples, restored images, codes, and how real an image looks."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.models.generators import (
    FEATURES,
    IMAGE,
    LABEL,
    LOG_DETERMINANT,
    NOISE,
    PRIOR_CODE,
    PRIOR_NOISE,
    computed,
    has_learned_prior,
    label_count,
)
from kerasvision.served.signatures import LABEL_INPUT, NUMBER_INPUT, SAMPLE_PNG, SAMPLE_SIGNATURE, SEED_INPUT, VALID
from kerasvision.tasks.base import ExtraSignature, Predictions
from kerasvision.tasks.generation.losses import bound_parts
from kerasvision.tasks.generation.noise import noise_of_samples

RESTORE_SIGNATURE, RESTORED_PNG = "restore", "restored_png_bytes"
PICTURES = frozenset({SAMPLE_PNG, RESTORED_PNG})
# The bound of an image is a mean over this many draws of its code. They are the same for every image, so that an answer does
# not depend on the others of its batch.
DRAWS = 4
CODE = ("code", "log_variance")
DESCRIPTIONS = {
    "code": "the mean of the code of the image; with classes as an image of each class, in the order of labels.txt",
    "log_variance": "the logarithm of the variance of the code, likewise",
    "realness": "how sure the discriminator is that this is a real image, and not a generated one: of each class, in the "
    "order of labels.txt, or in all",
}


def predictor(model: keras.Model, *, settings: c.Generation) -> Callable[[tf.Tensor], Predictions]:
    """From images float32 (N, H, W, C) in [0, 1] to what the network says about them.

    With `elbo`, `code` and `log_variance` float32 (N, Z), or for each class (N, K, Z). Otherwise `realness` float32 (N, K)
    in [0, 1]; K is 1 without classes.
    """
    count = label_count(model)

    def codes(images: tf.Tensor) -> Predictions:
        if not count:
            return dict(zip(CODE, code_of(model, images, None), strict=True))
        features = computed(model, {IMAGE: images}, to=FEATURES)

        def of_class(label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            labels = tf.tile(label[tf.newaxis], [tf.shape(images)[0], 1])
            return _code(model, {FEATURES: features, LABEL: labels})

        each = tf.map_fn(of_class, tf.eye(count), fn_output_signature=(tf.float32, tf.float32))
        return {name: tf.transpose(values, [1, 0, 2]) for name, values in zip(CODE, each, strict=True)}

    def realness(images: tf.Tensor) -> Predictions:
        return {"realness": tf.sigmoid(tf.cast(computed(model, {IMAGE: images}, to="real_classes"), tf.float32))}

    return codes if settings.loss == "elbo" else realness


def code_of(model: keras.Model, images: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean and the logarithm of the variance of images' codes, float32 (N, Z), for one-hot labels if there are any."""
    return _code(model, _with_labels(IMAGE, images, labels))


def _code(model: keras.Model, given: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    mean, log_variance = (tf.cast(computed(model, given, to=name), tf.float32) for name in ("mean", "log_variance"))
    return mean, log_variance


def pictures_of(model: keras.Model, *, to: str = "picture") -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """A function from codes float32 (N, Z), and one-hot labels float32 (N, K) if there are any, to images in [0, 1].

    With `to="logits"`, it returns their logits, if the network has such a layer.
    """

    def pictures(codes: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return tf.cast(computed(model, _with_labels("code", codes, labels), to=to), tf.float32)

    return pictures


def samples_of(model: keras.Model, *, settings: c.Generation) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """A function from standard normal noise float32 (N, Z), and one-hot labels if there are any, to images in [0, 1].

    The noise is multiplied by `task.sample_temperature`. A learned prior makes codes of it; otherwise it is the code.
    """
    pictures = pictures_of(model)

    def samples(noise: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        codes = settings.sample_temperature * noise
        if has_learned_prior(model):
            codes = computed(model, _with_labels(NOISE, codes, labels), to=PRIOR_CODE)
        return pictures(codes, labels)

    return samples


def _with_labels(name: str, values: tf.Tensor, labels: tf.Tensor | None) -> dict[str, tf.Tensor]:
    return {name: values} if labels is None else {name: values, LABEL: labels}


def extra_signatures(model: keras.Model, *, settings: c.Generation, classes: Sequence[str]) -> dict[str, ExtraSignature]:
    """`sample`, which makes images; with `elbo` also `restore`, which restores an image from its code."""
    found = {SAMPLE_SIGNATURE: _sample(model, settings=settings, classes=classes)}
    if settings.loss == "elbo":
        found[RESTORE_SIGNATURE] = _restore(model, settings=settings, classes=classes)
    return found


def evaluation_inputs(
    batch: Mapping[str, tf.Tensor], *, settings: c.Generation, classes: Sequence[str]
) -> dict[str, dict[str, tf.Tensor]]:
    """One sample for each example, of its class; and the example restored. Its id decides which sample."""
    number = tf.strings.to_hash_bucket_fast(batch["id"], 2**62)
    label = {LABEL_INPUT: tf.gather(tf.constant(list(classes)), batch["label"])} if settings.conditional else {}
    asked = {SAMPLE_SIGNATURE: {SEED_INPUT: tf.zeros_like(number), NUMBER_INPUT: number, **label}}
    return {**asked, RESTORE_SIGNATURE: label} if settings.loss == "elbo" else asked


def as_png(pictures: tf.Tensor) -> tf.Tensor:
    """PNG files, string (N,), of images float32 (N, H, W, C) in [0, 1]."""
    pixels = tf.cast(tf.round(tf.clip_by_value(pictures, 0.0, 1.0) * 255.0), tf.uint8)
    return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)


def _one_hot(labels: tf.Tensor, classes: Sequence[str]) -> tf.Tensor:
    """float32 (N, K) of names, string (N,): a row of zeros for a name that is not a class."""
    return tf.cast(labels[:, tf.newaxis] == tf.constant(list(classes)), tf.float32)


def _sample(model: keras.Model, *, settings: c.Generation, classes: Sequence[str]) -> ExtraSignature:
    samples, is_conditional = samples_of(model, settings=settings), label_count(model) > 0
    inputs = {name: tf.TensorSpec([None], tf.int64) for name in (SEED_INPUT, NUMBER_INPUT)}
    inputs |= {LABEL_INPUT: tf.TensorSpec([None], tf.string)} if is_conditional else {}

    def answer(seed: tf.Tensor, number: tf.Tensor, label: tf.Tensor | None = None) -> Predictions:
        labels = None if label is None else _one_hot(label, classes)
        valid = number >= 0 if labels is None else (number >= 0) & (tf.reduce_sum(labels, axis=1) > 0)
        noise = noise_of_samples(seed, tf.maximum(number, tf.constant(0, tf.int64)), size=settings.latent_size)
        files = as_png(samples(noise, labels))
        return {SAMPLE_PNG: tf.where(valid, files, tf.constant("")), VALID: valid}

    asked = np.arange(8, dtype=np.int64)
    tried = {SEED_INPUT: asked // 4, NUMBER_INPUT: asked % 4}
    tried |= {LABEL_INPUT: np.resize(np.array(classes), len(asked))} if is_conditional else {}
    descriptions = {
        SEED_INPUT: "any whole number; the same seed, number and label give the same image",
        NUMBER_INPUT: "which of the images of this seed, from 0",
        LABEL_INPUT: "the class of the image, as in labels.txt",
        SAMPLE_PNG: "a PNG of the image that was made",
        VALID: "false if the label is not a class, or the number is below 0; the other outputs mean nothing then",
    }
    return ExtraSignature(inputs, answer, descriptions, takes_images=False, tried=tried)


def _restore(model: keras.Model, *, settings: c.Generation, classes: Sequence[str]) -> ExtraSignature:
    logits_of = pictures_of(model, to="logits")
    is_conditional = settings.conditional
    inputs = {LABEL_INPUT: tf.TensorSpec([None], tf.string)} if is_conditional else {}
    draws = noise_of_samples(tf.zeros(DRAWS, tf.int64), tf.range(DRAWS, dtype=tf.int64), size=settings.latent_size).numpy()

    def answer(images: tf.Tensor, label: tf.Tensor | None = None) -> Predictions:
        labels = None if label is None else _one_hot(label, classes)
        mean, log_variance = code_of(model, images, labels)
        restored = tf.sigmoid(logits_of(mean, labels))
        parts = []
        for draw in draws:
            code = mean + tf.exp(log_variance / 2) * draw
            outputs = {"logits": logits_of(code, labels), "mean": mean, "log_variance": log_variance}
            if has_learned_prior(model):
                given = _with_labels("code", code, labels)
                outputs |= {name: computed(model, given, to=name) for name in (PRIOR_NOISE, LOG_DETERMINANT)}
            parts.append(bound_parts(images, outputs, pixel_deviation=settings.pixel_deviation))
        values = tf.cast(tf.size(images[0]), tf.float32)
        means = {name: tf.add_n([part[name] for part in parts]) / DRAWS / values for name in parts[0]}
        valid = tf.ones_like(images[:, 0, 0, 0], tf.bool) if labels is None else tf.reduce_sum(labels, axis=1) > 0
        error = tf.reduce_mean(tf.square(images - restored), axis=(1, 2, 3))
        return {RESTORED_PNG: as_png(restored), "reconstruction_error": error, **means, VALID: valid}

    descriptions = {
        LABEL_INPUT: "the class of the image, as in labels.txt",
        RESTORED_PNG: "a PNG of the image that was restored from the mean of its code",
        "reconstruction_error": "the mean squared difference of its values from those of the image, both in [0, 1]",
        "reconstruction_loss": f"a part of the negative lower bound, in nats per value: a mean over {DRAWS} draws",
        "kl_divergence": "the other part, in nats per value",
    }
    return ExtraSignature(inputs, answer, descriptions)
