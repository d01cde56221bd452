"""What a trained captioner is asked when it is served: sentences, how likely given ones are, and where it looked."""

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
    "captions": "sentences that say what the image shows, the best first; empty where fewer were found",
    "scores": "the log probability of each, its end included, over its number of tokens to a power; 0 where it is empty",
}


def predictor(model: keras.Model, *, codec: Codec, settings: c.Captioning) -> Callable[[tf.Tensor], Predictions]:
    """From scaled images float32 (N, H, W, C) to `captions` string (N, K) and `scores` float32 (N, K), best first.

    Raises:
        ConfigError: the vocabulary or the length of the captions is not the network's.
    """
    decoder = _decoder(model, codec, settings)

    def predict(images: tf.Tensor) -> Predictions:
        decoded = _decoded(decoder, decoder.encode(images), images, settings)
        return {"captions": codec.text(decoded.tokens), "scores": decoded.scores}

    return predict


def extra_signatures(model: keras.Model, *, codec: Codec, settings: c.Captioning) -> dict[str, ExtraSignature]:
    """`score_captions`: how likely given captions are; `explain`, of a network with attention: where it looks for each word.

    Raises:
        ConfigError: as for `predictor`.
    """
    decoder = _decoder(model, codec, settings)
    found = {SCORE: _scoring(model, codec)}
    if decoder.attends:
        found[EXPLAIN] = _explaining(decoder, codec, settings)
    return found


def _scoring(model: keras.Model, codec: Codec) -> ExtraSignature:
    """How likely given captions are."""

    def score(images: tf.Tensor, captions: tf.Tensor) -> Predictions:
        tokens, targets = codec.encode(captions)
        found, counts = log_likelihoods(logits_of(model([images, tokens], training=False)), targets)
        return {"log_likelihoods": found, "tokens": counts}

    return ExtraSignature(
        {"captions": tf.TensorSpec([None, None], tf.string)},
        score,
        {
            "captions": "sentences about each image, as many for each: fill up with empty ones",
            "log_likelihoods": "the log probability of each, its end included; 0 where it is empty",
            "tokens": "how many tokens each is, its end included; 0 where it is empty",
        },
    )


def _explaining(decoder: Decoder, codec: Codec, settings: c.Captioning) -> ExtraSignature:
    """Where the network looks for each word of its best caption."""

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
            "words": f"the tokens of the best caption, in order; empty after the last of at most {settings.max_length}",
            "attention": "where it looked for each: shares of the image, top to bottom, which sum to 1; then zeros",
        },
    )


def evaluation_inputs(batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
    """What an evaluation calls besides the predictions: how likely the true captions are. Nothing without captions."""
    if "captions" not in batch:
        return {}
    rows = batch["captions"]
    dense = rows.to_tensor() if isinstance(rows, tf.RaggedTensor) else rows
    # At least one for each image, if an empty one.
    return {SCORE: {"captions": dense if dense.shape[1] else tf.fill([len(dense), 1], "")}}


def _decoder(model: keras.Model, codec: Codec, settings: c.Captioning) -> Decoder:
    decoder = Decoder(model)
    if decoder.num_classes != codec.size:
        raise ConfigError(
            f"a network answers with the vocabulary that it was trained with: it knows {decoder.num_classes} tokens, "
            f"and this vocabulary has {codec.size}",
            hint="take the transform of the run that trained it",
        )
    if decoder.max_length != settings.max_length:
        raise ConfigError(
            f"the network was built for captions of at most {decoder.max_length} tokens",
            received=settings.max_length,
            hint=f"set task.max_length to {decoder.max_length}",
        )
    return decoder


def _decoded(decoder: Decoder, memory: tuple[tf.Tensor, ...], images: tf.Tensor, settings: c.Captioning) -> Decoded:
    """As `settings.decoding` says."""
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
