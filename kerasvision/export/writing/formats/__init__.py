"""Formats other than the SavedModel, each with a proof that it gives the same answers. They require the extra `formats`."""
