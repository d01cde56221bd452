"""What stages get on a cluster: processor cores, memory, GPUs, and secrets as environment variables."""

from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from kerasvision.config.base import Config, Needs

# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
OBJECT_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
Stage = Annotated[str, Field(min_length=1)]


class Resources(Config):
    """What one stage requests of a cluster.

    >>> Resources(cpu=4, memory_gib=16, gpus=1).gpu_type
    'nvidia.com/gpu'
    >>> Resources(gpus=-1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Resources.gpus: input should be greater than or equal to 0; received -1. Choose a ...
    """

    used_with: ClassVar[Mapping[str, Needs]] = {"gpu_type": Needs("gpus")}

    cpu: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="processor cores that are kept free for it; it may use more. None: what the cluster gives",
    )
    memory_gib: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="memory in GiB that is kept free for it; it is ended if it uses more. None: what the cluster gives",
    )
    gpus: int = Field(default=0, ge=0, le=1_000, description="GPUs that it has alone; they must be in one machine")
    gpu_type: str = Field(
        default="nvidia.com/gpu", min_length=1, description="the name under which the cluster offers its GPUs"
    )


class Secret(Config):
    """A value of a Kubernetes secret that stages see as an environment variable. The file has its name, not its value."""

    name: str = Field(pattern=OBJECT_PATTERN, description="of the Kubernetes secret")
    key: str = Field(pattern=r"^[-._a-zA-Z0-9]{1,253}$", description="the entry of the secret")
    variable: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the environment variable that gets the value")
    stages: tuple[Stage, ...] = Field(default=(), description="the stages that see it; empty: all")


class Cluster(Config):
    """What stages get on a cluster. It has no effect on one machine, and no stage runs again because of it."""

    resources: dict[Stage, Resources] = Field(
        default_factory=dict, description="stage -> what it requests; other stages get what the cluster gives"
    )
    secrets: tuple[Secret, ...] = Field(default=(), description="values that stages see as environment variables")

    @property
    def stages(self) -> frozenset[str]:
        """The names of stages that these settings contain."""
        return frozenset(self.resources).union(*(secret.stages for secret in self.secrets))

    def secrets_of(self, stage: str) -> tuple[Secret, ...]:
        """The secrets that a stage sees.

        >>> secret = Secret(name="wandb", key="token", variable="TOKEN", stages=("trainer",))
        >>> cluster = Cluster(secrets=(secret,))
        >>> len(cluster.secrets_of("trainer")), len(cluster.secrets_of("pusher"))
        (1, 0)
        """
        return tuple(secret for secret in self.secrets if not secret.stages or stage in secret.stages)

    @model_validator(mode="after")
    def _variables_have_one_value(self) -> "Cluster":
        for one, other in combinations(self.secrets, 2):
            meet = not one.stages or not other.stages or set(one.stages) & set(other.stages)
            if one.variable == other.variable and meet:
                raise ValueError(f"an environment variable has one value; received {one.variable!r} twice")
        return self
