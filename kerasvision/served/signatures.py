"""The names of a SavedModel's signatures, of their inputs, and of the output that marks rows without an image."""

# Encoded images, as a server receives them: serving_default(image_bytes: string [None]).
BYTES_SIGNATURE = "serving_default"
BYTES_INPUT = "image_bytes"
# Decoded images of the network's size: serve_tensor(image: float32 [None, H, W, C] in [0, 255]).
TENSOR_SIGNATURE = "serve_tensor"
TENSOR_INPUT = "image"
# What a network knows about an image: features(image_bytes: string [None]) -> numbers of one kind, float [None, ...].
FEATURES_SIGNATURE = "features"
# bool [None]: false if the row is not an image that can be read; the other outputs mean nothing then.
VALID = "valid"
# Strings of an output whose name ends like this are bytes, not text; REST sends them as base64, as TensorFlow Serving does.
BYTES_SUFFIX = "_bytes"
# Of a SavedModel: the transform that its network was trained with, which is also part of its graph.
TRANSFORM_FILE = "assets.extra/transform.json"
# Images that a model makes: sample(seed: int64 [None], number: int64 [None], label: string [None]), one for each row. The
# label is missing if none can be asked for.
SAMPLE_SIGNATURE = "sample"
SEED_INPUT, NUMBER_INPUT, LABEL_INPUT = "seed", "number", "label"
SAMPLE_PNG = "image_png_bytes"
