"""What a data set looks like: one look at every example, statistics, and a page of them."""
