"""What is in a data set: features of its images, and principal components, a map, clusters and neighbours of them."""
