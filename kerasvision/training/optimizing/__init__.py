"""Optimizers, learning rates, averages of weights: how a step changes the weights."""
