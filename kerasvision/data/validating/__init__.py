"""What is normal for a data set, and what is wrong with it."""
