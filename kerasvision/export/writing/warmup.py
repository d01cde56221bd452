"""Requests that TensorFlow Serving sends to a model before it accepts others, so that the first real one is fast.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup: a TFRecord file of at most 1,000 PredictionLogs.
"""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8)


Filled = tuple[bytes | float | int | bool, tuple[int, ...]]


def write_warmup_requests(folder: Path, *, requests: Mapping[str, Mapping[str, Filled]]) -> Path:
    """Writes the file into a SavedModel, and returns its path.

    Args:
        folder: of the SavedModel.
        requests: signature -> input -> (the value of all its elements, the shape of a row). Rows are sent alone and eight at
            a time.
    """
    file = folder / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, inputs in requests.items():
            for size in BATCH_SIZES:
                request = PredictRequest()
                request.model_spec.signature_name = signature
                for name, (value, row_shape) in inputs.items():
                    request.inputs[name].CopyFrom(tf.make_tensor_proto(value, shape=(size, *row_shape)))
                log = PredictionLog(predict_log=PredictLog(request=request))
                writer.write(log.SerializeToString())
    return file
