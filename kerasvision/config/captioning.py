"""Settings of the captioning task: vocabulary, training, decoding and metrics."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision import introspection, lookup
from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.augmentation import Mixing
from kerasvision.config.base import Component, Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.model import Model
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError


class Vocabulary(Names):
    """Base class of the ways to split captions into tokens. The tokens depend on the training captions alone.

    `[padding]`, `[unknown]`, `[start]` and `[end]` come first, then the others by frequency. A captioner never outputs the
    first three.
    """

    lowercase: bool = Field(default=True, description="convert all letters to lower case")
    punctuation: Literal["strip", "keep"] = Field(
        default="strip", description="strip: remove it, except ' and - within a word; keep: each sign is a word"
    )


class Words(Vocabulary):
    """One token for every word that is frequent enough; all other words are `[unknown]`.

    A word is a run of letters, their marks, and digits. In a script without spaces (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese) each character with its marks is a word, so `max_length` counts characters, and sentences are joined without
    spaces. Tibetan is split into syllables.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.vocabulary:fit_words"

    min_count: int = Field(default=5, ge=1, description="how often a word must occur in the training captions")
    max_size: int | None = Field(default=None, ge=5, description="keep at most this many tokens, the most frequent ones")


class Subwords(Vocabulary):
    """WordPiece: frequent words are tokens, rarer words are split into the longest known pieces. Requires `tokenizers`.

    Source: Schuster & Nakajima, 2012 (https://research.google/pubs/japanese-and-korean-voice-search/). As in BERT
    (Devlin et al., 2018, https://arxiv.org/abs/1810.04805), a word is split from left to right, the longest piece first, and
    a piece that does not begin a word has the prefix ##. A word of more than 100 letters is `[unknown]`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.subwords:fit_subwords"

    size: int = Field(default=8000, ge=5, description="largest number of tokens; every letter is always one of them")
    min_count: int = Field(default=2, ge=1, description="how often two pieces must occur together to be merged")

    def packages(self) -> frozenset[str]:
        """The package that finds the pieces."""
        return super().packages() | {"tokenizers"}


class Decoding(Component):
    """Base class of the ways to generate a sentence, token by token.

    `implementation` has the interface that `kerasvision.tasks.captioning.decoding` describes.
    """


class Greedy(Decoding):
    """Takes the most likely token at each step."""

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.decoding:greedy"


class BeamSearch(Decoding):
    """Extends the `width` most likely beginnings at each step, and returns the complete sentence with the best score.

    The score is the log probability divided by length ** `length_norm`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.beam:beam_search"

    width: int = Field(default=3, ge=1, le=100, description="unfinished captions that are kept after each token")
    length_norm: float = Field(default=0.7, ge=0, le=2, description="0: the sum, which favours short sentences; 1: the mean")
    no_repeat: int = Field(default=3, ge=0, description="no run of this many tokens occurs twice; 0: repeats are allowed")


class Sample(Decoding):
    """Draws tokens by their probabilities; the same image always gets the same draws."""

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.decoding:sampled"

    temperature: float = Field(default=1.0, gt=0, description="divides the logits; below 1, likely tokens become likelier")
    top_k: int | None = Field(default=None, ge=1, description="draw from this many most likely tokens only")
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="of the random numbers; the same seed and image give the same caption"
    )


