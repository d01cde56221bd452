"""A SavedModel as servers have it: what it is asked, which versions lie on disk, whether they are whole, one in memory."""
