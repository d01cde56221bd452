"""Settings of reconstruction: a network restores its own image from a code, so it needs no labels."""

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from kerasvision import introspection, lookup
from kerasvision.config.base import Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.network_options import bottleneck_sizes
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError

# The scales that can be undone, so that a restored image can be shown.
SCALES = ("zero_to_one", "minus_one_to_one", "zero_mean", "standardize", "whiten")
# With noise, these metrics measure what the network makes of noisy images.
DENOISED = "denoised_"
ERRORS = ("mse", "mae", "psnr", "ssim")


class NoClasses(Names):
    """The names of a network without classes: there are none, also if the images have labels."""

    implementation: ClassVar[str] = "kerasvision.tasks.reconstruction.names:no_classes"


class Reconstruction(MeasuredTask):
    """Restore each image from a code of it: an autoencoder. It needs no labels, and ignores those that the images have.

    With the D numbers x of an image as the network receives it (scaled, after augmentation), the network's output y and its
    code h of K numbers, the losses of an image are:

    - `l2`: the mean of (x - y)^2 over the D numbers; `l1`: the mean of |x - y|
    - `binary_cross_entropy`: the mean of -(x * log p + (1 - x) * log(1 - p)), with p = sigmoid(y). It requires numbers in
      [0, 1], and the restored image is p (Vincent et al., 2008, https://doi.org/10.1145/1390156.1390294, equation 2, with
      the sum instead of the mean)

    `sparsity` adds this weight times the mean of |h| over the K numbers. So most numbers of a code become small.

    With `noise`, the network receives a noisy image and must restore the clean one (Vincent et al., 2008, section 2.3). The
    noise of a training image depends on `noise_seed` and on its place in the training, so a resumed training sees the same
    noise. An evaluation adds noise that depends on the image alone. `noise_amount` is, with the kinds of noise

    - `gaussian`: the standard deviation, with black at 0 and white at 1
    - `masking`: the probability that a pixel becomes black, in all channels. The paper takes exactly this share of them
    - `salt_and_pepper`: the probability that a pixel becomes white or black, both with the same probability

    The numbers of a mixed image are its targets too, so MixUp and CutMix are possible where the images have labels.

    Metrics, of the image as the network sees it, with black at 0 and white at 1. They are computed for each image, and
    averaged over the images: `mse`, the mean squared error; `mae`, the mean absolute error; `psnr`, the peak signal-to-noise
    ratio -10 * log10(mse) in dB, at most 100; `ssim`, the structural similarity in windows of 11 pixels (Wang et al., 2004,
    https://doi.org/10.1109/TIP.2003.819861). With noise, `mse` to `ssim` are those of clean images. `denoised_mse`,
    `denoised_mae`, `denoised_psnr` and `denoised_ssim` compare what was restored from noisy images with the clean ones, and
    `noisy_psnr` compares the noisy images with them. `metrics` adds metrics of your own, see `Metric`.

    >>> Reconstruction(noise_amount=0.3)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Reconstruction: noise_amount requires noise; received noise_amount=0.3, noise=None. ...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.reconstruction.task:ReconstructionTask"
    used_with: ClassVar[Mapping[str, Needs]] = {"noise_amount": Needs("noise"), "noise_seed": Needs("noise")}
    has_simple_models: ClassVar[bool] = True
    reads: ClassVar[frozenset[ExamplePart]] = frozenset()
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "mse", "mae", "denoised_mse", "denoised_mae"})

    bottleneck: int | str | None = Field(
        default=None,
        description="how many numbers the code has: 64; '256-64' has a dense layer of 256 units on both sides of it; None: "
        "the code is the last map of the backbone",
    )
    loss: Literal["l2", "l1", "binary_cross_entropy"] = Field(
        default="l2", description="what the training minimises; the formulas are in the description of the class"
    )
    sparsity: float = Field(default=0.0, ge=0, description="weight of the mean absolute value of the code in the loss")
    noise: Literal["gaussian", "masking", "salt_and_pepper"] | None = Field(
        default=None,
        description="what is added to the network's images, but not to those that it must restore; None: nothing",
    )
    noise_amount: float | None = Field(
        default=None, gt=0, le=1, description="how much noise; see the description of the class. None with noise: 0.25"
    )
    noise_seed: int = Field(default=0, ge=0, lt=2**31, description="another number gives other noise")

    @field_validator("bottleneck")
    @classmethod
    def _sizes(cls, bottleneck: int | str | None) -> int | str | None:
        sizes = bottleneck_sizes(bottleneck)
        return sizes[0] if len(sizes) == 1 else bottleneck

    @property
    def amount(self) -> float:
        """How much noise there is; 0 without."""
        return 0.0 if self.noise is None else 0.25 if self.noise_amount is None else self.noise_amount

    @property
    def code_size(self) -> int | None:
        """How many numbers the code has; None if it is a map."""
        sizes = bottleneck_sizes(self.bottleneck)
        return sizes[-1] if sizes else None

    def names_to_fit(self) -> NoClasses:
        """The network has no classes."""
        return NoClasses()

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics`."""
        return ERRORS if self.noise is None else (*ERRORS, *(f"{DENOISED}{name}" for name in ERRORS), "noisy_psnr")

    def headline_metric(self) -> str:
        """The mean squared error; with noise, that of what was restored from noisy images."""
        return "mse" if self.noise is None else f"{DENOISED}mse"

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; the mean squared error on the validation split only."""
        return ("loss", self.headline_metric())

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if a network returns no code, the images cannot be restored, or a setting needs other answers.

        Warns if the code has as many numbers as the image.
        """
        self._check_network(experiment)
        self._check_scale(experiment.transform.scale_name)
        export, evaluation = experiment.export, experiment.evaluation
        refused = {
            "training.features='once', as the images are replaced by maps": experiment.training.features == "once",
            "export.temperature, as an image has no probability": export.temperature,
            "export.test_time, as views are restored in other places": export.test_time,
            "evaluation.test_time, as an evaluation keeps errors and no images": evaluation.test_time,
            "evaluation.ensemble, as an evaluation keeps errors and no images": evaluation.ensemble,
        }
        for what, wanted in refused.items():
            if wanted:
                raise ConfigError(f"reconstruction does not support {what}", hint=f"remove {what.partition(',')[0]}")
        height, width, channels = experiment.transform.image_shape
        numbers = height * width * channels
        if self.code_size is not None and self.code_size >= numbers:
            warnings.warn(
                f"task.bottleneck={self.bottleneck!r} keeps {self.code_size:,} numbers of an image that has {numbers:,}: "
                "the network may copy it and learn nothing, unless task.noise or task.sparsity prevents that",
                stacklevel=2,
            )

    def _check_network(self, experiment: Surroundings) -> None:
        model = experiment.model
        known = introspection.keywords(lookup.MODELS.path(model.name))
        if known is not None and "bottleneck" not in known:
            raise ConfigError(
                f"reconstruction requires a network that restores images, which {model.name} does not",
                hint=f"set model.name='autoencoder', and model.options.backbone={model.name!r}",
            )
        if model.options.get("bottleneck", self.bottleneck) != self.bottleneck:
            raise ConfigError(
                f"model.options.bottleneck must equal task.bottleneck, {self.bottleneck!r}",
                received=model.options["bottleneck"],
                hint="leave it out, and set task.bottleneck",
            )
        if self.bottleneck is not None and model.options.get("code_channels") is not None:
            raise ConfigError(
                f"model.options.code_channels is for a code that is a map; received task.bottleneck={self.bottleneck!r}",
                hint="leave one of them out",
            )

    def _check_scale(self, scale: str) -> None:
        if self.loss == "binary_cross_entropy" and scale != "zero_to_one":
            raise ConfigError(
                f"task.loss='binary_cross_entropy' requires numbers in [0, 1]; received transform.scale={scale!r}",
                hint="set transform.scale='zero_to_one', or task.loss='l2'",
            )
        if scale not in SCALES:
            raise ConfigError(
                f"reconstruction requires a scale that it can undo, {', '.join(SCALES)}; received transform.scale={scale!r}",
                hint="set transform.scale='zero_to_one'",
            )
