"""Greedy search, beam search and sampling equal plain Python on random models: automata with known answers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.tasks.captioning.beam import beam_search
from kerasvision.tasks.captioning.decoding import attention_maps, greedy, log_likelihoods, row_seeds, sampled, sampled_tokens

START, END, FIRST_WORD = 2, 3, 4
IMAGES, STATES = 9, 5


class Automaton:
    """A model of V tokens: the next token depends on the image's number, a state, and the last token."""

    def __init__(self, *, vocabulary, seed=0, spread=2.0, logits=None):
        random = np.random.default_rng(seed)
        shape = (IMAGES, STATES, vocabulary, vocabulary)
        logits = random.normal(0, spread, shape) if logits is None else np.broadcast_to(logits, shape)
        self.logits = tf.constant(logits, tf.float32)
        self.told = tf.nn.log_softmax(self.logits).numpy()
        self.next = random.integers(0, STATES, (STATES, vocabulary)).astype(np.int32)
        self.words = range(FIRST_WORD, vocabulary)
        self.calls = 0

    def step(self, memory, tokens, states):
        self.calls += 1
        logits = tf.gather_nd(self.logits, tf.stack([memory[0], states[0], tokens], axis=1))
        after = tf.gather_nd(tf.constant(self.next), tf.stack([states[0], tokens], axis=1))
        return logits, (after,), tf.reshape(tf.one_hot(memory[0], IMAGES), [-1, 3, 3])

    @property
    def begun(self):
        """The step, the memory and the states of all images."""
        return self.step, (tf.range(IMAGES),), (tf.zeros([IMAGES], tf.int32),)

    def likelihood(self, image, tokens):
        """The log probability of a caption; its end is among the tokens."""
        state, last, total = 0, START, np.float32(0)
        for token in tokens:
            total += self.told[image, state, last, token]
            state, last = self.next[state, last], token
        return total


def beams_in_python(model, image, *, max_length, width, captions=1, length_norm=0.7, no_repeat=0):
    """[(caption, score)], best first. Nothing stops early here; Python's sort keeps the order of equal scores."""
    unfinished, finished = [((), np.float32(0), 0)], []
    for place in range(max_length + 1):
        going = []
        for words, told, state in unfinished:
            last = words[-1] if words else START
            each = told + model.told[image, state, last]
            if words:
                finished.append((words, each[END] / np.float32((place + 1) ** length_norm)))
            going += [
                ((*words, word), each[word], model.next[state, last])
                for word in model.words
                if not says_again((*words, word), no_repeat)
            ]
        finished = sorted(finished, key=lambda one: -one[1])[:captions]
        unfinished = sorted(going, key=lambda one: -one[1])[:width]
    return finished


def says_again(words, size):
    return size > 0 and any(words[start : start + size] == words[-size:] for start in range(len(words) - size))


def captions_of(decoded):
    """For each image, [(caption, score)]; checks that only padding follows the end."""
    found = []
    for rows, scores in zip(decoded.tokens.numpy().tolist(), decoded.scores.numpy(), strict=True):
        found.append([])
        for row, score in zip(rows, scores, strict=True):
            if any(row):
                end = row.index(END)
                assert not any(row[end + 1 :])
                found[-1].append((tuple(row[:end]), score))
            else:
                assert score == 0
    return found


def assert_same(found, expected):
    assert [[words for words, _ in image] for image in found] == [[words for words, _ in image] for image in expected]
    scores, wanted = (np.array([score for image in one for _, score in image]) for one in (found, expected))
    np.testing.assert_allclose(scores, wanted, rtol=1e-6)


SEARCHES = [
    {"max_length": 6, "width": 1},
    {"max_length": 6, "width": 3},
    {"max_length": 6, "width": 3, "captions": 3, "length_norm": 0.0},
    {"max_length": 6, "width": 4, "captions": 2, "length_norm": 1.0, "no_repeat": 1},
    {"max_length": 9, "width": 3, "captions": 2, "length_norm": 2.0, "no_repeat": 2},
    {"max_length": 9, "width": 2, "captions": 1, "length_norm": 1.0, "no_repeat": 3},
    {"max_length": 3, "width": 3, "captions": 3, "no_repeat": 4},
    {"max_length": 3, "width": 3, "captions": 3, "no_repeat": 20},
    {"max_length": 1, "width": 2, "captions": 2},
]


@pytest.mark.parametrize("search", SEARCHES, ids=str)
@pytest.mark.parametrize(("vocabulary", "spread"), [(12, 2.0), (6, 1.0), (5, 1.0)])
def test_beam_search_finds_what_plain_python_finds(search, vocabulary, spread):
    model = Automaton(vocabulary=vocabulary, seed=vocabulary, spread=spread)
    expected = [beams_in_python(model, image, **search) for image in range(IMAGES)]
    assert_same(captions_of(beam_search(*model.begun, **search)), expected)


