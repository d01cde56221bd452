"""A SavedModel for servers: the names of its signatures, its versions on disk, whether they are complete, one in memory."""
