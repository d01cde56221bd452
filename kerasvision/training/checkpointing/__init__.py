"""Saves and restores the state of a training: a resumed training gives the same result as one that never stopped."""