def test_a_beam_that_holds_every_beginning_finds_the_best_of_all_captions():
    model = Automaton(vocabulary=6, seed=5, spread=1.0)
    every = [words for length in range(1, 5) for words in itertools.product(model.words, repeat=length)]
    expected = []
    for image in range(IMAGES):
        scored = [(words, model.likelihood(image, (*words, END)) / (len(words) + 1) ** 0.7) for words in every]
        expected.append(sorted(scored, key=lambda one: -one[1])[:5])
    assert_same(captions_of(beam_search(*model.begun, max_length=4, width=16, captions=5)), expected)


def test_a_beam_wider_than_the_vocabulary_gives_what_there_is():
    model = Automaton(vocabulary=5, seed=1, spread=1.0)
    found = captions_of(beam_search(*model.begun, max_length=3, width=50, captions=50))
    # One word, which can come once, twice, or three times.
    assert [sorted(len(words) for words, _ in image) for image in found] == [[1, 2, 3]] * IMAGES
    assert all(score < 0 for image in found for _, score in image)


@pytest.mark.parametrize("search", [{"width": 3, "captions": 3}, {"width": 5, "captions": 2, "length_norm": 0.0}], ids=str)
def test_of_equal_captions_those_win_that_end_first_and_have_the_lower_numbers(search):
    model = Automaton(vocabulary=8, logits=0.0)
    expected = [beams_in_python(model, image, max_length=4, **search) for image in range(IMAGES)]
    found = captions_of(beam_search(*model.begun, max_length=4, **search))
    assert_same(found, expected)
    if search.get("length_norm") == 0:
        assert [words for words, _ in found[0]] == [(4,), (5,)]


def test_no_tokens_follow_each_other_twice():
    loves_itself = np.where(np.eye(7), 3.0, 0.0)
    model = Automaton(vocabulary=7, logits=loves_itself - 9 * (np.arange(7) == END))
    said = [captions_of(beam_search(*model.begun, max_length=6, width=3, no_repeat=n))[0][0][0] for n in (0, 1, 2, 3)]
    assert said[0] == (4,) * 6
    assert len(set(said[1])) == len(said[1])
    for size, words in enumerate(said[2:], 2):
        grams = [words[start : start + size] for start in range(len(words) - size + 1)]
        assert len(set(grams)) == len(grams)


def test_the_search_ends_when_no_caption_could_win_any_more():
    wants_to_end = Automaton(vocabulary=9, logits=20.0 * (np.arange(9) == END))
    found = captions_of(beam_search(*wants_to_end.begun, max_length=50, width=3, length_norm=0.0))
    assert wants_to_end.calls == 2
    assert [len(words) for image in found for words, _ in image] == [1] * IMAGES
    greedy_one = Automaton(vocabulary=9, logits=20.0 * (np.arange(9) == END))
    greedy(*greedy_one.begun, max_length=50)
    assert greedy_one.calls == 2


def test_an_image_is_answered_like_one_among_others():
    model = Automaton(vocabulary=9, seed=3)
    step, memory, states = model.begun
    together = beam_search(step, memory, states, max_length=6, width=3, captions=2)
    for row in range(3):
        alone = beam_search(step, (memory[0][row : row + 1],), (states[0][:1],), max_length=6, width=3, captions=2)
        assert alone.tokens.numpy().tolist() == together.tokens[row : row + 1].numpy().tolist()
        assert alone.scores.numpy().tolist() == together.scores[row : row + 1].numpy().tolist()


@pytest.mark.parametrize("max_length", [1, 7])
def test_greedy_takes_the_likeliest_token_each_time(max_length):
    model = Automaton(vocabulary=8, seed=max_length)
    expected = []
    for image in range(IMAGES):
        words, state, last = (), 0, START
        while len(words) < max_length:
            allowed = model.told[image, state, last][END + (not words) :]
            state, last = model.next[state, last], int(allowed.argmax()) + END + (not words)
            if last == END:
                break
            words += (last,)
        expected.append([(words, model.likelihood(image, (*words, END)) / (len(words) + 1))])
    assert_same(captions_of(greedy(*model.begun, max_length=max_length)), expected)


def test_the_special_tokens_are_never_said():
    loves_them = Automaton(vocabulary=8, logits=np.where(np.arange(8) < END, 9.0, 0.0))
    seeds = row_seeds(tf.random.stateless_normal([IMAGES, 4], [0, 0]), 1)
    decoded = [
        greedy(*loves_them.begun, max_length=5),
        beam_search(*loves_them.begun, max_length=5, width=3, captions=3),
        sampled(*loves_them.begun, max_length=5, seeds=seeds, captions=3),
    ]
    for one in decoded:
        assert all(words and min(words) >= FIRST_WORD for image in captions_of(one) for words, _ in image)


@pytest.mark.parametrize("way", [{}, {"temperature": 0.5}, {"top_k": 2}, {"temperature": 2.0, "top_k": 4}], ids=str)
def test_samples_are_those_of_the_cumulated_probabilities(way):
    model, seeds = Automaton(vocabulary=9, seed=2), tf.constant([[7, row] for row in range(IMAGES)])
    expected = []
    for image in range(IMAGES):
        drawn = tf.random.stateless_uniform([3, 7], seeds[image]).numpy()
        said = [draw_in_python(model, image, numbers, **way) for numbers in drawn]
        scored = [(words, model.likelihood(image, (*words, END)) / (len(words) + 1)) for words in said]
        expected.append(sorted(scored, key=lambda one: -one[1]))
    found = captions_of(sampled(*model.begun, max_length=6, seeds=seeds, captions=3, **way))
    assert_same(found, expected)
    assert len({words for image in found for words, _ in image}) > IMAGES


