"""Captioning as a task: the vocabulary, how it is learned, how a sentence is found, and what is measured."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision import lookup
from kerasvision.config.augmentation import Mixing
from kerasvision.config.base import Component
from kerasvision.config.model import Model
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError


class Vocabulary(Names):
    """Base of the ways to cut captions into tokens. Which tokens there are follows from the training captions alone.

    `[padding]`, `[unknown]`, `[start]` and `[end]` come first, then the commonest. A captioner never says the first three.
    """

    lowercase: bool = Field(default=True, description="make all letters small")
    punctuation: Literal["strip", "keep"] = Field(
        default="strip", description="strip: leave it out, but for ' and - within a word; keep: each sign is its own word"
    )


class Words(Vocabulary):
    """A token for every word that is frequent enough; all others are `[unknown]`.

    A word is a run of letters, their marks, and digits. In a script without spaces (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese) each character is a word, with its marks: `max_length` must be as many characters as a sentence has. Sentences
    are written without spaces there. Tibetan is cut into syllables.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.vocabulary:fit_words"

    min_count: int = Field(default=5, ge=1, description="how often a word must occur in the training captions")
    max_size: int | None = Field(default=None, ge=5, description="keep at most this many tokens, the most frequent ones")


class Subwords(Vocabulary):
    """WordPiece: frequent words are tokens, rarer ones are cut into the longest pieces there are. Needs `tokenizers`.

    Source: Schuster & Nakajima, 2012 (https://research.google/pubs/japanese-and-korean-voice-search/); a word is cut from
    left to right, the longest piece first, and a piece within a word is written with ## before it, as BERT does
    (Devlin et al., 2018, https://arxiv.org/abs/1810.04805). A word of more than 100 letters is `[unknown]`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.subwords:fit_subwords"

    size: int = Field(default=8000, ge=5, description="how many tokens at most; every letter is one of them in any case")
    min_count: int = Field(default=2, ge=1, description="how often two pieces must meet to become one")

    def packages(self) -> frozenset[str]:
        """The tokenizer that finds the pieces."""
        return super().packages() | {"tokenizers"}


class Decoding(Component):
    """Base of the ways to find a sentence, token by token. `implementation` is described there."""


class Greedy(Decoding):
    """The likeliest token, one after the other."""

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.decoding:greedy"


class BeamSearch(Decoding):
    """The `width` likeliest beginnings are carried on together; the answer is the likeliest whole sentence.

    Its score is the log probability divided by length ** `length_norm`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.beam:beam_search"

    width: int = Field(default=3, ge=1, le=100)
    length_norm: float = Field(default=0.7, ge=0, le=2, description="0: longer sentences are at a disadvantage; 1: mean")
    no_repeat: int = Field(default=3, ge=0, description="no run of this many tokens occurs twice; 0: repeats are allowed")


class Sample(Decoding):
    """Tokens drawn by their probabilities, the same for the same image."""

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.decoding:sampled"

    temperature: float = Field(default=1.0, gt=0, description="what logits are divided by; below 1 likely tokens gain")
    top_k: int | None = Field(default=None, ge=1, description="draw among the likeliest only")
    seed: int = Field(default=0, ge=0, lt=2**31)


