"""Beam search: from captions that grow by one token at a time, keeps the likeliest and returns those with the highest score.

At each place, every unfinished caption of an image is continued by every token. Captions that end join the finished ones,
and the best K of these are kept. Of the others, the `width` likeliest continue. An image is done when no unfinished caption
could still win. Steps, memory and scores are those of `decoding.py`.

Sources: Vinyals et al., 2015, https://arxiv.org/abs/1411.4555, section 3.2, "BeamSearch"; score over length ** alpha: Wu et
al., 2016, https://arxiv.org/abs/1609.08144, section 7, in the simpler form without the constant 5; no n-gram twice: Paulus
et al., 2017, https://arxiv.org/abs/1705.04304, section 2.5.
"""

from functools import partial
from typing import NamedTuple

import tensorflow as tf

from kerasvision.tasks.captioning.decoding import (
    Decoded,
    DecoderStep,
    Tensors,
    free_rows,
    length_divisors,
    repeated,
    token_mask,
)
from kerasvision.tasks.captioning.tokens import END, PADDING, START

NEVER = float("-inf")


class _Search(NamedTuple):
    """The state of the search for N images before a place is filled.

    Attributes:
        place: int32, the number of tokens of the unfinished captions.
        tokens: int32 (N, W, T), the unfinished captions, likeliest first.
        log_probabilities: float32 (N, W), their log probabilities; -inf if there are fewer.
        states: of their N * W steps.
        ended: int32 (N, K, T), the finished captions, best first.
        scores: float32 (N, K), -inf if there are fewer.
        lost: bool (N,), whether an output of a step was not a number.
    """

    place: tf.Tensor
    tokens: tf.Tensor
    log_probabilities: tf.Tensor
    states: Tensors
    ended: tf.Tensor
    scores: tf.Tensor
    lost: tf.Tensor


def beam_search(
    step: DecoderStep,
    memory: Tensors,
    states: Tensors,
    *,
    max_length: int,
    width: int,
    captions: int = 1,
    length_norm: float = 0.7,
    no_repeat: int = 0,
) -> Decoded:
    """The K captions with the highest scores, best first, among those that the beams reach.

    Of equal scores, the caption that ended first wins, then the one with the likelier beginning, then the lower token
    number.

    Args:
        step, memory, states, max_length, length_norm: as for `greedy`.
        width: how many unfinished captions are kept. 1 is greedy search, except for captions that end early.
        captions: K, at most `width`.
        no_repeat: no caption has the same n-gram of this size twice; 0 turns this rule off.

    Returns:
        tokens int32 (N, K, T) and scores float32 (N, K), see `Decoded`.
    """
    divisors = length_divisors(max_length + 1, length_norm)
    filled = partial(_filled, divisors=divisors, no_repeat=no_repeat)

    def advance(*loop: tf.Tensor) -> _Search:
        search = _Search(*loop)
        last = tf.gather(search.tokens, search.place - 1, axis=2)
        logits, states, _ = step(of_beams, tf.reshape(last, [-1]), search.states)
        return filled(search._replace(states=tuple(states)), logits)

    def goes_on(*loop: tf.Tensor) -> tf.Tensor:
        search = _Search(*loop)
        # A log probability only falls, and the longest caption has the largest divisor.
        could_win = tf.reduce_max(search.log_probabilities, axis=1) / divisors[-1] > search.scores[:, -1]
        return (search.place <= max_length) & tf.reduce_any(could_win)

    # All beams of an image begin the same: one step for all of them.
    count = tf.shape(memory[0])[0]
    logits, states, _ = step(memory, tf.fill([count], START), states)
    of_beams, logits, states = repeated(memory, width), tf.repeat(logits, width, axis=0), repeated(states, width)
    loop = filled(_begun(count, states, width, captions, max_length + 1), logits)
    return _decoded(_Search(*tf.while_loop(goes_on, advance, loop, shape_invariants=_Search(*free_rows(tuple(loop))))))


def _begun(count: tf.Tensor, states: Tensors, width: int, captions: int, length: int) -> _Search:
    """One unfinished caption per image, without tokens."""
    return _Search(
        place=tf.constant(0),
        tokens=tf.fill([count, width, length], PADDING),
        log_probabilities=tf.tile(tf.constant([[0.0] + [NEVER] * (width - 1)]), [count, 1]),
        states=states,
        ended=tf.fill([count, captions, length], PADDING),
        scores=tf.fill([count, captions], NEVER),
        lost=tf.zeros([count], tf.bool),
    )


def _filled(search: _Search, logits: tf.Tensor, *, divisors: tf.Tensor, no_repeat: int) -> _Search:
    """The search with its place filled: some captions end there, and the likeliest of the others continue.

    Args:
        search: with the states after this place.
        logits: float32 (N * W, V), for the token at this place.
        divisors: float32 (T,), of the log probability of a caption of each length.
        no_repeat: as for `beam_search`.
    """
    width, logits = search.tokens.shape[1], tf.cast(logits, tf.float32)
    allowed = logits + token_mask(logits.shape[-1], search.place)
    # The logits of a row have the order of its probabilities, so only the best probabilities are computed.
    of_all = tf.reduce_logsumexp(logits, axis=1, keepdims=True)
    ends = tf.reshape(allowed[:, END, tf.newaxis] - of_all, [-1, width])
    words, chosen = tf.math.top_k(_words_only(allowed, search, no_repeat), k=min(width, logits.shape[-1]))
    lost = search.lost | tf.reduce_any(tf.math.is_nan(ends), axis=1)
    return _continued(search._replace(lost=lost), words - of_all, chosen, _with_ended(search, ends, divisors))


