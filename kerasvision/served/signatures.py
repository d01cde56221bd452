"""The names of a SavedModel's signatures, of their inputs, and of the output that marks rows without an image."""

# Encoded images, as a server receives them: serving_default(image_bytes: string [None]).
BYTES_SIGNATURE = "serving_default"
BYTES_INPUT = "image_bytes"
# Decoded images of the network's size: serve_tensor(image: float32 [None, H, W, C] in [0, 255]).
TENSOR_SIGNATURE = "serve_tensor"
TENSOR_INPUT = "image"
# bool [None]: false if the row is not an image that can be read; the other outputs mean nothing then.
VALID = "valid"
# TensorFlow Serving sends an output of strings whose name ends so as base64: {"b64": "..."}.
BYTES_SUFFIX = "_bytes"
