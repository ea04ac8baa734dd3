"""Hold what travels to the compute target: the supervisor and the in-run client (standard library only)."""
