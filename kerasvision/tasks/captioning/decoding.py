"""Turns a network's next-token scores into captions, one word at a time: the likeliest word, or a random one.

Everything is one graph of stock TensorFlow operations around a `step`, which is all that this file knows about a network:

    step(memory, tokens int32 (M,), states) -> (logits float32 (M, V), states, attention float32 (M, h, w) or None)

`memory` (the encoder's output for the images) and `states` are tuples of tensors of M rows, one for each unfinished caption.
A caption is 1 to `max_length` tokens and its end, T = max_length + 1 in all, and [padding] after that. [padding], [unknown]
and [start] are never generated. A score is the log probability of the whole caption with its end, divided by
(its number of tokens with the end) ** `length_norm`: 0 gives the log probability itself, 1 its mean per token.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kerasvision.tasks.captioning.tokens import END, PADDING, START

Tensors = tuple[tf.Tensor, ...]
DecoderStep = Callable[[Tensors, tf.Tensor, Tensors], tuple[tf.Tensor, Tensors, tf.Tensor | None]]
# How finely the mean of an image distinguishes it from others when its random seed is made: far coarser than rounding.
SEEDS_PER_UNIT = 1024


class Decoded(NamedTuple):
    """K captions for each of N images.

    Attributes:
        tokens: int32 (N, K, T): words, the end, padding. All padding if there is no k-th caption.
        scores: float32 (N, K); 0 if there is no k-th caption, NaN if the network's outputs are not numbers.
    """

    tokens: tf.Tensor
    scores: tf.Tensor


def greedy(step: DecoderStep, memory: Tensors, states: Tensors, *, max_length: int, length_norm: float = 1.0) -> Decoded:
    """The likeliest token after each token, the first of several equal ones: one caption per image.

    Args:
        step: see above.
        memory, states: N rows.
        max_length: the largest number of tokens of a caption, its end not counted.
        length_norm: see above.

    Returns:
        tokens int32 (N, 1, T) and scores float32 (N, 1), see `Decoded`.
    """

    def choose(logits: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        return tf.argmax(logits, axis=1, output_type=tf.int32)

    tokens, scores = _decode(step, memory, states, choose, max_length=max_length, length_norm=length_norm)
    return Decoded(tokens[:, tf.newaxis], scores[:, tf.newaxis])


def sampled(
    step: DecoderStep,
    memory: Tensors,
    states: Tensors,
    *,
    max_length: int,
    seeds: tf.Tensor,
    captions: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    length_norm: float = 1.0,
) -> Decoded:
    """Draws each token by its probability: K captions per image, those with the highest scores first.

    A token is the first whose cumulative probability exceeds a random number. Tokens are in the order of their numbers or,
    with `top_k`, in the order of likelihood. The scores are those of the network, at temperature 1.

    Args:
        step, memory, states, max_length, length_norm: as for `greedy`.
        seeds: int32 (N, 2), see `row_seeds`: the same seeds give the same random numbers, independent of other rows.
        captions: K.
        temperature: the number that the logits are divided by; above 1 makes captions more varied, near 0 greedy.
        top_k: draw only among this number of the likeliest tokens.
    """
    memory, states = repeated(memory, captions), repeated(states, captions)
    drawn = tf.map_fn(
        lambda seed: tf.random.stateless_uniform([captions, max_length + 1], seed),
        seeds,
        fn_output_signature=tf.TensorSpec([captions, max_length + 1], tf.float32),
    )
    drawn = tf.reshape(drawn, [-1, max_length + 1])

    def choose(logits: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        return sampled_tokens(logits / temperature, drawn[:, place], top_k=top_k)

    tokens, scores = _decode(step, memory, states, choose, max_length=max_length, length_norm=length_norm)
    scores, order = tf.math.top_k(tf.reshape(scores, [-1, captions]), k=captions)
    return Decoded(tf.gather(tf.reshape(tokens, [-1, captions, max_length + 1]), order, batch_dims=1), scores)


def sampled_tokens(logits: tf.Tensor, drawn: tf.Tensor, *, top_k: int | None = None) -> tf.Tensor:
    """int32 (M,): the first token of each row whose cumulative probability exceeds the row's random number.

    Args:
        logits: float32 (M, V); -inf for tokens that must not be drawn.
        drawn: float32 (M,) in [0, 1).
        top_k: draw only among this number of the likeliest tokens; of equal ones, the first.

    >>> logits = tf.math.log([[0.25, 0.0, 0.5, 0.25]])
    >>> [int(sampled_tokens(logits, tf.constant([number]))[0]) for number in (0.0, 0.2, 0.3, 0.7, 0.8)]
    [0, 0, 2, 2, 3]
    >>> [int(sampled_tokens(logits, tf.constant([number]), top_k=2)[0]) for number in (0.0, 0.6, 0.7)]
    [2, 2, 0]
    """
    size = logits.shape[-1]
    tokens = None
    if top_k is not None and top_k < size:
        logits, tokens = tf.math.top_k(logits, k=top_k)
    cumulated = tf.cumsum(tf.nn.softmax(logits), axis=1)
    at = tf.reduce_sum(tf.cast(cumulated <= drawn[:, tf.newaxis] * cumulated[:, -1:], tf.int32), axis=1)
    return at if tokens is None else tf.gather(tokens, at, batch_dims=1)


def row_seeds(images: tf.Tensor, seed: int) -> tf.Tensor:
    """int32 (N, 2): a seed for each image, from `seed` and the mean of the image alone: other rows do not matter.

    The mean of an image, float32 (N, ...), is rounded to 1 / 1024, so that differences in the last bits give the same seed.

    >>> row_seeds(tf.constant([[0.5, 0.25], [0.0, 1.0]]), 7).numpy().tolist()
    [[7, 384], [7, 512]]
    """
    means = tf.reduce_mean(tf.cast(images, tf.float64), axis=list(range(1, images.shape.rank)))
    of_rows = tf.cast(tf.round(means * SEEDS_PER_UNIT), tf.int32)
    return tf.stack([tf.fill(tf.shape(of_rows), seed), of_rows], axis=1)


def attention_maps(step: DecoderStep, memory: Tensors, states: Tensors, tokens: tf.Tensor) -> tf.Tensor:
    """float32 (N, T, h, w): where a network looked for each token of these captions; zeros after the last.

    Args:
        step, memory, states: as for `greedy`; the step must return the attention.
        tokens: int32 (N, T) with a fixed T: words, the end, padding.
    """
    count, length = tf.shape(tokens)[0], tokens.shape[1]
    before = tf.concat([tf.fill([count, 1], START), tokens[:, :-1]], axis=1)

    def body(place: tf.Tensor, states: Tensors, seen: tf.TensorArray) -> tuple[tf.Tensor, Tensors, tf.TensorArray]:
        _, states, attention = step(memory, before[:, place], states)
        return place + 1, tuple(states), seen.write(place, tf.cast(attention, tf.float32))

    seen = tf.TensorArray(tf.float32, size=length)
    loop = (tf.constant(0), tuple(states), seen)
    *_, seen = tf.while_loop(lambda place, *_: place < length, body, loop, shape_invariants=free_rows(loop))
    maps = tf.transpose(seen.stack(), [1, 0, 2, 3])
    return maps * tf.cast(tokens != PADDING, tf.float32)[:, :, tf.newaxis, tf.newaxis]


def log_likelihoods(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The log probability of each caption under a network, and its number of tokens, with the end.

    Args:
        logits: float32 (..., T, V), for the token after each token.
        targets: int32 (..., T): the tokens that followed; padding does not count.

    Returns:
        float32 (...) and int32 (...), both 0 if there is only padding.

    >>> logits = tf.math.log([[[0.0, 0.0, 0.0, 0.25, 0.75], [0.0, 0.0, 0.0, 0.5, 0.5]]])
    >>> found, tokens = log_likelihoods(logits, tf.constant([[4, 3]]))
    >>> round(float(tf.exp(found)[0]), 6), int(tokens[0])
    (0.375, 2)
    """
    found = -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=tf.cast(logits, tf.float32))
    counted = targets != PADDING
    return tf.reduce_sum(tf.where(counted, found, 0.0), axis=-1), tf.reduce_sum(tf.cast(counted, tf.int32), axis=-1)


