"""Short checks of an experiment: gradients, learning rate, memorizing one batch, replicas."""
