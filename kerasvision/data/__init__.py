"""Images of any source become batches for the network."""
