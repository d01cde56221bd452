"""Questions to an experiment that a few steps answer: gradients, learning rate, one batch, replicas."""
