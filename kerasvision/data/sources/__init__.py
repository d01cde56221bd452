"""Readers of sources: each takes a source's settings and yields records, in the same order every time."""
