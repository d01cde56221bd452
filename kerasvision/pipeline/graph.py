"""Connects stages to a pipeline. Every connection is checked when its stage is added.

A stage is a plain function, and its signature is its specification:

    def trainer(examples: Examples, transform_graph: TransformGraph, model: Out[Model], *, settings: TrainerSettings)

Positional parameters are artifacts, `Out[...]` marks what the stage writes, an input `X | None = None` is optional. Four
more parameters are possible. `root: Path` is the folder of `runs/` and `saved_models/`, for a stage that uses more than its
artifacts. `work: Path` is a folder for a stage that can continue a killed execution: the next execution with the same
fingerprint finds it as this one left it. `lineage: dict` says where the inputs came from (see `lineage_of`).
`runner: Runner` says where the work on single images is done; the result must not depend on it.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kerasvision import lookup
from kerasvision.config.base import Config
from kerasvision.config.cluster import Cluster
from kerasvision.config.experiment import NAME_PATTERN
from kerasvision.config.hooks import Hooks
from kerasvision.config.listeners import Listener
from kerasvision.config.runners import LOCAL, Runner
from kerasvision.errors import GraphError
from kerasvision.pipeline.artifacts import OUTPUT, Artifact

# Parameters that a stage receives by their names.
PLACES = ("root", "work", "lineage", "runner")


@dataclass(frozen=True)
class Channel:
    """A future artifact: output `key` of the node named `producer`."""

    producer: str
    key: str
    type: type[Artifact]


@dataclass(frozen=True)
class LatestBlessed:
    """An input that is looked up when the stage is planned: the newest blessed SavedModel other than the one just exported.

    Attributes:
        other_than: the channel of the SavedModel just exported.
    """

    other_than: Channel


@dataclass(frozen=True)
class Previous:
    """An input that is looked up when the stage executes: an earlier, different output of a node of this pipeline.

    For the node itself, this is the output of its newest execution with another fingerprint. For a node before it, this is
    the newest artifact with different content. It is not part of the fingerprint, so it never makes a stage run again. The
    stage does not get this input if the output does not exist.

    Attributes:
        producer: the node's name.
        key: the output's name.
    """

    producer: str
    key: str


@dataclass(frozen=True)
class LatestTraining:
    """An input that is looked up when the stage is planned: what the training of the newest blessed model read or wrote.

    It is part of the fingerprint. A training whose settings, code and other inputs are those of today does not count:
    otherwise each run would begin where the one before ended, and no result could be reused. The stage does not get this
    input if there is no such training.

    Attributes:
        producer: the node that trains, which is the one that gets this input.
        key: an input or output of it, such as `model`.
    """

    producer: str
    key: str


Input = Channel | LatestBlessed | LatestTraining | Previous


@dataclass(frozen=True)
class Signature:
    """What a stage function takes and writes."""

    inputs: dict[str, type[Artifact]]
    optional: frozenset[str]
    outputs: dict[str, type[Artifact]]
    settings: type[Config] | None
    places: frozenset[str]

    @classmethod
    def of(cls, function: Callable[..., None]) -> "Signature":
        """The signature of a stage function.

        Raises:
            GraphError: a parameter is neither an artifact, an output nor `settings`.
        """
        hints = typing.get_type_hints(function, include_extras=True)
        inputs, optional, outputs, settings, places = {}, set(), {}, None, set()
        for parameter in inspect.signature(function).parameters.values():
            hint = hints.get(parameter.name)
            if parameter.name == "settings":
                settings = hint
            elif parameter.name in PLACES:
                places.add(parameter.name)
            elif OUTPUT in getattr(hint, "__metadata__", ()):
                outputs[parameter.name] = typing.get_args(hint)[0]
            elif (artifact := _artifact_type(hint)) is not None:
                inputs[parameter.name] = artifact
                optional |= {parameter.name} if parameter.default is None else set()
            else:
                raise GraphError(
                    f"{function.__name__}({parameter.name}) must be an artifact, Out[...] of one, or settings",
                    received=hint,
                )
        return cls(inputs, frozenset(optional), outputs, settings, frozenset(places))


@dataclass(frozen=True)
class Node:
    """A stage in a pipeline. Its outputs are attributes: `node.examples` is a Channel.

    If `alone` is true, no other stage runs at the same time, because this one measures time.
    """

    name: str
    function: Callable[..., None]
    signature: Signature
    inputs: dict[str, Input]
    settings: Config | None = None
    alone: bool = False

    def __getattr__(self, key: str) -> Channel:
        if key.startswith("__"):  # copying looks up methods before the copy has a signature
            raise AttributeError(key)
        if key not in self.signature.outputs:
            raise GraphError(f"{self.name} has no output {key!r}; {lookup.did_you_mean(key, self.signature.outputs)}")
        return Channel(self.name, key, self.signature.outputs[key])

    @property
    def upstream(self) -> tuple[str, ...]:
        """The names of the nodes that must run before."""
        channels = (c.other_than if isinstance(c, LatestBlessed) else c for c in self.inputs.values())
        return tuple(dict.fromkeys(channel.producer for channel in channels if channel.producer != self.name))


Stage = TypeVar("Stage", bound=Callable[..., None])


def prepared_by(prepare: Callable[[], None]) -> Callable[[Stage], Stage]:
    """Marks a stage with preparations that do not need its inputs, such as starting another process.

    Args:
        prepare: makes the preparations. It must return at once. It may be called long before the stage, or without it, and
            in a process that then executes other stages. If stages run one after the other, it is never called.
    """

    def mark(stage: Stage) -> Stage:
        setattr(stage, _PREPARED, prepare)
        return stage

    return mark


def preparation_of(node: Node) -> Callable[[], None] | None:
    """The function that prepares a stage before its inputs exist; None if it has none."""
    found: Callable[[], None] | None = getattr(node.function, _PREPARED, None)
    return found


_PREPARED = "__kerasvision_prepared_by__"


@dataclass(frozen=True)
class PipelineFile:
    """The file from which a pipeline was loaded, and its settings with all overrides as plain data."""

    file: Path
    experiment: Mapping[str, Any]


@dataclass
class Pipeline:
    """Stages in the order in which they were added. They can run in this order.

    `origin` is the file that it was loaded from; None if a program made it, or changed it since. `hooks` are programs that
    `run` calls at its end. `listeners` follow a run. `cluster` says what stages get on a cluster. `object_store` is the
    address to which their artifacts are copied; None for no copies. `runner` says where the work on single images is done.

    >>> from kerasvision.pipeline.graph import Pipeline
    >>> pipeline = Pipeline("demo")
    >>> pipeline.add("kerasvision.pipeline.stages.statistics_gen:statistics_gen")
    Traceback (most recent call last):
    ...
    kerasvision.errors.GraphError: statistics_gen requires examples=..., of type Examples.
    """

    name: str
    nodes: dict[str, Node] = field(default_factory=dict)
    origin: PipelineFile | None = None
    hooks: Hooks = field(default_factory=Hooks)
    listeners: tuple[Listener, ...] = ()
    cluster: Cluster = field(default_factory=Cluster)
    object_store: str | None = None
    runner: Runner = LOCAL

    def __post_init__(self) -> None:
        _check_name(self.name)

    def add(
        self,
        stage: str | Callable[..., None],
        *,
        name: str | None = None,
        settings: Config | None = None,
        alone: bool = False,
        **inputs: Input | None,
    ) -> Node:
        """Adds a stage and returns its node.

        Args:
            stage: the function, its short name, or its path `"module:function"`.
            name: the node's name; by default the function's name.
            settings: of the type that the function's `settings` parameter names.
            alone: whether no other stage may run at the same time, because this one measures time.
            **inputs: channels of nodes added before; None leaves an optional input out.

        Raises:
            GraphError: a name, an input or the settings are not valid.
        """
        function = lookup.STAGES.load(stage) if isinstance(stage, str) else stage
        signature = Signature.of(function)
        given = {key: channel for key, channel in inputs.items() if channel is not None}
        node = Node(name or function.__name__, function, signature, given, settings, alone)
        self._check(node)
        self.nodes[node.name] = node
        return node

    def node(self, name: str) -> Node:
        """The node with a name, in which `-` and `_` are equivalent.

        Raises:
            GraphError: no such node; the message suggests the closest name.
        """
        plain = name.replace("-", "_")
        if plain not in self.nodes:
            raise GraphError(f"pipeline {self.name!r} has no stage {name!r}; {lookup.did_you_mean(plain, self.nodes)}")
        return self.nodes[plain]

    def sources(self, name: str) -> dict[str, Channel]:
        """Which artifacts of its own run a stage requires: input name -> channel.

        An input that is looked up in earlier runs must differ from an artifact of this run. Its name stands for that
        artifact, unless another input reads the same.

        Args:
            name: of the node.

        Raises:
            GraphError: no such node.
        """
        node = self.node(name)
        found = {key: source for key, source in node.inputs.items() if isinstance(source, Channel)}
        for key, source in node.inputs.items():
            now: Channel | None = source.other_than if isinstance(source, LatestBlessed) else None
            if isinstance(source, Previous) and source.producer != node.name:
                now = getattr(self.node(source.producer), source.key)
            if now is not None and now not in found.values():
                found[key] = now
        return found

    def _check(self, node: Node) -> None:
        _check_name(node.name)
        if node.name in self.nodes:
            raise GraphError(f"nodes of a pipeline must have different names; {node.name!r} exists already")
        expected = node.signature.settings
        if expected is not None and not isinstance(node.settings, expected):
            raise GraphError(f"{node.name} requires settings of type {expected.__name__}", received=node.settings)
        if expected is None and node.settings is not None:
            raise GraphError(f"{node.name} takes no settings", received=node.settings)
        for key, artifact in node.signature.inputs.items():
            if key not in node.inputs and key not in node.signature.optional:
                raise GraphError(f"{node.name} requires {key}=..., of type {artifact.TYPE_NAME}")
        for key, channel in node.inputs.items():
            self._check_input(node, key, channel)

    def _check_input(self, node: Node, key: str, channel: Input) -> None:
        if key not in node.signature.inputs:
            raise GraphError(f"{node.name} has no input {key!r}; {lookup.did_you_mean(key, node.signature.inputs)}")
        expected = node.signature.inputs[key]
        source = self._promised(node, channel) if isinstance(channel, LatestTraining | Previous) else channel
        source = source.other_than if isinstance(source, LatestBlessed) else source
        if not isinstance(source, Channel):
            raise GraphError(f"{node.name}({key}=...) must be a node's output, such as trainer.model", received=source)
        if source.producer not in {*self.nodes, node.name}:
            raise GraphError(f"{node.name}({key}=...): {source.producer!r} was not added to this pipeline")
        if not issubclass(source.type, expected):
            raise GraphError(
                f"{node.name}({key}=...) expects {expected.TYPE_NAME}; "
                f"{source.producer}.{source.key} is {source.type.TYPE_NAME}"
            )

    def _promised(self, node: Node, previous: LatestTraining | Previous) -> object:
        """The channel of an earlier output or input, which has the same type as the next one."""
        if isinstance(previous, LatestTraining):
            if previous.producer != node.name:
                raise GraphError(f"{node.name} cannot begin with what another node trained", received=previous.producer)
            if previous.key in node.inputs:
                return node.inputs[previous.key]
        producer = node if previous.producer == node.name else self.node(previous.producer)
        channel: Channel = getattr(producer, previous.key)
        return channel


def _check_name(name: str) -> None:
    """Checks the name of a pipeline or node, because folders get these names."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise GraphError("a name contains lower-case letters, digits, - and _, and is not a path", received=name)


def _artifact_type(hint: object) -> type[Artifact] | None:
    """The artifact class in `X` or `X | None`."""
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    found = [m for m in members if isinstance(m, type) and issubclass(m, Artifact)]
    return found[0] if len(found) == 1 else None
