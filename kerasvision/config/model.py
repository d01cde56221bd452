"""Which network is trained, with which options and initial weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from kerasvision import introspection, lookup
from kerasvision.backbone_options import backbone_of
from kerasvision.config.base import Dependent
from kerasvision.config.fitting_weights import check_kind, check_level, check_width
from kerasvision.config.keras_files import file_fault, hdf5_fault
from kerasvision.config.network_options import check_units
from kerasvision.config.packaged import packaged_file
from kerasvision.config.published import IMAGENET, PACKAGED, WITH_IMAGENET, origin_of
from kerasvision.config.search import Scalar
from kerasvision.config.tensor_files import ENDINGS, is_tensor_file, tensors_in
from kerasvision.config.torch_names import check_names
from kerasvision.config.warm_start import LATEST
from kerasvision.errors import ConfigError


class Model(Dependent):
    """A network of `kerasvision.models` by name, or any builder by its dotted path, with its options.

    >>> Model(name="lenet5", options={"activatoin": "relu"})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: lenet5 has no option 'activatoin'; did you mean 'activation'?
    """

    name: str = Field(
        description="a network's name (kerasvision models list), or 'module:function' of a builder of your own"
    )
    weights: str | None = Field(
        default=None,
        description="initial weights: 'imagenet', or the path of a .h5 file in the layout of keras.applications, of a "
        ".safetensors or .pth file of torchvision or timm, or of the .keras file of an earlier training; 'latest': those of "
        "the last blessed model of this pipeline; None: random initialisation",
    )
    options: dict[str, Scalar | tuple[Scalar, ...]] = Field(
        default_factory=dict, description="keyword arguments of the network's builder, such as activation"
    )

    @field_validator("weights")
    @classmethod
    def _weights_are_of_a_kind(cls, weights: str | None) -> str | None:
        if weights in (None, IMAGENET, LATEST) or weights.endswith((".h5", ".keras", *ENDINGS)):
            return weights
        raise ConfigError(
            f"weights must be 'imagenet', 'latest', or a file that ends in .h5, .keras, {', '.join(ENDINGS)}",
            received=weights,
            hint="a SavedModel cannot be used; the trainer writes its network to Format-Keras/model.keras in its folder",
        )

    @model_validator(mode="after")
    def _weights_can_fit(self) -> "Model":
        if self.backbone is not self:
            return self  # the backbone checked its weights when it was made
        name = self._own_name
        if self.weights == IMAGENET and not origin_of(name):
            raise ConfigError(
                f"no weights are published for {name} that 'imagenet' can fetch; {lookup.did_you_mean(name, WITH_IMAGENET)}",
                hint=f"there are such weights for {', '.join(WITH_IMAGENET)}, and for every network of keras.applications, "
                f"such as {next(iter(lookup.OF_KERAS))}. model.weights may also be a file, such as timm's .safetensors",
            )
        if self.weights_file is not None and self.weights_file.suffix != ".keras":
            check_kind(name, self.weights_file)
        if self.weights is not None:
            check_width(name, self.weights, self.options)
        return self

    @model_validator(mode="after")
    def _options_exist(self) -> "Model":
        known = introspection.keywords(lookup.MODELS.path(self.name))
        for option in self.options:
            if known is not None and option not in known - {"image_shape", "num_classes"}:
                hint = lookup.did_you_mean(option, known - {"image_shape", "num_classes"})
                another = "" if hint.endswith("?") else "set model.options={} to drop the options of another network"
                raise ConfigError(f"{self.name} has no option {option!r}; {hint}", hint=another)
        return self

    @model_validator(mode="after")
    def _options_have_possible_values(self) -> "Model":
        name = self._own_name
        if name in lookup.OPTION_CHECKS:
            lookup.OPTION_CHECKS.load(name)(self.options)
        elif ":" not in name and name not in lookup.OF_KERAS:
            check_units(name, self.options)
        return self

    @property
    def _own_name(self) -> str:
        """The short name of the network, or the path of a builder that has none."""
        return lookup.MODELS.name(lookup.MODELS.path(self.name))

    @property
    def backbone(self) -> "Model":
        """The settings of this network's backbone, with its part of the options; `self` if it has no backbone."""
        found = backbone_of(self.name, self.options)
        return self if found is None else Model.parse({"name": found[0], "weights": self.weights, "options": found[1]})

    @property
    def weights_file(self) -> Path | None:
        """The file that `weights` names; None if it names none."""
        return None if self.weights in (None, IMAGENET, LATEST) else Path(self.weights)

    @property
    def option_files(self) -> dict[str, Path]:
        """The options that name a file of a trained network, by the ending of their text.

        >>> list(Model(name="fast_rcnn", options={"proposer": "rpn.keras", "hidden": 8}).option_files)
        ['proposer']
        """
        named = {name: value for name, value in self.options.items() if isinstance(value, str)}
        return {name: Path(value) for name, value in named.items() if value.endswith(".keras")}

    def identity(self) -> dict[str, Any]:
        """A file of weights, and a file that an option names, counts by its content, not by its path."""
        found = super().identity()
        options = {**found["options"], **dict.fromkeys(self.option_files, "a file")}
        return {**found, "options": options, "weights": "a file" if self.weights_file else self.weights}

    def files(self) -> Iterator[tuple[str, Path]]:
        """The files of weights and of options, if there are any. A file that Keras keeps in its cache is not listed.

        Raises:
            ConfigError: it does not exist, its package is not installed, its first bytes or list of contents show that it is
                not a file of weights, or the names of its tensors are those of another network.
        """
        name = self.backbone._own_name
        if self.weights == IMAGENET and name in PACKAGED:
            yield "weights", packaged_file(name)
        if self.weights_file is not None:
            _check_file("weights", self.weights_file, hint="set model.weights to a file, to 'imagenet', or to None")
            if is_tensor_file(self.weights_file):
                check_names(name, tensors_in(self.weights_file), self.weights_file)
            yield "weights", self.weights_file
        for option, file in self.option_files.items():
            _check_file(option, file, hint=f"set model.options.{option} to a file, or leave it out")
            yield f"options.{option}", file

    def check_level(self, level: str) -> None:
        """Raises ConfigError if the network has no such level, as far as that is known by its name."""
        check_level(self.backbone._own_name, level)

    def code_paths(self) -> frozenset[str]:
        """The paths of the builder and of its backbone's builder."""
        return frozenset({lookup.MODELS.path(self.name), lookup.MODELS.path(self.backbone.name)})


def _check_file(what: str, file: Path, *, hint: str) -> None:
    """Raises ConfigError if there is no such file, or its first bytes or list of contents show that it is another one."""
    if not file.exists():
        raise ConfigError(f"there is no {what} file {file} (looked in {Path.cwd()})", hint=hint)
    if is_tensor_file(file):
        return  # its tensors are read next
    fault = (file_fault if file.suffix == ".keras" else hdf5_fault)(file)
    if fault is not None:
        raise ConfigError(f"the {what} file {file} {fault.reason}", hint=fault.hint)
