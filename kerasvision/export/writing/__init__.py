"""A trained network becomes a SavedModel or a file of another format."""
