"""What the courses would say about a run, each piece of advice with the figure that it follows from."""
