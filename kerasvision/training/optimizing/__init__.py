"""How a step changes the weights: optimizers, learning rates, averages of weights."""