def draw_in_python(model, image, numbers, temperature=1.0, top_k=None):
    words, state, last = (), 0, START
    for number in numbers[:-1]:
        logits = model.logits[image, state, last].numpy().astype(np.float64) / temperature
        order = [token for token in np.argsort(-logits, kind="stable") if token >= END + (not words)][:top_k]
        order = order if top_k else sorted(order)
        shares = np.exp(logits[order])
        state, last = model.next[state, last], int(order[np.searchsorted(np.cumsum(shares) / shares.sum(), number, "right")])
        if last == END:
            break
        words += (last,)
    return words


def test_tokens_are_drawn_as_often_as_they_are_likely():
    shares = np.array([0.0, 0.1, 0.0, 0.6, 0.3])
    numbers = (np.arange(1000) + 0.5) / 1000
    with np.errstate(divide="ignore"):
        logits = tf.constant(np.tile(np.log(shares), (1000, 1)), tf.float32)
    drawn = sampled_tokens(logits, tf.constant(numbers, tf.float32)).numpy()
    assert np.abs(np.bincount(drawn, minlength=5) / 1000 - shares).max() <= 0.001
    among_two = sampled_tokens(logits, tf.constant(numbers, tf.float32), top_k=2).numpy()
    assert np.abs(np.bincount(among_two, minlength=5) / 1000 - [0, 0, 0, 2 / 3, 1 / 3]).max() <= 0.001


def test_a_seed_follows_from_the_image_and_not_from_its_company():
    images = tf.random.stateless_normal([5, 6, 6, 3], [1, 2])
    seeds = row_seeds(images, 9).numpy()
    assert np.array_equal(seeds[2:], row_seeds(images[2:] + 1e-7, 9).numpy())
    assert len({tuple(seed) for seed in seeds}) == 5


def test_answers_that_are_no_numbers_are_told():
    model = Automaton(vocabulary=7, seed=1)
    model.logits = tf.where(tf.range(IMAGES)[:, None, None, None] == 2, np.nan, model.logits)
    for decoded in (greedy(*model.begun, max_length=4), beam_search(*model.begun, max_length=4, width=3)):
        assert np.isnan(decoded.scores.numpy()[:, 0]).tolist() == [image == 2 for image in range(IMAGES)]


def traced(decode):
    """The same as a graph that knows neither the number of images nor Python."""
    specs = [(tf.TensorSpec([None], tf.int32),)] * 2
    return tf.function(decode, autograph=False, input_signature=specs)


@pytest.mark.parametrize("way", ["greedy", "beam_search", "sampled"])
def test_a_graph_of_any_number_of_images_gives_the_same(way):
    model = Automaton(vocabulary=9, seed=4)
    step, memory, states = model.begun
    decode = {
        "greedy": lambda memory, states: greedy(step, memory, states, max_length=6),
        "beam_search": lambda memory, states: beam_search(
            step, memory, states, max_length=6, width=3, captions=2, no_repeat=2
        ),
        "sampled": lambda memory, states: sampled(
            step, memory, states, max_length=6, captions=2, seeds=row_seeds(tf.cast(memory[0], tf.float32)[:, None], 3)
        ),
    }[way]
    graph = traced(decode)
    for count in (4, 1, 0):
        some = (memory[0][:count],), (states[0][:count],)
        found, expected = graph(*some), decode(*some)
        assert found.tokens.numpy().tolist() == expected.tokens.numpy().tolist()
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
        assert found.tokens.shape == (count, 1 if way == "greedy" else 2, 7)


def test_attention_is_that_of_each_token_and_nothing_after_the_end():
    model = Automaton(vocabulary=7)
    tokens = tf.constant([[5, 6, END, 0], [4, END, 0, 0], [END, 0, 0, 0], [0, 0, 0, 0]])
    step, memory, states = model.begun
    seen = attention_maps(step, (memory[0][:4],), (states[0][:4],), tokens).numpy()
    assert seen.shape == (4, 4, 3, 3)
    # An image looks at the place of its own number.
    assert seen.sum(axis=(2, 3)).tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert seen[1].reshape(4, 9)[:2].argmax(axis=1).tolist() == [1, 1]


def test_the_likelihood_of_a_caption_is_that_of_its_tokens():
    model = Automaton(vocabulary=7, seed=6)
    words = (5, 4, 4, END)
    state, last, logits = 0, START, []
    for token in words:
        logits.append(model.logits[1, state, last])
        state, last = model.next[state, last], token
    logits = tf.stack([*logits, tf.zeros(7)])[None]
    told, count = log_likelihoods(logits, tf.constant([[*words, 0]]))
    assert float(told[0]) == pytest.approx(float(model.likelihood(1, words)), rel=1e-6)
    assert int(count[0]) == 4
