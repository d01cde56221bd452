"""Settings of generation: a network that makes images like those of a data set."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from kerasvision import lookup
from kerasvision.config.augmentation import Mixing
from kerasvision.config.base import Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.generator_sizes import check_couplings, halvings
from kerasvision.config.listing import list_files
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Surroundings
from kerasvision.errors import ConfigError

# The metric of a single class, whose name follows in brackets.
OF_A_CLASS = "agreement"
# The networks of our table, with the loss that each is made for.
LOSSES = {"vae": "elbo", "dcgan": "adversarial"}


class Generation(MeasuredTask):
    """Make images like those of the data set, from random numbers z and, if it is `conditional`, from the class y asked for.

    The losses of an image x of D values in [0, 1] are:

    - `elbo`, for a variational autoencoder: the negative evidence lower bound in nats, -E[log p(x | z, y)] + KL(q(z | x) ||
      N(0, 1)), with one draw of z, and KL = sum(mean^2 + variance - log variance - 1) / 2 (Kingma & Welling, 2014,
      https://arxiv.org/abs/1312.6114, equations 7 and 10). With couplings, `vae` also learns the prior p(z | y); KL is
      then -log p(z | y) of this draw, minus the entropy of q. With `pixel_deviation` None, p is a Bernoulli distribution of
      each value, as in the paper's section C.1. Grey values are not bits, so this is then a bound on no likelihood of
      images (Loaiza-Ganem & Cunningham, 2019, https://arxiv.org/abs/1907.06845). With a number, p is normal with this
      deviation.
    - `adversarial`, for a generator G and a discriminator of logits D: the discriminator learns from softplus(-D(x)) +
      softplus(D(G(z))), and the generator from softplus(-D(G(z))), the non-saturating loss (Goodfellow et al., 2014,
      https://arxiv.org/abs/1406.2661, section 3). Both learn at once, each from its own gradient. `training.optimizer`
      updates both: Adam keeps its moments for each weight, so it does what two optimizers with equal settings do. The paper
      of DCGAN has Adam(learning_rate=2e-4, beta_1=0.5). `loss` is the sum of both.

    An evaluation asks the served model for as many samples as there are test images, of the same classes. Distances are
    Euclidean between the first 64 principal components of the training images' values in [0, 1]. Metrics:

    - `frechet_distance`, |m - n|^2 + tr(S + T - 2 (S T)^(1/2)), for the means m, n and covariances S, T of samples and test
      images (Heusel et al., 2017, https://arxiv.org/abs/1706.08500, equation 6, there with features of a network);
      `frechet_of_images`, the same of as many training images: a perfect generator reaches about this
    - `novelty`, the median distance of a sample to the nearest training image, divided by that of the test images: near 0
      for a model that copies, and near 1 for images like unseen ones
    - `diversity`, the mean distance of two samples of a class, divided by that of two test images: 0 for a model that
      always makes one image, and 1 for one that is as diverse as the data
    - with `elbo`, means over test images: `negative_elbo`, and its parts `reconstruction_loss` and `kl_divergence`, in nats
      per image; `reconstruction_error`, the mean squared error of the values of an image that is restored from the mean of
      its code
    - with a `classifier`: `agreement`, the share of samples that it gives the class asked for, and for each class
      `agreement[cat]`; `agreement_of_images`, the share of test images that it gives their own class

    `metrics` adds metrics of your own; their truth is the class number int64 (N,), and their answers are the samples, uint8
    (N, H, W, C).

    >>> Generation(loss="adversarial", kl_weight=0.5)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Generation: kl_weight requires loss='elbo'; received kl_weight=0.5, loss=...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.generation.task:GenerationTask"
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"label"})
    used_with: ClassVar[Mapping[str, Needs]] = {
        **dict.fromkeys(("kl_weight", "pixel_deviation"), Needs("loss", ("elbo",))),
        "sample_temperature": Needs("loss", ("elbo",)),
        "classifier": Needs("conditional", (True,)),
    }
    locations: ClassVar[frozenset[str]] = frozenset({"classifier"})
    best_when_smaller: ClassVar[frozenset[str]] = frozenset(
        {
            *("loss", "reconstruction_loss", "kl_divergence", "generator_loss", "discriminator_loss"),
            *("frechet_distance", "frechet_of_images", "negative_elbo", "reconstruction_error"),
        }
    )

    loss: Literal["elbo", "adversarial"] = Field(
        description="what the training minimises; the formulas are in the description of the class"
    )
    conditional: bool = Field(default=False, description="whether a class can be asked for; the images need labels then")
    latent_size: int = Field(default=20, ge=1, le=4096, description="how many random numbers an image is made of")
    kl_weight: float = Field(
        default=1.0, gt=0, description="factor on the divergence in the training loss (beta of Higgins et al., 2017)"
    )
    pixel_deviation: float | None = Field(
        default=None, gt=0, description="deviation of a normal distribution of each value in [0, 1]; None: Bernoulli"
    )
    sample_temperature: float = Field(
        default=1.0,
        gt=0,
        description="factor on the random numbers of a sample: below 1, samples are more typical and less diverse (Kingma & "
        "Dhariwal, 2018, https://arxiv.org/abs/1807.03039, section 6); the weights do not depend on it",
    )
    classifier: Path | None = Field(
        default=None,
        description="the SavedModel folder of a classifier with the same classes, which an evaluation asks for the classes "
        "of the samples; None: it does not ask",
    )

    @property
    def requires(self) -> tuple[AnnotationKind, ...]:  # type: ignore[override]  # it depends on a field
        """Labels, if a class can be asked for."""
        return ("labels",) if self.conditional else ()

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics` and those of single classes."""
        bound = ("negative_elbo", "reconstruction_loss", "kl_divergence", "reconstruction_error")
        return (
            "frechet_distance",
            "frechet_of_images",
            "novelty",
            "diversity",
            *(bound if self.loss == "elbo" else ()),
            *(("agreement", "agreement_of_images") if self.classifier else ()),
        )

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch: the loss, and its two parts."""
        if self.loss == "elbo":
            return ("loss", "reconstruction_loss", "kl_divergence")
        return ("loss", "generator_loss", "discriminator_loss")

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        of_a_class = self.classifier is not None and name.startswith(f"{OF_A_CLASS}[") and name.endswith("]")
        if name not in self.metric_names() and not of_a_class:
            known = (*self.metric_names(), *([f"{OF_A_CLASS}[class]"] if self.classifier else ()))
            raise ConfigError(f"generation has no metric {name!r}; {lookup.did_you_mean(name, known)}")

    def without_added_metrics(self) -> Self:
        """The task that all stages except the evaluator receive: without `metrics` and `classifier`."""
        return super().without_added_metrics().model_copy(update={"classifier": None})

    def files(self) -> Iterator[tuple[str, Path]]:
        """Everything in the folder of the classifier.

        Raises:
            ConfigError: it is not the folder of a SavedModel.
        """
        yield from super().files()
        if self.classifier is None:
            return
        if not (self.classifier / "saved_model.pb").is_file():
            raise ConfigError(
                f"task.classifier must be a folder with a saved_model.pb (looked in {Path.cwd()})",
                received=str(self.classifier),
                hint="name a version, such as saved_models/fashion_mnist_fast/1",
            )
        yield from ((f"classifier/{name}", file) for name, file in list_files(self.classifier))

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if the network makes no images, or not of this size, or a setting requires other answers."""
        name = experiment.model.name
        if ":" not in name:
            _check_network(name, self.loss)
            halvings(experiment.transform.image_size)
            check_couplings(experiment.model.options.get("couplings", 0), latent_size=self.latent_size)
        if experiment.transform.scale_name != "zero_to_one":
            raise ConfigError(
                "generation requires transform.scale='zero_to_one', the values of the images that the network makes",
                received=experiment.transform.scale_name,
                hint="remove transform.scale",
            )
        for what, wanted in _unsupported(experiment).items():
            if wanted:
                raise ConfigError(f"generation does not support {what}", hint=f"remove {what.partition(',')[0]}")


def _check_network(name: str, loss: str) -> None:
    if name not in LOSSES:
        raise ConfigError(
            f"generation requires a network that makes images, which {name} does not",
            hint=f"set model.name to one of {', '.join(LOSSES)}",
        )
    if LOSSES[name] != loss:
        fitting = next(one for one, made_for in LOSSES.items() if made_for == loss)
        raise ConfigError(
            f"{name} learns from task.loss={LOSSES[name]!r}", received=loss, hint=f"or set model.name={fitting!r}"
        )


def _unsupported(experiment: Surroundings) -> dict[str, Any]:
    """What the task does not support -> whether the experiment has it."""
    evaluation, export = experiment.evaluation, experiment.export
    mixing = [one.kind for one in experiment.augment if isinstance(one, Mixing)]
    return {
        f"{' and '.join(mixing)} in augment, as samples would be mixed images": mixing,
        "model.weights, as both losses train from random weights": experiment.model.weights,
        "export.temperature, as a sample has no scores": export.temperature,
        "export.test_time, as a sample has no views": export.test_time,
        "export.precision, which requires a network with one input": export.precision,
        "export.formats, as only a SavedModel has the signature that makes images": export.formats,
        "evaluation.test_time, as a sample has no views": evaluation.test_time,
        "evaluation.ensemble, as the samples of several models have no average": evaluation.ensemble,
    }
