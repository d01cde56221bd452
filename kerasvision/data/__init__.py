"""From images of any source to batches for the network."""
