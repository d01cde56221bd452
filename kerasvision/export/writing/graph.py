"""Reads signatures and operations from a SavedModel's file, without loading the model."""

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kerasvision.errors import ExportError

# The name of a type, and a shape, in which None is a free dimension; the shape is None if the rank is unknown.
Spec = tuple[str, list[int | None] | None]
# Signature -> `inputs` and `outputs` -> name -> specification.
Signatures = dict[str, dict[str, dict[str, Spec]]]

# Operations that run Python. A stock server registers them, but has no Python.
RUN_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset", "NumpyFunction"})


def read_graph(folder: Path) -> MetaGraphDef:
    """The graph that is served.

    Raises:
        ExportError: there is no SavedModel, or a damaged one.
    """
    file = folder / "saved_model.pb"
    try:
        graphs = SavedModel.FromString(file.read_bytes()).meta_graphs
    except FileNotFoundError:
        raise ExportError(f"{folder} is not a saved model: it contains no saved_model.pb") from None
    except DecodeError as error:
        raise ExportError(f"{file} is damaged: it is not a SavedModel") from error
    served = [graph for graph in graphs if "serve" in graph.meta_info_def.tags]
    if not served:
        raise ExportError(f"{file} contains no graph with the tag `serve`")
    return served[0]


def signatures(graph: MetaGraphDef) -> Signatures:
    """Signature -> `inputs` and `outputs` -> name -> (type, shape); None in a shape is a free dimension."""
    return {
        name: {
            "inputs": {key: _spec(tensor) for key, tensor in sorted(one.inputs.items())},
            "outputs": {key: _spec(tensor) for key, tensor in sorted(one.outputs.items())},
        }
        for name, one in sorted(graph.signature_def.items())
        if one.method_name
    }


def operations(graph: MetaGraphDef) -> set[str]:
    """The names of all operations, including those in functions."""
    library = graph.graph_def.library.function
    own = {function.signature.name for function in library}
    nodes = [*graph.graph_def.node, *(node for function in library for node in function.node_def)]
    return {node.op for node in nodes} - own


def _spec(tensor: TensorInfo) -> Spec:
    shape = tensor.tensor_shape
    sizes = None if shape.unknown_rank else [size.size if size.size >= 0 else None for size in shape.dim]
    return tf.dtypes.as_dtype(tensor.dtype).name, sizes
