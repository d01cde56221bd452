"""Answers of a saved model for image files."""
