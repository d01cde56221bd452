"""Generation: images like those of a data set."""
