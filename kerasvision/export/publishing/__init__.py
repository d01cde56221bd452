"""Versions of a model where servers look, each with its card."""
