"""The proof that a SavedModel answers as the trained network did."""
