"""A pipeline in which a person has the last word: its model is pushed although it was not blessed."""

from dataclasses import replace

from kerasvision.config.stages import ForcedPusherSettings, PusherSettings
from kerasvision.errors import ConfigError
from kerasvision.pipeline.graph import Node, Pipeline


def push_node(pipeline: Pipeline) -> Node:
    """The node that pushes.

    Raises:
        ConfigError: there is none, or several.
    """
    found = [node for node in pipeline.nodes.values() if isinstance(node.settings, PusherSettings)]
    if len(found) != 1:
        raise ConfigError(f"pipeline {pipeline.name!r} has {len(found) or 'no'} stages that push; one is needed")
    return found[0]


def overruled(pipeline: Pipeline, *, reason: str) -> Pipeline:
    """The same pipeline, but its push is forced. The reason is part of the settings: another one pushes anew.

    Raises:
        ConfigError: no reason is given, or the pipeline does not push as ours do.
    """
    node = push_node(pipeline)
    if type(node.settings) is not PusherSettings:
        raise ConfigError(f"only a stage with PusherSettings can be forced; {node.name} has others")
    forced = ForcedPusherSettings(name=node.settings.name, reason=reason)
    return Pipeline(pipeline.name, {**pipeline.nodes, node.name: replace(node, settings=forced)})