class Captioning(MeasuredTask):
    """Describe an image in a sentence. The loss of an image is the mean of -log softmax(s)_y over all tokens of all its
    captions, including `[end]`; the network receives the true previous tokens.

    With `scheduled_sampling`, a share of the previous tokens is instead drawn from the network's own probabilities. The
    share rises linearly from 0 to this value over the first `sampling_steps` batches of a device. Requires a network that
    can be trained step by step (Bengio et al., 2015, https://arxiv.org/abs/1506.03099).

    `attention_penalty` makes the network look at every place of an image equally over a sentence. It adds this weight
    times the mean over the places of (1 - the sum of the attention over the tokens)^2 to the loss (Xu et al., 2015,
    https://arxiv.org/abs/1502.03044, section 4.2.1, which takes the sum instead of the mean).

    Metrics, with the captions of an image as its references: `bleu_1` to `bleu_4`, `rouge_l`, `meteor`, `cider_d`;
    `perplexity` of the true captions; `exact_match` with one of them; `distinct_captions`, the share of different
    captions among the answers; `mean_words` of an answer. CIDEr-D is in [0, 10]. METEOR does not match synonyms, which
    requires WordNet. BLEU is not smoothed: it is 0 if no n-gram matches. `metrics` adds metrics of your own, see `Metric`.

    >>> Captioning(captions=5)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Captioning: captions must not exceed the width of the beam; received captions=5, width=3.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.captioning.task:CaptioningTask"
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("captions",)
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = frozenset()
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"captions"})
    used_with: ClassVar[Mapping[str, Needs]] = {"sampling_steps": Needs("scheduled_sampling")}
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "perplexity"})

    vocabulary: Vocabulary = Field(default=Words(), description="which tokens the captions are made of")
    max_length: int = Field(default=20, ge=1, le=1000, description="most tokens of a caption; the rest is cut off")
    decoding: Decoding = Field(default=BeamSearch(), description="how a caption is found from the network's scores")
    captions: int = Field(default=1, ge=1, le=100, description="how many captions to return per image, best first")
    scheduled_sampling: float = Field(default=0.0, ge=0, le=1, description="share of previous tokens that are generated")
    sampling_steps: int = Field(default=1000, ge=1, description="batches until that share is reached")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of each target spread over all tokens")
    attention_penalty: float = Field(default=0.0, ge=0, description="weight of the loss for unequal attention to places")

    @model_validator(mode="after")
    def _answers_what_is_found(self) -> "Captioning":
        if isinstance(self.decoding, Greedy) and self.captions > 1:
            raise ValueError(
                f"decoding='greedy' finds one caption; several require BeamSearch; received captions={self.captions}"
            )
        if isinstance(self.decoding, BeamSearch) and self.captions > self.decoding.width:
            raise ValueError(
                "captions must not exceed the width of the beam; "
                f"received captions={self.captions}, width={self.decoding.width}"
            )
        return self

    def names_to_fit(self) -> Vocabulary:
        """The vocabulary: the names are its tokens."""
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

    def headline_metric(self) -> str:
        """CIDEr-D, which was made for captions of images."""
        return "cider_d"

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; the network receives the true previous tokens."""
        return ("loss", "perplexity", "token_accuracy")

    def training_headline_metric(self) -> str:
        """The share of right tokens; the perplexity says the same as the loss."""
        return "token_accuracy"

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if images are mixed, a setting requires numeric answers, or the network has no decoder."""
        self.check_model(experiment.model)
        mixing = [one.kind for one in experiment.augment if isinstance(one, Mixing)]
        export, evaluation = experiment.export, experiment.evaluation
        formats = [one.kind for one in export.formats]
        refused = {
            f"{' and '.join(mixing)} in augment, as captions cannot be mixed": mixing,
            "evaluation.test_time, as captions cannot be averaged": evaluation.test_time,
            "evaluation.ensemble, as captions cannot be averaged": evaluation.ensemble,
            "export.test_time, as captions cannot be averaged": export.test_time,
            "export.temperature, as a caption's score is not the probability that it is right": export.temperature,
            "export.precision, which requires a network with one input": export.precision,
            f"{' and '.join(formats)} in export.formats, which cannot output text": formats,
        }
        for what, wanted in refused.items():
            if wanted:
                raise ConfigError(f"captioning does not support {what}", hint=f"leave {what.partition(',')[0]} out")

    def check_model(self, model: Model) -> None:
        """Raises ConfigError if the network does not write sentences, or lacks what the loss needs."""
        known = introspection.keywords(lookup.MODELS.path(model.name))
        if known is not None and "max_length" not in known:
            raise ConfigError(
                f"captioning requires a network that writes sentences, which {model.name} does not",
                hint=f"set model.name='show_and_tell' or 'show_attend_tell', and model.options.backbone={model.name!r}",
            )
        if model.options.get("max_length", self.max_length) != self.max_length:
            raise ConfigError(
                f"model.options.max_length must equal task.max_length, {self.max_length}",
                received=model.options["max_length"],
                hint="leave it out",
            )
        if self.attention_penalty and not model.options.get("attention_maps"):
            raise ConfigError(
                "task.attention_penalty requires a network that outputs its attention maps",
                received=model.name,
                hint="set model.name='show_attend_tell' and model.options.attention_maps=True",
            )
