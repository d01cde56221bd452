"""CIDEr-D equals numbers by hand."""

import math

import pytest

from kerasvision.tasks.captioning.cider import CiderD


def cider(*references, answer):
    """CIDEr-D of an answer to the first image."""
    split = [[caption.split() for caption in captions] for captions in references]
    return CiderD(split)(split[0], answer.split())


def test_a_word_that_every_image_has_weighs_nothing():
    # `a` weighs log 1 = 0. Half of (red, dog) and (red, cat) is common, also of the pairs, and nothing of the three words.
    # There are no four words: 10 / 4 * (1 / 2 + 1 / 2).
    assert cider(["a red cat"], ["a dog"], answer="a red dog") == pytest.approx(2.5)


def test_a_word_said_twice_gains_nothing():
    # `red` occurs twice, and counts once: 1 / (2 * sqrt 2), while the cosine would be 1 / sqrt 2. No pair is common.
    assert cider(["red cat"], ["dog"], answer="red red") == pytest.approx(10 / 4 / (2 * math.sqrt(2)))


def test_another_length_is_penalised():
    # The cosine is 1 / sqrt 2; one word less: exp(-1 / (2 * 36)).
    assert cider(["red cat"], ["dog"], answer="red") == pytest.approx(10 / 4 / math.sqrt(2) * math.exp(-1 / 72))


def test_a_word_weighs_by_the_images_that_have_it_and_not_by_the_captions():
    # Two of three images have `red`, and two have `dog`: log 3/2. One has `cat`, in two of its captions: log 3.
    common, rare = math.log(3 / 2), math.log(3)
    of_one = common**2 / (common * math.sqrt(2) * math.hypot(common, rare))
    both_alike = ["red cat", "red cat"]
    assert cider(both_alike, ["red dog"], ["blue dog"], answer="red dog") == pytest.approx(10 / 4 * of_one)


def test_the_score_is_the_mean_over_the_references():
    # The first is the answer itself, with runs of one to four words; it has nothing in common with the second.
    sentence = "one two three four"
    assert cider([sentence], ["dog"], answer=sentence) == pytest.approx(10)
    assert cider([sentence, "five six seven eight"], ["dog"], answer=sentence) == pytest.approx(5)


def test_an_unknown_word_nothing_and_a_single_image_have_a_score():
    assert cider(["red cat"], ["dog"], answer="zebra") == 0
    assert cider(["red cat"], ["dog"], answer="") == 0
    assert cider(["red cat"], answer="red cat") == 0  # every word is in all of one image
