"""Searching for better settings with KerasTuner."""
