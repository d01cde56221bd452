"""Boxes around the objects of an image."""
