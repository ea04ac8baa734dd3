"""Reach machines: this one, and (with its issue) others over SSH."""
