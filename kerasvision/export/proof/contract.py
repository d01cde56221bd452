"""Checks a SavedModel's files against TensorFlow Serving's requirements, one by one, without a server.

Source: https://www.tensorflow.org/tfx/serving/architecture, /serving_basic, /api_rest and /saved_model_warmup.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasvision.errors import ExportError
from kerasvision.export.writing.graph import RUN_PYTHON, Signatures, operations, read_graph, signatures
from kerasvision.export.writing.warmup import WARMUP_FILE
from kerasvision.served.signatures import (
    BYTES_INPUT,
    BYTES_SIGNATURE,
    BYTES_SUFFIX,
    TENSOR_INPUT,
    TENSOR_SIGNATURE,
    VALID,
)

MOST_WARMUP_REQUESTS = 1000


def check_contract(saved_model: Path) -> tuple[list[str], Signatures]:
    """Complaints about a SavedModel's files, and its signatures; the latter are empty if it cannot be read.

    Args:
        saved_model: the folder.
    """
    try:
        graph = read_graph(saved_model)
    except ExportError as error:
        return [str(error).removesuffix(".")], {}
    given = signatures(graph)
    declared = _declared(saved_model)
    signed = check_signatures(given, binary=declared_binary(declared), made=declared_made(declared))
    complaints = [*check_files(saved_model, graph), *signed, *check_operations(graph)]
    return [*complaints, *check_warmup(saved_model, given)], given


def check_files(saved_model: Path, graph: MetaGraphDef) -> list[str]:
    """Complaints about missing files: weights, and the assets that the graph names."""
    expected = ["variables/variables.index", *(f"assets/{asset.filename}" for asset in graph.asset_file_def)]
    missing = [name for name in expected if not (saved_model / name).is_file()]
    if not list(saved_model.glob("variables/variables.data-*")):
        missing.append("variables/variables.data-*")
    return [f"incomplete saved model: {', '.join(missing)} missing"] if missing else []


def declared_binary(declared: Mapping[str, Any]) -> frozenset[str]:
    """The outputs that `signatures.json` declares as bytes."""
    return frozenset(
        name for one in declared.values() for name, output in one["outputs"].items() if output.get("binary") is True
    )


def declared_made(declared: Mapping[str, Any]) -> frozenset[str]:
    """The signatures that `signatures.json` declares without an image among their inputs."""
    standard = (BYTES_SIGNATURE, TENSOR_SIGNATURE)
    return frozenset(name for name, one in declared.items() if name not in standard and BYTES_INPUT not in one["inputs"])


def _declared(saved_model: Path) -> dict[str, Any]:
    """Signature -> `inputs` and `outputs`, from `signatures.json`; empty without such a file, or if it is damaged."""
    try:
        described = json.loads((saved_model / "assets.extra" / "signatures.json").read_text(encoding="utf-8"))
        return {
            str(name): {
                part: {key: dict(one) for key, one in described[name][part].items()} for part in ("inputs", "outputs")
            }
            for name in described
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def check_signatures(
    given: Signatures, *, binary: frozenset[str] = frozenset(), made: frozenset[str] = frozenset()
) -> list[str]:
    """Complaints about signatures that a server cannot use: a name, a type, or a fixed batch dimension.

    Args:
        given: the signatures.
        binary: outputs that are meant to be bytes.
        made: signatures that are meant to take no images.
    """
    wanted = dict.fromkeys((BYTES_SIGNATURE, *given), (BYTES_INPUT, "string"))
    wanted[TENSOR_SIGNATURE] = (TENSOR_INPUT, "float32")
    wanted |= {name: next((key, spec[0]) for key, spec in given[name]["inputs"].items()) for name in made if name in given}
    complaints = []
    for name, (argument, dtype) in wanted.items():
        inputs = given.get(name, {}).get("inputs", {})
        spec = inputs.get(argument)
        if spec is None:
            complaints.append(f"there is no signature {name}({argument})")
            continue
        if spec[0] != dtype:
            complaints.append(f"{name}({argument}) takes {spec[0]} instead of {dtype}")
        outputs = given[name]["outputs"]
        shapes = [shape for _, shape in (*inputs.values(), *outputs.values())]
        if any(not shape or shape[0] is not None for shape in shapes):
            complaints.append(f"{name} has a fixed batch dimension, so requests cannot be joined")
        # A server sends an output of such a name as base64, and a text of any other name as UTF-8.
        complaints += [
            f"{name}: the name of an output that is not bytes must not end in {BYTES_SUFFIX}; received {key}"
            for key, spec in outputs.items()
            if key.endswith(BYTES_SUFFIX) and (key not in binary or spec[0] != "string")
        ]
    unmarked = [name for name in given if name != TENSOR_SIGNATURE and VALID not in given[name]["outputs"]]
    return [*complaints, *(f"{name} has no output {VALID}, which marks rows that are not images" for name in unmarked)]


def check_operations(graph: MetaGraphDef) -> list[str]:
    """Complaints about operations that a stock server does not have.

    TensorFlow's own registry replaces the server's, which is built from the same kernels. Operations that others registered
    in this process do not count.
    """
    used = operations(graph)
    foreign = sorted(name for name in used if not hasattr(tf.raw_ops, name))
    python = sorted(used & RUN_PYTHON)
    complaints = [f"operations that TensorFlow does not have: {', '.join(foreign)}"] if foreign else []
    return [*complaints, f"operations that run Python: {', '.join(python)}"] if python else complaints


def check_warmup(saved_model: Path, given: Signatures) -> list[str]:
    """Complaints about warm-up requests that cannot be read, are too many, or use an input that does not exist."""
    file = saved_model / WARMUP_FILE
    if not file.is_file():
        return []
    try:
        logs = [PredictionLog.FromString(record) for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]
    except (DecodeError, tf.errors.DataLossError):
        logs = []
    if not logs:
        return ["the warm-up requests cannot be read"]
    requests = [log.predict_log.request for log in logs]
    asked = {(request.model_spec.signature_name, name) for request in requests for name in request.inputs}
    unknown = sorted(pair for pair in asked if pair[1] not in given.get(pair[0], {}).get("inputs", {}))
    complaints = [f"a warm-up request uses {signature}({name}), which does not exist" for signature, name in unknown]
    if len(logs) > MOST_WARMUP_REQUESTS:
        complaints.append(f"{len(logs)} warm-up requests; a server accepts {MOST_WARMUP_REQUESTS}")
    return complaints
