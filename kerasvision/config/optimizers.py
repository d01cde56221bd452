"""Optimizers, which decide how a training step changes the weights. All but Muon are Keras' own.

The rule of each is in cs231n's notes (https://cs231n.github.io/neural-networks-3/#update) or in the paper named.
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Component, Needs


class Optimizer(Component):
    """Base class of all optimizers. `implementation` is a class that takes the settings' fields as keyword arguments.

    `weight_decay` is not one of these arguments, and works with any Keras optimizer. It is decoupled (Loshchilov & Hutter,
    2017, https://arxiv.org/abs/1711.05101): before its update, a weight is multiplied by 1 - learning rate x weight_decay.
    Biases, and the scales and shifts of normalisations, do not decay. See `Training.l2` for L2 regularisation.
    """

    # Whether it can update some rows of a weight, and leave the other rows and their state as they are.
    updates_rows: ClassVar[bool] = False

    learning_rate: float = Field(gt=0, description="peak learning rate; the schedule multiplies it by a factor")
    weight_decay: float = Field(
        default=0.0, ge=0, description="a step shrinks each weight by the share learning_rate x weight_decay"
    )


class Sgd(Optimizer):
    """Stochastic gradient descent, optionally with momentum, classical or Nesterov's."""

    implementation: ClassVar[str] = "keras.optimizers:SGD"
    updates_rows: ClassVar[bool] = True
    used_with: ClassVar[Mapping[str, Needs]] = {"nesterov": Needs("momentum")}

    learning_rate: float = Field(
        default=0.01, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="share of the last step that is added to the next one")
    nesterov: bool = Field(default=False, description="use Nesterov's momentum")


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far (Duchi et al., 2011, JMLR 12).

    Keras starts that sum at 0.1. `initial_accumulator_value=0` gives the rule of cs231n's notes.
    """

    implementation: ClassVar[str] = "keras.optimizers:Adagrad"

    learning_rate: float = Field(
        default=0.01, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    initial_accumulator_value: float = Field(default=0.1, ge=0, description="start of the sum of squared gradients")
    epsilon: float = Field(default=1e-7, gt=0, description="added to the divisor, so that it is not 0")


class RmsProp(Optimizer):
    """Steps divided by the root of a running mean of squared gradients (Hinton, 2012, Coursera, lecture 6e)."""

    implementation: ClassVar[str] = "keras.optimizers:RMSprop"

    learning_rate: float = Field(
        default=1e-3, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    rho: float = Field(default=0.9, ge=0, lt=1, description="share of the running mean that a step keeps")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="share of the last step that is added to the next one")
    epsilon: float = Field(default=1e-7, gt=0, description="added to the divisor, so that it is not 0")
    centered: bool = Field(default=False, description="divide by the standard deviation, not by the root mean square")


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2014, https://arxiv.org/abs/1412.6980, algorithm 1)."""

    implementation: ClassVar[str] = "keras.optimizers:Adam"
    updates_rows: ClassVar[bool] = True

    learning_rate: float = Field(
        default=1e-3, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    beta_1: float = Field(default=0.9, ge=0, lt=1, description="share of the mean of gradients that a step keeps")
    beta_2: float = Field(default=0.999, ge=0, lt=1, description="share of the mean of squared gradients that a step keeps")
    epsilon: float = Field(default=1e-7, gt=0, description="added to the divisor, so that it is not 0")


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2017, https://arxiv.org/abs/1711.05101, algorithm 2)."""

    implementation: ClassVar[str] = "keras.optimizers:AdamW"

    weight_decay: float = Field(
        default=4e-3, ge=0, description="a step shrinks each weight by the share learning_rate x weight_decay"
    )


class Lion(Optimizer):
    """Steps of equal size, in the direction of a momentum's sign (Chen et al., 2023, https://arxiv.org/abs/2302.06675,
    algorithm 2).

    The paper uses a learning rate 3 to 10 times smaller than AdamW's, and a weight decay larger by the same factor.
    """

    implementation: ClassVar[str] = "keras.optimizers:Lion"

    learning_rate: float = Field(
        default=1e-4, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    beta_1: float = Field(default=0.9, gt=0, lt=1, description="share of the momentum in the sum whose sign is the step")
    beta_2: float = Field(default=0.99, ge=0, lt=1, description="share of the momentum that a step keeps")


class Muon(Optimizer):
    """Orthogonal momentum for kernels, Adam for other weights (Jordan, 2024, https://kellerjordan.github.io/posts/muon/).

    The kernel of a convolution is treated as a matrix with a row for each weight of a filter and a column for each filter,
    as in the author's code. (Keras' own Muon trains these kernels with Adam.) Steps are scaled as in Liu et al., 2025,
    https://arxiv.org/abs/2502.16982, section 2.2, so that AdamW's learning rates and weight decays can be used.
    """

    implementation: ClassVar[str] = "kerasvision.training.optimizing.muon:Muon"

    learning_rate: float = Field(
        default=1e-3, gt=0, description="peak learning rate; the schedule multiplies it by a factor"
    )
    momentum: float = Field(default=0.95, ge=0, lt=1, description="share of the momentum that a step keeps")
    nesterov: bool = Field(default=True, description="use Nesterov's momentum")
    ns_steps: int = Field(default=5, ge=1, le=20, description="Newton-Schulz steps towards the orthogonal matrix")
    adam_beta_1: float = Field(default=0.9, ge=0, lt=1, description="beta_1 of Adam, for the weights that Adam changes")
    adam_beta_2: float = Field(default=0.999, ge=0, lt=1, description="beta_2 of Adam, for the weights that Adam changes")
    epsilon: float = Field(default=1e-7, gt=0, description="added to the divisor, so that it is not 0")
    adam_layers: tuple[str, ...] = Field(
        default=("logits",),
        description="kernels of layers whose names contain one of these use Adam, as the author does for the last layer",
    )
