"""All ways to run decode steps give the same answers."""
