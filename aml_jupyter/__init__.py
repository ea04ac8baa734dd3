"""Submit a notebook cell, a script, a notebook or a folder to a compute target, and follow the run from Jupyter."""

from __future__ import annotations

__version__ = "0.1.0"
