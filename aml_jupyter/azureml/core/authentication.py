"""Offer the classes of ``azureml.core.authentication``, so that notebooks that pass one on go on running.

Nothing here needs an account: an object of these classes keeps nothing of what it is given.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AbstractAuthentication",
    "ArmTokenAuthentication",
    "AzureCliAuthentication",
    "AzureMLTokenAuthentication",
    "InteractiveLoginAuthentication",
    "MsiAuthentication",
    "ServicePrincipalAuthentication",
    "TokenAuthentication",
]


class AbstractAuthentication:
    """Stand where SDK v1 wants to know who asks; parameters are accepted and dropped."""

    def __init__(self, *_dropped: Any, **_also: Any) -> None:
        pass


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Ask nobody to log in."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """Keep no password."""


class AzureCliAuthentication(AbstractAuthentication):
    """Look at no ``az login``."""


class MsiAuthentication(AbstractAuthentication):
    """Use no managed identity."""


class ArmTokenAuthentication(AbstractAuthentication):
    """Keep no token."""


class AzureMLTokenAuthentication(AbstractAuthentication):
    """Keep no token of a run."""


class TokenAuthentication(AbstractAuthentication):
    """Call nobody for a token."""
