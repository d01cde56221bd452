"""Artifacts and stages: what runs, in which order, and what can be reused. Independent of vision."""
