"""What a person and other programs see of a training: progress, history, TensorBoard."""