def _decoded(search: _Search) -> Decoded:
    """The result of a search: padding and 0 if there are fewer captions, NaN if the network's outputs were not numbers."""
    exists = search.scores > NEVER
    scores = tf.where(exists, search.scores, 0.0)
    scores = tf.where(search.lost[:, tf.newaxis], float("nan"), scores)
    return Decoded(tf.where(exists[:, :, tf.newaxis], search.ended, PADDING), scores)


def _with_ended(search: _Search, ends: tf.Tensor, divisors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The best of the finished captions and of those that end here: tokens and scores."""
    here = tf.where(tf.range(search.tokens.shape[2]) == search.place, END, search.tokens)
    scores = tf.concat([search.scores, (search.log_probabilities + ends) / divisors[search.place]], axis=1)
    scores, best = tf.math.top_k(scores, k=search.scores.shape[1])
    return tf.gather(tf.concat([search.ended, here], axis=1), best, batch_dims=1), scores


def _words_only(allowed: tf.Tensor, search: _Search, no_repeat: int) -> tf.Tensor:
    """float32 (N * W, V): logits of tokens that may come next in an unfinished caption; -inf for others."""
    allowed += tf.where(tf.range(allowed.shape[-1]) == END, NEVER, 0.0)
    if not no_repeat or no_repeat > search.tokens.shape[2]:
        return allowed
    tokens = tf.reshape(search.tokens, [-1, search.tokens.shape[2]])
    repeats = repeating_tokens(tokens, search.place, size=no_repeat)
    rows = tf.broadcast_to(tf.range(tf.shape(repeats)[0])[:, tf.newaxis], tf.shape(repeats))
    # Where nothing repeats, the scatter forbids [padding], which is forbidden anyway.
    return tf.tensor_scatter_nd_update(allowed, tf.stack([rows, repeats], axis=2), tf.fill(tf.shape(repeats), NEVER))


def repeating_tokens(tokens: tf.Tensor, place: tf.Tensor, *, size: int) -> tf.Tensor:
    """int32 (M, T - size + 1): tokens that would repeat an n-gram of the caption if they came next.

    Args:
        tokens: int32 (M, T), captions of `place` tokens, then padding.
        place: where the next token goes.
        size: of the n-grams, 1 to T.

    Returns:
        The tokens, and [padding] where a row has no token.

    >>> repeating_tokens(tf.constant([[5, 6, 7, 5, 6, 0]]), 5, size=3).numpy().tolist()
    [[7, 0, 0, 0]]
    >>> repeating_tokens(tf.constant([[5, 6, 0]]), 2, size=1).numpy().tolist()
    [[5, 6, 0]]
    """
    windows = tokens.shape[1] - size + 1
    starts = tf.range(windows)
    # Only windows that are already full; the one being filled must not match itself.
    repeats = tf.broadcast_to(starts + size <= place, [tf.shape(tokens)[0], windows])
    for offset in range(size - 1):
        lately = tf.gather(tokens, tf.maximum(place - size + 1 + offset, 0), axis=1)
        repeats &= tokens[:, offset : offset + windows] == lately[:, tf.newaxis]
    return tf.where(repeats, tokens[:, size - 1 :], PADDING)


def _continued(search: _Search, words: tf.Tensor, chosen: tf.Tensor, finished: tuple[tf.Tensor, tf.Tensor]) -> _Search:
    """The likeliest continuations of the unfinished captions, with their states.

    Args:
        search: with the states after this place.
        words: float32 (N * W, B), the log probabilities of the B best words for each caption.
        chosen: int32 (N * W, B), the numbers of these words.
        finished: tokens and scores.
    """
    width, length, best_words = search.tokens.shape[1], search.tokens.shape[2], chosen.shape[1]
    log_probabilities = search.log_probabilities[:, :, tf.newaxis] + tf.reshape(words, [-1, width, best_words])
    log_probabilities, best = tf.math.top_k(tf.reshape(log_probabilities, [-1, width * best_words]), k=width)
    parents = best // best_words
    chosen = tf.gather(tf.reshape(chosen, [-1, width * best_words]), best, batch_dims=1)
    tokens = tf.gather(search.tokens, parents, batch_dims=1)
    tokens = tf.where(tf.range(length) == search.place, chosen[:, :, tf.newaxis], tokens)
    # Captions stay with their image, so its memory need not move.
    rows = tf.reshape(parents + width * tf.range(tf.shape(log_probabilities)[0])[:, tf.newaxis], [-1])
    states = tuple(tf.gather(state, rows) for state in search.states)
    return _Search(search.place + 1, tokens, log_probabilities, states, *finished, search.lost)
