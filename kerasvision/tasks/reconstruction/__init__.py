"""Reconstruction: a network restores its own image from a code, and needs no labels."""
