"""Searches for better settings with KerasTuner."""
