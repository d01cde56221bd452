"""A saved model behind HTTP: TensorFlow Serving's REST protocol, requests joined in batches, new versions loaded."""
