"""From a source to examples on disk."""
