"""Publishes versions of a model, each with its card, where servers look for them."""
