"""Re-export the ways of sampling under the name of SDK v1's module."""

from __future__ import annotations

from aml_jupyter.config.sweeps import (
    BayesianParameterSampling,
    GridParameterSampling,
    HyperParameterSampling,
    RandomParameterSampling,
)

__all__ = [
    "BayesianParameterSampling",
    "GridParameterSampling",
    "HyperParameterSampling",
    "RandomParameterSampling",
]
