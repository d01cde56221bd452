"""From examples on disk to batches for the network: order, memory, padding, augmentation, speed."""
