"""The state of a training on disk, and back: a training that goes on ends as one that never stopped."""
