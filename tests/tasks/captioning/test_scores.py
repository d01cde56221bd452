"""Scores under weightings, for slices and resamples of captions, equal the scores of a data set made in that way."""

import numpy as np
import pytest

from kerasvision.tasks.captioning.captions import Captions
from kerasvision.tasks.captioning.scores import caption_scores, scores_of_rows

RANDOM = np.random.default_rng(5)
VOCABULARY = ["a", "red", "blue", "cat", "dog", "sat", "on", "the", "mat"]
NAMES = (
    "bleu_1",
    "bleu_2",
    "bleu_3",
    "bleu_4",
    "rouge_l",
    "meteor",
    "cider_d",
    "exact_match",
    "perplexity",
    "mean_words",
    "distinct_captions",
)


def sentence():
    return " ".join(RANDOM.choice(VOCABULARY, RANDOM.integers(4, 9)))


TRUTH = [tuple(sentence() for _ in range(1 + n % 3)) for n in range(20)]
ANSWERS = [captions[0] if n % 4 == 0 else f"{captions[0]} cat" if n % 2 else sentence() for n, captions in enumerate(TRUTH)]
TOKENS = np.array([sum(len(caption.split()) + 1 for caption in captions) for captions in TRUTH], float)
CAPTIONS = Captions(TRUTH, ANSWERS, -RANDOM.uniform(1, 3, 20) * TOKENS, TOKENS)
EVERY = np.arange(20)


def of_rows(rows):
    truth, answers = [TRUTH[row] for row in rows], [ANSWERS[row] for row in rows]
    return Captions(truth, answers, CAPTIONS.log_likelihoods[rows], TOKENS[rows])


def without(scores, *names):
    return {name: value for name, value in scores.items() if name not in names}


def test_all_metrics_have_a_value():
    assert sorted(caption_scores(CAPTIONS)) == sorted(NAMES)


def test_a_resample_scores_as_the_data_set_in_which_rows_are_repeated():
    counts = RANDOM.integers(0, 3, (20, 2)).astype(float)
    ours = scores_of_rows(CAPTIONS, EVERY, counts)
    for column in range(2):
        rows = np.repeat(EVERY, counts[:, column].astype(int))
        # CIDEr-D keeps the word weights of the whole data set; a resample has no distinct captions.
        expected = without(caption_scores(of_rows(rows)), "cider_d", "distinct_captions")
        assert without({name: value[column] for name, value in ours.items()}, "cider_d") == pytest.approx(expected)


def test_only_the_proportions_of_weights_count():
    weights = RANDOM.choice([0.0, 1.0, 3.0], (20, 2))
    ours, tiny = (scores_of_rows(CAPTIONS, EVERY, scale * weights) for scale in (1.0, 2.0**-20))
    for name, values in ours.items():
        np.testing.assert_allclose(tiny[name], values, err_msg=name)


def test_cider_of_a_part_keeps_the_weights_of_the_whole():
    parts = (EVERY[:8], EVERY[8:])
    first, second = (scores_of_rows(CAPTIONS, rows, np.ones((len(rows), 1)))["cider_d"][0] for rows in parts)
    assert (8 * first + 12 * second) / 20 == pytest.approx(caption_scores(CAPTIONS)["cider_d"])


def test_the_scores_of_some_rows_are_those_of_a_smaller_data_set():
    rows = EVERY[3:11]
    ours = {name: value[0] for name, value in scores_of_rows(CAPTIONS, rows, np.ones((8, 1))).items()}
    assert without(ours, "cider_d") == pytest.approx(without(caption_scores(of_rows(rows)), "cider_d"))


def test_perplexity_is_of_tokens_and_not_of_images():
    # One image has one token at 1/2, the other three at 1/8 each: (2 * 8**3)**(1/4).
    captions = Captions([("a",), ("b c",)], ["a", "b"], np.log([1 / 2, 1 / 8**3]), np.array([1.0, 3.0]))
    assert caption_scores(captions)["perplexity"] == pytest.approx((2 * 8**3) ** 0.25)
    assert captions.losses == pytest.approx(np.log([2, 8]))


def test_the_worst_model_that_there_is_has_a_perplexity():
    captions = Captions([("a",)], ["a"], np.array([-1e6]), np.array([1.0]))
    assert np.isfinite(caption_scores(captions)["perplexity"])


def test_case_and_punctuation_make_no_difference():
    captions = Captions([("A red cat, sitting.",)], ["a red cat sitting"], np.array([-1.0]), np.array([5.0]))
    scores = caption_scores(captions)
    assert scores["exact_match"] == scores["bleu_4"] == scores["rouge_l"] == 1


def test_an_image_without_captions_counts_only_in_what_is_said_of_the_answers():
    more = Captions(
        [*TRUTH, (), ("...",)],
        [*ANSWERS, "dog", "dog"],
        np.append(CAPTIONS.log_likelihoods, [0, 0]),
        np.append(TOKENS, [0, 0]),
    )
    of_answers = ("mean_words", "distinct_captions")
    assert without(caption_scores(more), *of_answers) == pytest.approx(without(caption_scores(CAPTIONS), *of_answers))
    assert caption_scores(more)["mean_words"] == pytest.approx((20 * caption_scores(CAPTIONS)["mean_words"] + 2) / 22)
    assert more.losses[-2:].tolist() == [0, 0]


def test_a_resample_of_images_without_captions_says_nan_and_nothing_warns():
    captions = Captions([(), ("a cat",)], ["dog", "cat"], np.array([0.0, -1]), np.array([0.0, 3]))
    scores = scores_of_rows(captions, np.arange(2), np.array([[2.0], [0.0]]))
    assert sorted(name for name, value in scores.items() if np.isnan(value[0])) == sorted(NAMES[:9])


def test_distinct_captions_are_counted_and_not_resampled():
    captions = Captions([("a cat",)] * 4, ["a cat", "a cat", "a dog", "a cat"], np.full(4, -1.0), np.full(4, 3.0))
    assert caption_scores(captions)["distinct_captions"] == 0.5
    assert "distinct_captions" not in scores_of_rows(captions, np.arange(4), np.ones((4, 2)))


@pytest.mark.parametrize("written", ["word " * 1000, "一只红色的猫", "قطة حمراء على السجادة", "🙂 cat", "a\u0000b"])
def test_long_captions_and_other_scripts_are_scored(written):
    captions = Captions([(written,), ("a dog",)], [written, ""], np.array([-1.0, -2.0]), np.array([5.0, 3.0]))
    scores = caption_scores(captions)
    assert np.isfinite(list(scores.values())).all()
    assert scores["exact_match"] == 0.5
