"""Writes a pipeline as text: equal pipelines give equal texts, on any machine."""

import json

from kerasvision.config.listing import storable
from kerasvision.pipeline.graph import Input, LatestBlessed, LatestTraining, Node, Pipeline, Previous


def compile_pipeline(pipeline: Pipeline) -> str:
    """Canonical JSON, indented for people: nodes in order with code, inputs, outputs and settings."""
    spec = {"pipeline": pipeline.name, "nodes": [_node(node) for node in pipeline.nodes.values()]}
    return storable(json.dumps(spec, indent=2, sort_keys=True, ensure_ascii=False)) + "\n"


def stage_path(node: Node) -> str:
    """`"module:function"` of a node's stage."""
    return f"{node.function.__module__}:{node.function.__qualname__}"


def _node(node: Node) -> dict[str, object]:
    return {
        "name": node.name,
        "stage": stage_path(node),
        "inputs": {key: _channel(channel) for key, channel in node.inputs.items()},
        "outputs": {key: artifact.TYPE_NAME for key, artifact in node.signature.outputs.items()},
        "settings": node.settings.to_data() if node.settings is not None else None,
    }


def _channel(channel: Input) -> str:
    if isinstance(channel, LatestBlessed):
        return f"latest blessed other than {_channel(channel.other_than)}"
    if isinstance(channel, LatestTraining):
        return f"{channel.key} of the latest blessed training of {channel.producer}"
    if isinstance(channel, Previous):
        return f"previous {channel.producer}.{channel.key}"
    return f"{channel.producer}.{channel.key}"
