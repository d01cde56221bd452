"""Whether an image file and its annotations can be used."""
