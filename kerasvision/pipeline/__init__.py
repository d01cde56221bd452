"""Artifacts and stages: what runs, in which order, and what need not run again. Knows nothing of vision."""
