"""The answers of a served captioner: sentences, the likelihood of given sentences, and where the network looked."""

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.models.decoder import Decoder
from kerasvision.tasks.base import Batch, ExtraSignature, Predictions
from kerasvision.tasks.captioning.beam import beam_search
from kerasvision.tasks.captioning.codec import Codec
from kerasvision.tasks.captioning.decoding import Decoded, attention_maps, greedy, log_likelihoods, row_seeds, sampled
from kerasvision.tasks.captioning.losses import logits_of
from kerasvision.tasks.captioning.tokens import END, PADDING

SCORE, EXPLAIN = "score_captions", "explain"
DESCRIPTIONS = {
    "captions": "sentences that describe the image, the best first; empty if fewer were found",
    "scores": "the log probability of each, with its end, divided by its number of tokens to a power; 0 if it is empty",
}


def predictor(model: keras.Model, *, codec: Codec, settings: c.Captioning) -> Callable[[tf.Tensor], Predictions]:
    """From scaled images float32 (N, H, W, C) to `captions` string (N, K) and `scores` float32 (N, K), best first.

    Raises:
        ConfigError: the vocabulary or the maximum length of the captions is not that of the network.
    """
    decoder = _decoder(model, codec, settings)

    def predict(images: tf.Tensor) -> Predictions:
        decoded = _decoded(decoder, decoder.encode(images), images, settings)
        return {"captions": codec.text(decoded.tokens), "scores": decoded.scores}

    return predict


def extra_signatures(model: keras.Model, *, codec: Codec, settings: c.Captioning) -> dict[str, ExtraSignature]:
    """`score_captions`: the likelihood of given captions; and, for a network with attention, `explain`: where it looks.

    Raises:
        ConfigError: as for `predictor`.
    """
    decoder = _decoder(model, codec, settings)
    found = {SCORE: _scoring(model, codec)}
    if decoder.attends:
        found[EXPLAIN] = _explaining(decoder, codec, settings)
    return found


def _scoring(model: keras.Model, codec: Codec) -> ExtraSignature:
    """The likelihood of given captions: captions string (N, K) -> log_likelihoods float32 and tokens int32, both (N, K)."""

    def score(images: tf.Tensor, captions: tf.Tensor) -> Predictions:
        tokens, targets = codec.encode(captions)
        found, counts = log_likelihoods(logits_of(model([images, tokens], training=False)), targets)
        return {"log_likelihoods": found, "tokens": counts}

    return ExtraSignature(
        {"captions": tf.TensorSpec([None, None], tf.string)},
        score,
        {
            "captions": "sentences about each image, the same number for each: fill up with empty ones",
            "log_likelihoods": "the log probability of each sentence, with its end; 0 if it is empty",
            "tokens": "the number of tokens of each sentence, with its end; 0 if it is empty",
        },
    )


def _explaining(decoder: Decoder, codec: Codec, settings: c.Captioning) -> ExtraSignature:
    """Where the network looks for each word of its best caption: words string (N, T), attention float32 (N, T, h, w)."""

    def explain(images: tf.Tensor) -> Predictions:
        memory = decoder.encode(images)
        best = _decoded(decoder, memory, images, settings).tokens[:, 0]
        words = tf.where(best == END, PADDING, best)
        attention = attention_maps(decoder.step, memory, decoder.start(memory), words)
        return {"words": tf.where(words == PADDING, "", codec.names(words)), "attention": attention}

    return ExtraSignature(
        {},
        explain,
        {
            "words": f"the tokens of the best caption, in order; at most {settings.max_length}, then empty",
            "attention": "where the network looked for each: shares of the image, top to bottom, sum 1; then zeros",
        },
    )


def evaluation_inputs(batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
    """The true captions, string (N, K), as inputs of `score_captions`; empty if the batch has no captions."""
    if "captions" not in batch:
        return {}
    rows = batch["captions"]
    dense = rows.to_tensor() if isinstance(rows, tf.RaggedTensor) else rows
    # At least one caption for each image, even if it is empty.
    return {SCORE: {"captions": dense if dense.shape[1] else tf.fill([len(dense), 1], "")}}


def _decoder(model: keras.Model, codec: Codec, settings: c.Captioning) -> Decoder:
    decoder = Decoder(model)
    if decoder.num_classes != codec.size:
        raise ConfigError(
            f"the vocabulary must be the one that the network was trained with: the network has {decoder.num_classes} "
            f"tokens, and this vocabulary has {codec.size}",
            hint="use the transform of the run that trained it",
        )
    if decoder.max_length != settings.max_length:
        raise ConfigError(
            f"the network was built for captions of at most {decoder.max_length} tokens",
            received=settings.max_length,
            hint=f"set task.max_length to {decoder.max_length}",
        )
    return decoder


def _decoded(decoder: Decoder, memory: tuple[tf.Tensor, ...], images: tf.Tensor, settings: c.Captioning) -> Decoded:
    """Decodes with the method that `settings.decoding` names."""
    way, length = settings.decoding, settings.max_length
    begun = decoder.step, memory, decoder.start(memory)
    if isinstance(way, c.BeamSearch):
        return beam_search(
            *begun,
            max_length=length,
            width=way.width,
            captions=settings.captions,
            length_norm=way.length_norm,
            no_repeat=way.no_repeat,
        )
    if isinstance(way, c.Sample):
        return sampled(
            *begun,
            max_length=length,
            seeds=row_seeds(images, way.seed),
            captions=settings.captions,
            temperature=way.temperature,
            top_k=way.top_k,
        )
    return greedy(*begun, max_length=length)
