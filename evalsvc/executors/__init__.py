"""Where a submission's container runs, isolated from everything but its input."""
