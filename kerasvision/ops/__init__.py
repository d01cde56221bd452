"""Pure tensor functions without state. They use stock TensorFlow operations only, so an exported model can contain them."""
