"""Readers of sources: each takes the settings of a source and yields its records, in the same order every time."""
