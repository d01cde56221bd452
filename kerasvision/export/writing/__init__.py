"""Writes a trained network as a SavedModel or as a file of another format."""
