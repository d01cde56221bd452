"""Words of captions, which of them are tokens, and conversion of captions to numbers and back."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.data import captions as counted
from kerasvision.errors import ConfigError, DataError
from kerasvision.tasks.captioning import fingerprints
from kerasvision.tasks.captioning.codec import Codec
from kerasvision.tasks.captioning.fingerprints import Numbered
from kerasvision.tasks.captioning.text import words_of
from kerasvision.tasks.captioning.tokens import SPECIAL
from kerasvision.tasks.captioning.vocabulary import fit_words

NAMES = (*SPECIAL, "a", "dog", "red", ".", "it's")


def said(caption, **fields):
    return [word.decode() for word in words_of(tf.constant([caption]), c.Words(**fields))[0].numpy()]


# --- Captions to words


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A child's T-shirt, red & WHITE.", ["a", "child's", "t-shirt", "red", "white"]),
        ("rock 'n' roll -- a--b - x-", ["rock", "n", "roll", "a", "b", "x"]),
        ("ÄPFEL, naïve Élan; it’s", ["äpfel", "naïve", "élan", "it’s"]),
        ("हिन्दी में चित्र।", ["हिन्दी", "में", "चित्र"]),  # vowel signs are marks, and belong to their word
        ("العربية: كلب", ["العربية", "كلب"]),
        ("一只狗。很好", list("一只狗很好")),
        ("一只黑猫坐在桌子上。", list("一只黑猫坐在桌子上")),
        ("黒い猫が机の上に座っている。", list("黒い猫が机の上に座っている")),
        ("コーヒーと「パン」、時々！", list("コーヒーとパン時々")),
        ("ｶﾞﾗｽの瓶", ["ｶﾞ", "ﾗ", "ｽ", "の", "瓶"]),  # half-width letters keep their voicing mark
        ("か\u3099さ", ["か\u3099", "さ"]),  # the mark by itself
        ("แมวดำนั่งอยู่บนโต๊ะ", ["แ", "ม", "ว", "ด", "ำ", "นั่", "ง", "อ", "ยู่", "บ", "น", "โ", "ต๊", "ะ"]),
        ("ແມວດຳ", ["ແ", "ມ", "ວ", "ດ", "ຳ"]),
        ("ឆ្មាខ្មៅ", ["ឆ្", "មា", "ខ្", "មៅ"]),
        ("ကြောင်နက်", ["ကြော", "င်", "န", "က်"]),
        ("ཞི་མི་ནག་པོ།", ["ཞི", "མི", "ནག", "པོ"]),
        ("iPhone 15を持つ人", ["iphone", "15", "を", "持", "つ", "人"]),
        ("2匹の犬とT-shirtの子", ["2", "匹", "の", "犬", "と", "t-shirt", "の", "子"]),
        ("猫-犬 ราคา ๑๒ บาท", ["猫", "犬", "ร", "า", "ค", "า", "๑๒", "บ", "า", "ท"]),
        ("검은 고양이", ["검은", "고양이"]),  # Korean has spaces
        ("\u0eb4 .\u0e34 a\u0e34", ["a\u0e34"]),  # a mark belongs to the letter before it, of any script
        ("I \u2764\ufe0f dogs \u0301and a-\u0301b, 5\ufe0f\u20e3", ["i", "dogs", "and", "a", "b", "5\ufe0f\u20e3"]),
        ("a\u00a0b\u2028c\td\n3.5", ["a", "b", "c", "d", "3", "5"]),
        (b"bad \xff bytes\xc3", ["bad", "bytes"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_words_are_letters_and_digits_of_every_script(caption, expected):
    assert said(caption) == expected
    if isinstance(caption, str):
        assert counted.words_in(caption) == expected


TEXT = st.one_of(st.sampled_from("ab1 '’-.,—猫เม่။"), st.characters(categories=["Ll", "Lo", "Mn", "Mc", "Nd", "Po", "Zs"]))


@settings(max_examples=100)
@given(st.text(TEXT))
def test_words_are_those_that_the_statistics_and_the_scores_count(caption):
    assert said(caption) == counted.words_in(caption)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("It's red!", ["It's", "red", "!"]),
        ("a (big) dog... 'x'", ["a", "(", "big", ")", "dog", ".", ".", ".", "'", "x", "'"]),
        ("一只狗。", ["一", "只", "狗", "。"]),
    ],
)
def test_punctuation_that_is_kept_is_words_of_their_own(caption, expected):
    assert said(caption, lowercase=False, punctuation="keep") == expected


def test_pieces_are_found_in_the_whole_clause_of_a_script_without_spaces():
    found = words_of(tf.constant(["一只狗。很好"]), c.Subwords())[0].numpy()
    assert [word.decode() for word in found] == ["一只狗", "很好"]


SENTENCES = [
    ("一只黑猫坐在桌子上。", "一只黑猫坐在桌子上", "一只黑猫坐在桌子上。"),
    ("黒い猫が、机の上に座っている。", "黒い猫が机の上に座っている", "黒い猫が、机の上に座っている。"),
    ("แมวดำนั่งอยู่บนโต๊ะ", "แมวดำนั่งอยู่บนโต๊ะ", "แมวดำนั่งอยู่บนโต๊ะ"),
    ("ကြောင်နက်", "ကြောင်နက်", "ကြောင်နက်"),
    ("iPhone 15を持つ「人」！", "iphone 15 を持つ人", "iphone 15 を持つ「人」！"),
    ("A black cat sits.", "a black cat sits", "a black cat sits."),
]


@pytest.mark.parametrize(("sentence", "stripped", "kept"), SENTENCES)
def test_a_sentence_becomes_numbers_and_the_same_sentence_again(sentence, stripped, kept):
    for punctuation, expected in (("strip", stripped), ("keep", kept)):
        cut = c.Words(punctuation=punctuation)
        names = (*SPECIAL, *dict.fromkeys(said(sentence, punctuation=punctuation)))
        codec = Codec(names, c.Captioning(vocabulary=cut, max_length=30))
        _, targets = codec.encode(tf.constant([[sentence]]))
        assert codec.text(targets)[0, 0].numpy().decode() == expected


def test_a_script_without_spaces_is_said_to_be_cut_into_characters(captioned, capsys):
    fit_words(c.Words(min_count=1), captioned({"train": [("1", ["a dog"])]}))
    assert capsys.readouterr().err == ""
    assert fit_words(c.Words(min_count=1), captioned({"train": [("1", ["黑猫", "黑狗 dog"])]}))[4] == "黑"
    said_to_the_person = capsys.readouterr().err
    assert "are cut into characters; the longest training caption has 3 tokens, and task.max_length" in said_to_the_person


# --- Which words are tokens


def test_frequent_words_of_the_training_captions_are_tokens_the_commonest_first(captioned):
    examples = captioned(
        {
            "train": [("1", ["A dog, a dog!", "a cat"]), ("2", ["Dog. Bird", ""]), ("3", ["a bird"])],
            "validation": [("4", ["zebra zebra zebra"])],
            "test": [("5", ["lion lion lion"]), ("6", [])],
        }
    )
    assert fit_words(c.Words(min_count=2), examples) == (*SPECIAL, "a", "dog", "bird")
    assert fit_words(c.Words(min_count=1), examples) == (*SPECIAL, "a", "dog", "bird", "cat")
    assert fit_words(c.Words(min_count=1, max_size=6), examples) == (*SPECIAL, "a", "dog")
    assert fit_words(c.Words(min_count=2, lowercase=False, punctuation="keep"), examples) == (*SPECIAL, "a", "dog")


@pytest.mark.parametrize(("split", "captions"), [("train", []), ("validation", ["", "?!"])])
def test_an_image_to_learn_from_without_a_word_is_named(captioned, split, captions):
    splits = {"train": [("1.png", ["a dog"])], "validation": [("2.png", ["a dog"])]}
    splits[split] = [*splits[split], ("lost.png", captions)]
    with pytest.raises(DataError, match=r"1 have none: lost\.png.*ingest\.quarantine_file"):
        fit_words(c.Words(min_count=1), captioned(splits))


def test_of_many_images_without_captions_five_are_named(captioned):
    rows = [(f"{number}.png", []) for number in range(8)]
    with pytest.raises(DataError, match=r"8 have none: ([0-7]\.png, ){4}[0-7]\.png and 3 more"):
        fit_words(c.Words(), captioned({"train": [*rows, ("a.png", ["a"])]}))


def test_examples_without_captions_are_refused(stripes):
    from kerasvision.data.examples import ExampleSet

    with pytest.raises(DataError, match="captioning requires captions for every image; these images have none"):
        fit_words(c.Words(), ExampleSet(stripes.examples))


def test_too_rare_words_say_how_rare_they_are(captioned):
    with pytest.raises(DataError, match=r"no word occurs 5 times.*most frequent is 'dog'; received 2\. Lower task"):
        fit_words(c.Words(min_count=5), captioned({"train": [("1", ["dog dog cat"])]}))


# --- Strings to numbers and back


@settings(max_examples=20)
@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.lists(st.text()))
def test_every_name_has_its_number_and_nothing_else_has_one(names, others):
    numbered = Numbered(names)
    assert numbered(tf.constant(names)).numpy().tolist() == list(range(len(names)))
    expected = [names.index(other) if other in names else -1 for other in others]
    assert numbered(tf.constant(others, tf.string)).numpy().tolist() == expected


def test_a_string_with_the_fingerprint_of_a_name_is_not_that_name(monkeypatch):
    monkeypatch.setattr(fingerprints, "BUCKETS", 1)
    assert Numbered(["dog"])(tf.constant(["dog", "cat"])).numpy().tolist() == [0, -1]


def test_names_with_one_fingerprint_are_refused(monkeypatch):
    monkeypatch.setattr(fingerprints, "BUCKETS", 1)
    with pytest.raises(DataError, match="different fingerprint; received"):
        Numbered(["dog", "cat"])


@pytest.mark.parametrize("names", [("a", "dog", "red", "cat", "b"), SPECIAL, ()])
def test_names_that_are_no_vocabulary_are_refused(names):
    with pytest.raises(DataError, match=r"a vocabulary must begin with \[padding\]"):
        Codec(names, c.Captioning())


def test_captions_become_what_is_heard_and_what_is_said():
    codec = Codec(NAMES, c.Captioning(max_length=3))
    tokens, targets = codec.encode(tf.constant([["A dog", "red red a dog"], ["zebra!", ""]]))
    assert tokens.numpy().tolist() == [[[2, 4, 5, 0], [2, 6, 6, 4]], [[2, 1, 0, 0], [0, 0, 0, 0]]]
    assert targets.numpy().tolist() == [[[4, 5, 3, 0], [6, 6, 4, 3]], [[1, 3, 0, 0], [0, 0, 0, 0]]]


def test_a_caption_of_a_thousand_words_is_cut_and_has_its_end():
    tokens, targets = Codec(NAMES, c.Captioning(max_length=20)).encode(tf.constant(["dog " * 1000]))
    assert tokens.numpy().tolist() == [[2] + [5] * 20]
    assert targets.numpy().tolist() == [[5] * 20 + [3]]


def test_captions_of_no_image_are_no_rows():
    tokens, targets = Codec(NAMES, c.Captioning(max_length=3)).encode(tf.zeros([0, 2], tf.string))
    assert tokens.shape == targets.shape == (0, 2, 4)


def test_encoding_in_a_graph_of_unknown_sizes_is_encoding_at_once():
    codec = Codec(NAMES, c.Captioning(max_length=3))
    graph = tf.function(codec.encode, input_signature=[tf.TensorSpec([None, None], tf.string)])
    for captions in ([["A dog", "red red a dog"]], [["zebra!"], [""]]):
        for one, other in zip(graph(tf.constant(captions)), codec.encode(tf.constant(captions)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_text_leaves_the_special_tokens_out_and_closes_up_punctuation():
    codec = Codec(NAMES, c.Captioning(vocabulary=c.Words(punctuation="keep")))
    ids = tf.constant([[[2, 4, 6, 5, 7, 3, 0], [3, 0, 0, 0, 0, 0, 0]]])
    assert codec.text(ids).numpy().tolist() == [[b"a red dog.", b""]]
    assert codec.names(ids[0, 1, :2]).numpy().tolist() == [b"[end]", b"[padding]"]


# --- Settings


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"decoding": "greedy", "captions": 2}, "decoding='greedy' finds one caption"),
        ({"captions": 4}, "captions must not exceed the width of the beam; received captions=4, width=3"),
        ({"vocabulary": "word"}, "no vocabulary is named 'word'; did you mean 'words'?"),
        ({"decoding": "words"}, "no decoding is named 'words'"),
        ({"max_length": 0}, "Captioning.max_length"),
    ],
)
def test_impossible_settings_are_refused(fields, message):
    with pytest.raises(ConfigError) as raised:
        c.Captioning(**fields)
    assert message in str(raised.value)


def experiment(**fields):
    given = {
        "source": c.Shapes(),
        "transform": c.Transform(image_size=(64, 64)),
        "task": c.Captioning(),
        "model": c.Model(name="show_and_tell"),
    }
    return c.Experiment(name="captions", **{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"augment": (c.RandomFlip(), c.MixUp())}, "captioning does not support mixup in augment"),
        (
            {"export": c.Export(formats=("onnx",))},
            "captioning does not support onnx in export.formats, which cannot output text",
        ),
        ({"export": c.Export(test_time=("flip",))}, "captioning does not support export.test_time"),
        ({"export": c.Export(temperature=True)}, "captioning does not support export.temperature"),
        (
            {"export": c.Export(precision="bfloat16")},
            "captioning does not support export.precision, which requires a network with one input",
        ),
        ({"evaluation": c.Evaluation(test_time=("flip",))}, "captioning does not support evaluation.test_time"),
        ({"model": c.Model(name="resnet18")}, "which resnet18 does not. Set model.name='show_and_tell'"),
        ({"model": c.Model(name="show_and_tell", options={"max_length": 5})}, "must equal task.max_length, 20; received 5"),
        ({"task": c.Captioning(attention_penalty=1.0)}, "requires a network that outputs its attention maps"),
        ({"gate": c.Gate(c.AtLeast("bleu", 0.2))}, "captioning has no metric 'bleu'; did you mean 'bleu_"),
    ],
)
def test_an_experiment_that_does_not_go_with_captions_is_refused_when_it_is_read(fields, message):
    with pytest.raises(ConfigError) as raised:
        experiment(**fields)
    assert message in str(raised.value)


def test_an_experiment_with_captions_comes_back_from_its_data():
    task = c.Captioning(vocabulary=c.Subwords(size=100), decoding=c.Sample(top_k=3), captions=2)
    read = experiment(task=task, gate=c.Gate(c.AtMost("perplexity", 5.0)))
    assert c.Experiment.parse(read.to_data()) == read
    assert read.packages() == {"tokenizers"}
