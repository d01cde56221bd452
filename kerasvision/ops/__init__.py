"""Pure tensor functions: no state, stock TensorFlow operations only, so that they can go into an exported model."""
