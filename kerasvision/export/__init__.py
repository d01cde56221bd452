"""From a trained network to a folder that a server loads, and the proof that it answers the same."""
