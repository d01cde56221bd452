"""The output of a training for people and other programs: progress, history, TensorBoard."""
