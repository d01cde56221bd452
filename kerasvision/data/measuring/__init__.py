"""Measurements of every example, statistics of the data set, and a page that shows them."""
