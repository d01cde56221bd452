"""What is looked for in a data set: each module yields the anomalies of one kind of thing."""
