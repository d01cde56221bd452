"""How good a trained model is, and whether that is good enough."""
