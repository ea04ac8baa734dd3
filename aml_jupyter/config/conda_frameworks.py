"""Add the frameworks for which `CondaDependencies` of SDK v1 has methods of their own: TensorFlow and CNTK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from aml_jupyter.config.reading import Place, read_choice

CNTK_VERSION = "2.7"
TENSORFLOW_VERSION = "2.2.0"
CORES = ("cpu", "gpu")


class _Packages(Protocol):
    @property
    def conda_packages(self) -> Iterator[str]: ...
    @property
    def pip_packages(self) -> Iterator[str]: ...
    def add_conda_package(self, conda_package: str) -> None: ...
    def add_pip_package(self, pip_package: str) -> None: ...
    def remove_conda_package(self, conda_package: str) -> None: ...
    def remove_pip_package(self, pip_package: str) -> None: ...


class FrameworkPackages:
    """Be the part of `CondaDependencies` that knows the names of two frameworks' packages, as SDK v1 does."""

    def add_tensorflow_pip_package(self: _Packages, core_type: str = "cpu", version: str | None = None) -> None:
        """Add TensorFlow to the pip packages, in place of the one that is there.

        Parameters
        ----------
        core_type : str
            ``cpu`` or ``gpu``.
        version : str, optional
            2.2.0, SDK v1's, unless given.

        Raises
        ------
        ConfigurationError
            When `core_type` is another one.
        """
        wanted = _named("tensorflow", core_type)
        for core in CORES:
            self.remove_pip_package(_named("tensorflow", core))
        self.add_pip_package(f"{wanted}=={version or TENSORFLOW_VERSION}")

    def add_tensorflow_conda_package(self: _Packages, core_type: str = "cpu", version: str | None = None) -> None:
        """Add TensorFlow to the conda packages; the rest is as in `add_tensorflow_pip_package`."""
        wanted = _named("tensorflow", core_type)
        for core in CORES:
            self.remove_conda_package(_named("tensorflow", core))
        self.add_conda_package(f"{wanted}={version or TENSORFLOW_VERSION}")

    def add_cntk_package(self: _Packages, core_type: str = "cpu") -> None:
        """Add CNTK 2.7 to the pip packages, in place of the one that is there."""
        wanted = _named("cntk", core_type)
        for core in CORES:
            self.remove_pip_package(_named("cntk", core))
        self.add_pip_package(f"{wanted}=={CNTK_VERSION}")


def _named(framework: str, core_type: str) -> str:
    core = read_choice(core_type, Place(keys=("core_type",)), CORES)
    return framework if core == "cpu" else f"{framework}-gpu"
