"""Changes a pipeline so that a person can push a model that was not blessed."""

from dataclasses import replace

from kerasvision.config.stages import ForcedPusherSettings, PusherSettings
from kerasvision.errors import ConfigError
from kerasvision.pipeline.graph import Node, Pipeline


def push_node(pipeline: Pipeline) -> Node:
    """The node that pushes.

    Raises:
        ConfigError: there is no such node, or more than one.
    """
    found = [node for node in pipeline.nodes.values() if isinstance(node.settings, PusherSettings)]
    if len(found) != 1:
        raise ConfigError(f"pipeline {pipeline.name!r} must have one stage that pushes; it has {len(found) or 'none'}")
    return found[0]


def overruled(pipeline: Pipeline, *, reason: str) -> Pipeline:
    """The same pipeline with a forced push. The reason is part of the settings, so another reason pushes again.

    Raises:
        ConfigError: the reason is empty, or the stage that pushes has settings of a user's own class.
    """
    node = push_node(pipeline)
    if type(node.settings) is not PusherSettings:
        raise ConfigError(f"only a stage with PusherSettings can be forced; {node.name} has other settings")
    forced = ForcedPusherSettings(name=node.settings.name, reason=reason)
    return replace(pipeline, nodes={**pipeline.nodes, node.name: replace(node, settings=forced)}, origin=None)
