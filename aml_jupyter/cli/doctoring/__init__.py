"""Read a folder of SDK v1 files and scripts, and say of each use whether it works here.

What works is not written down anywhere: `coverage` asks the package itself, `scripts` reads Python, `files` the rest.
"""

from __future__ import annotations

from aml_jupyter.cli.doctoring.folder import examine

__all__ = ["examine"]
