"""Whether an image file and what is said of it can be used."""
