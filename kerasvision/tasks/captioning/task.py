"""Captioning as a task: trains on all captions of an image in the same step, and serves sentences."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.errors import ConfigError, DataError
from kerasvision.tasks.base import Ask, Batch, ExtraSignature, Illustration, Judgement, Objective, Predictions, Task
from kerasvision.tasks.captioning import answers, pictures
from kerasvision.tasks.captioning.codec import Codec
from kerasvision.tasks.captioning.judging import judged_captions
from kerasvision.tasks.captioning.losses import Perplexity, TokenAccuracy, caption_losses, logits_of
from kerasvision.tasks.captioning.sampling import taught_network


class CaptioningTask(Task):
    """A sentence for an image; the classes are the tokens of the vocabulary.

    Attributes:
        codec: converts captions to token numbers and back.
    """

    settings: c.Captioning

    def __init__(self, settings: c.Captioning, classes: Sequence[str]) -> None:
        super().__init__(settings, classes)
        self.codec = Codec(self.classes, settings)
        self._plain: keras.Model | None = None

    def encode(self, batch: Batch) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        """((images, tokens int32 (N, K, T)), targets int32 (N, K, T)) with T = max_length + 1; see `inputs_and_targets`.

        Raises:
            DataError: the examples have no captions.
            ConfigError: images were mixed.
        """
        if "captions" not in batch:
            raise DataError(
                "captioning requires captions for every image; these images have none",
                hint="choose a source with captions, or another task",
            )
        if "label_shares" in batch:
            raise ConfigError("captions cannot be mixed", hint="remove augmentations that mix images")
        tokens, targets = self.codec.encode(batch["captions"])
        return (batch["image"], tokens), targets

    def with_one_answer(self, batch: Batch) -> Batch:
        """The first caption of each image: `captions` string (N, K) becomes (N, 1)."""
        return {**batch, "captions": batch["captions"][:, :1]} if "captions" in batch else batch

    def build(self, model: c.Model, *, image_shape: tuple[int, int, int]) -> keras.Model:
        """The named captioner with a logit per token; with scheduled sampling, it also receives its own words."""
        self.settings.check_model(model)
        options = {**model.options, "max_length": self.settings.max_length}
        self._plain = network = models.build(
            model.name,
            image_shape=image_shape,
            num_classes=len(self.classes),
            weights=model.weights,
            classes=self.classes,
            **options,
        )
        return taught_network(network, self.settings) if self.settings.scheduled_sampling else network

    def trained(self, model: keras.Model) -> keras.Model:
        """The captioner itself, without scheduled sampling."""
        return model if self._plain is None else self._plain

    def objective(self) -> Objective:
        """The loss of the settings; perplexity and token accuracy, given the true tokens before each token."""
        return Objective(caption_losses(self.settings), [Perplexity(), TokenAccuracy()], logits_of)

    def predictor(self, model: keras.Model, *, temperature: float = 1.0) -> Callable[[tf.Tensor], Predictions]:
        """`captions` string (N, K) and `scores` float32 (N, K), the best first; see `answers.predictor`."""
        return answers.predictor(model, codec=self.codec, settings=self.settings)

    def output_descriptions(self) -> dict[str, str]:
        """A line about each output of the predictor."""
        return answers.DESCRIPTIONS

    def extra_signatures(self, model: keras.Model, *, temperature: float = 1.0) -> dict[str, ExtraSignature]:
        """The likelihood of given captions; and where the network looks, if it has attention."""
        return answers.extra_signatures(model, codec=self.codec, settings=self.settings)

    def evaluation_inputs(self, batch: Batch) -> Mapping[str, Mapping[str, tf.Tensor]]:
        """The true captions, string (N, K), to ask for their likelihood."""
        return answers.evaluation_inputs(batch)

    def truth(self, batch: Batch) -> np.ndarray:
        """The captions of each image, object (N,) of tuples of str, from `captions` string (N, K).

        Raises:
            DataError: the examples have no captions.
        """
        if "captions" not in batch:
            raise DataError("judging captions requires captions; these examples have none")
        rows = batch["captions"]
        rows = rows.to_list() if isinstance(rows, tf.RaggedTensor) else rows.numpy().tolist()
        truth = np.empty(len(rows), object)
        truth[:] = [tuple(caption.decode() for caption in row if caption) for row in rows]
        return truth

    def judge(self, *, ids: Sequence[str], truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Judgement:
        """All of `Captioning.metric_names` that have a value.

        `truth` is object (N,) of tuples of str. Of `predictions`, `captions` is object (N, K) of bytes, `scores` float32
        (N, K), `log_likelihoods` float32 (N, C) and `tokens` int32 (N, C); see `judged_captions`.
        """
        return judged_captions(ids=ids, truth=truth, predictions=predictions, added=self.settings.metrics)

    def caption(self, row: pd.Series) -> str:
        """The first caption by people → the answer."""
        return pictures.caption_line(row)

    def illustrations(self, rows: pd.DataFrame, *, ask: Ask) -> list[Illustration]:
        """Each row with its captions, and where the network looked for each word, if the model says so."""
        return pictures.illustrations(rows, ask=ask)
