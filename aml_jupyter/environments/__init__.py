"""Own which Python runs a run, and with which variables.

Today that is a Python that exists: the submitter's, or one that a person names. Builders of venv, conda and image
environments belong here.
"""

from __future__ import annotations

from aml_jupyter.environments.resolved import ResolvedEnvironment, around, check, python_of, resolve, without_effect
from aml_jupyter.environments.submitter import submitter

__all__ = ["ResolvedEnvironment", "around", "check", "python_of", "resolve", "submitter", "without_effect"]