def token_mask(vocabulary_size: int, place: tf.Tensor) -> tf.Tensor:
    """float32 (V,): 0 for tokens that may come next; -inf for [padding], [unknown], [start] and, at place 0, [end].

    >>> token_mask(5, tf.constant(0)).numpy().tolist(), token_mask(5, tf.constant(1)).numpy().tolist()
    ([-inf, -inf, -inf, -inf, 0.0], [-inf, -inf, -inf, 0.0, 0.0])
    """
    first = tf.where(place == 0, END + 1, END)
    return tf.where(tf.range(vocabulary_size) < first, float("-inf"), 0.0)


def length_divisors(steps: int, length_norm: float) -> tf.Tensor:
    """float32 (T,): the divisors of the log probability of a caption of 1, 2, ..., T tokens."""
    return tf.constant(np.arange(1, steps + 1) ** np.float64(length_norm), tf.float32)


class _Sentences(NamedTuple):
    """M unfinished captions, before a place is filled.

    Attributes:
        place: int32, the number of tokens they have.
        last: int32 (M,), the token before.
        is_open: bool (M,), whether they have not ended.
        states: of their steps.
        tokens: int32 (M, T), padding from the place on.
        log_probabilities: float32 (M,), their log probabilities.
    """

    place: tf.Tensor
    last: tf.Tensor
    is_open: tf.Tensor
    states: Tensors
    tokens: tf.Tensor
    log_probabilities: tf.Tensor


