"""Run a cell or a notebook inside the run's own Python."""
