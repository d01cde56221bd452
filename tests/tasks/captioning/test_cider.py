"""CIDEr-D is that of numbers worked by hand."""

import math

import pytest

from kerasvision.tasks.captioning.cider import CiderD


def cider(*references, answer):
    """That of an answer to the first image."""
    split = [[caption.split() for caption in captions] for captions in references]
    return CiderD(split)(split[0], answer.split())


def test_a_word_that_every_image_has_weighs_nothing():
    # `a` weighs log 1 = 0. Of red, dog and red, cat half is common; so it is of the pairs; nothing of the three words; and
    # there are no four: 10 / 4 * (1 / 2 + 1 / 2).
    assert cider(["a red cat"], ["a dog"], answer="a red dog") == pytest.approx(2.5)


def test_a_word_said_twice_gains_nothing():
    # Of `red` twice, once counts: 1 / (2 * sqrt 2), where the cosine would be 1 / sqrt 2. No pair is common.
    assert cider(["red cat"], ["dog"], answer="red red") == pytest.approx(10 / 4 / (2 * math.sqrt(2)))


def test_another_length_is_penalised():
    # The cosine is 1 / sqrt 2; one word less: exp(-1 / (2 * 36)).
    assert cider(["red cat"], ["dog"], answer="red") == pytest.approx(10 / 4 / math.sqrt(2) * math.exp(-1 / 72))


def test_a_word_weighs_by_the_images_that_have_it_and_not_by_the_captions():
    # Of three images two have `red` and two `dog`: log 3/2; one has `cat`: log 3, though two of its captions say so.
    common, rare = math.log(3 / 2), math.log(3)
    of_one = common**2 / (common * math.sqrt(2) * math.hypot(common, rare))
    both_alike = ["red cat", "red cat"]
    assert cider(both_alike, ["red dog"], ["blue dog"], answer="red dog") == pytest.approx(10 / 4 * of_one)


def test_the_score_is_the_mean_over_the_references():
    # The first is the answer itself, with runs of one to four words; nothing of the second is in it.
    sentence = "one two three four"
    assert cider([sentence], ["dog"], answer=sentence) == pytest.approx(10)
    assert cider([sentence, "five six seven eight"], ["dog"], answer=sentence) == pytest.approx(5)


def test_an_unknown_word_nothing_and_a_single_image_have_a_score():
    assert cider(["red cat"], ["dog"], answer="zebra") == 0
    assert cider(["red cat"], ["dog"], answer="") == 0
    assert cider(["red cat"], answer="red cat") == 0  # every word is in all of one image
