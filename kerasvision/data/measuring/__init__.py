"""What a data set looks like: measurements of every example, statistics, and a page of them."""
