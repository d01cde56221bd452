"""Other formats than the SavedModel, each with the proof that it answers the same; they need the extra `formats`."""