def _decode(
    step: DecoderStep,
    memory: Tensors,
    states: Tensors,
    choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    *,
    max_length: int,
    length_norm: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """(int32 (M, T), float32 (M,)): tokens and scores, decoded one token at a time until all rows have ended.

    `choose` receives logits float32 (M, V), -inf for tokens that may not come next, and the place in the caption.
    """

    def goes_on(*loop: tf.Tensor) -> tf.Tensor:
        sentences = _Sentences(*loop)
        return (sentences.place <= max_length) & tf.reduce_any(sentences.is_open)

    def advance(*loop: tf.Tensor) -> _Sentences:
        sentences = _Sentences(*loop)
        logits, states, _ = step(memory, sentences.last, sentences.states)
        return _with_token(
            sentences._replace(states=tuple(states)), tf.cast(logits, tf.float32), choose, max_length=max_length
        )

    count = tf.shape(memory[0])[0]
    loop = _Sentences(
        place=tf.constant(0),
        last=tf.fill([count], START),
        is_open=tf.ones([count], tf.bool),
        states=tuple(states),
        tokens=tf.fill([count, max_length + 1], PADDING),
        log_probabilities=tf.zeros([count]),
    )
    sentences = _Sentences(*tf.while_loop(goes_on, advance, loop, shape_invariants=_Sentences(*free_rows(tuple(loop)))))
    lengths = tf.reduce_sum(tf.cast(sentences.tokens != PADDING, tf.int32), axis=1)
    divisors = tf.gather(length_divisors(max_length + 1, length_norm), tf.maximum(lengths, 1) - 1)
    return sentences.tokens, sentences.log_probabilities / divisors


def _with_token(
    sentences: _Sentences, logits: tf.Tensor, choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], *, max_length: int
) -> _Sentences:
    """The captions with one more token, from logits float32 (M, V); padding for those that have ended."""
    # A caption of the maximum length ends here.
    chosen = choose(logits + token_mask(logits.shape[-1], sentences.place), sentences.place)
    chosen = tf.where(sentences.place == max_length, END, chosen)
    chosen = tf.where(sentences.is_open, chosen, PADDING)
    each = tf.gather(logits, chosen, batch_dims=1) - tf.reduce_logsumexp(logits, axis=1)
    return _Sentences(
        place=sentences.place + 1,
        last=chosen,
        is_open=sentences.is_open & (chosen != END),
        states=sentences.states,
        tokens=tf.where(tf.range(max_length + 1) == sentences.place, chosen[:, tf.newaxis], sentences.tokens),
        log_probabilities=sentences.log_probabilities + tf.where(sentences.is_open, each, 0.0),
    )


def free_rows(loop: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shapes of a loop's variables with the number of rows left open, because a graph does not know it."""
    shapes: tuple[Any, ...] = tf.nest.map_structure(
        lambda one: tf.TensorShape([None, *one.shape[1:]] if one.shape.rank else []) if tf.is_tensor(one) else None, loop
    )
    return shapes


def repeated(rows: Tensors, times: int) -> Tensors:
    """Repeats each row `times` times in a row: an image's tensors, (M, ...), for each of its captions, (M * times, ...).

    Dtypes stay the same dtype.
    """
    return tuple(rows) if times == 1 else tuple(tf.repeat(one, times, axis=0) for one in rows)
