"""Training a network on one or several devices."""