class Captioning(MeasuredTask):
    """A sentence for an image. The loss of an image is the mean over all tokens, ends included, of all its captions of
    -log softmax(s)_y, where the network knows the tokens before.

    With `scheduled_sampling` the network goes on from its own words instead, drawn by their probabilities, for a share of
    the tokens that rises from 0 to this over the first `sampling_steps` batches of a device. Needs a network that can be
    taught step by step (Bengio et al., 2015, https://arxiv.org/abs/1506.03099; a linear schedule).

    With `attention_penalty` the network is asked to look at every place of an image alike in the course of a sentence: the
    mean over the places of (1 - the sum of the attention over the tokens)^2 times this is added to the loss (Xu et al.,
    2015, https://arxiv.org/abs/1502.03044, section 4.2.1, where it is the sum).

    Metrics, with the captions of an image as its references: `bleu_1` to `bleu_4`, `rouge_l`, `meteor`, `cider_d`;
    `perplexity` of the true captions; `exact_match` with one of them; `distinct_captions`, the share of the answers that
    are unlike each other; `mean_words` of an answer. CIDEr-D lies in [0, 10]; METEOR is without synonyms, which need
    WordNet; BLEU is not smoothed, and 0 where no n-gram was found. `metrics` adds metrics of your own, see `Metric`.

    >>> Captioning(captions=5)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Captioning: captions must not exceed the width of the beam; received captions=5, width=3.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.task:CaptioningTask"
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("captions",)
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "perplexity"})

    vocabulary: Vocabulary = Words()
    max_length: int = Field(default=20, ge=1, le=1000, description="tokens of a caption; what is longer is cut off")
    decoding: Decoding = BeamSearch()
    captions: int = Field(default=1, ge=1, le=100, description="how many captions answer for an image, best first")
    scheduled_sampling: float = Field(default=0.0, ge=0, le=1, description="share of tokens that follow the network's own")
    sampling_steps: int = Field(default=1000, ge=1, description="batches until that share is reached")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of each token that goes to all alike")
    attention_penalty: float = Field(default=0.0, ge=0, description="weight of looking at every place alike")

    @model_validator(mode="after")
    def _answers_what_is_found(self) -> "Captioning":
        if isinstance(self.decoding, Greedy) and self.captions > 1:
            raise ValueError(
                f"decoding='greedy' finds a single caption, and BeamSearch several; received captions={self.captions}"
            )
        if isinstance(self.decoding, BeamSearch) and self.captions > self.decoding.width:
            raise ValueError(
                "captions must not exceed the width of the beam; "
                f"received captions={self.captions}, width={self.decoding.width}"
            )
        return self

    def names_to_fit(self) -> Vocabulary:
        """The vocabulary: a captioner tells tokens apart."""
        return self.vocabulary

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics`."""
        return (
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

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch, where the network knows the true tokens before."""
        return ("loss", "perplexity", "token_accuracy")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError where images are mixed, answers must be numbers, or the network says no sentences."""
        self.check_model(experiment.model)
        mixing = [one.kind for one in experiment.augment if isinstance(one, Mixing)]
        export, evaluation = experiment.export, experiment.evaluation
        formats = [one.kind for one in export.formats]
        refused = {
            f"{' and '.join(mixing)} in augment, as there is no caption between two": mixing,
            "evaluation.test_time, as captions have no average": evaluation.test_time,
            "evaluation.ensemble, as captions have no average": evaluation.ensemble,
            "export.temperature, as a caption's score is no share of right answers": export.temperature,
            f"{' and '.join(formats)} in export.formats, which hold no text": formats,
        }
        for what, wanted in refused.items():
            if wanted:
                raise ConfigError(f"captioning goes without {what}", hint=f"leave {what.partition(',')[0]} out")

    def check_model(self, model: Model) -> None:
        """Raises ConfigError where the network says no sentences, or lacks what the loss needs."""
        known = lookup.keywords(lookup.MODELS.path(model.name))
        if known is not None and "max_length" not in known:
            raise ConfigError(
                f"captioning needs a network that says sentences, and {model.name} says none",
                hint=f"set model.name='show_and_tell' or 'show_attend_tell', and model.options.backbone={model.name!r}",
            )
        if model.options.get("max_length", self.max_length) != self.max_length:
            raise ConfigError(
                f"model.options.max_length must be task.max_length, {self.max_length}",
                received=model.options["max_length"],
                hint="leave it out",
            )
        if self.attention_penalty and not model.options.get("attention_maps"):
            raise ConfigError(
                "task.attention_penalty needs a network that tells where it looks",
                received=model.name,
                hint="set model.name='show_attend_tell' and model.options.attention_maps=True",
            )
