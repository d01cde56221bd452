"""What a SavedModel of kerasvision is asked: the names of its signatures, of what they take, and of what says `no image`."""

# Encoded images, as a server receives them: serving_default(image_bytes: string [None]).
BYTES_SIGNATURE = "serving_default"
BYTES_INPUT = "image_bytes"
# Decoded images of the network's size: serve_tensor(image: float32 [None, H, W, C] in [0, 255]).
TENSOR_SIGNATURE = "serve_tensor"
TENSOR_INPUT = "image"
# bool [None]: false where the row is no image that can be read; the other outputs mean nothing there.
VALID = "valid"
