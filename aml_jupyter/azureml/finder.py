"""Find the module that aml-jupyter has under one of SDK v1's import names.

The files of this folder are loaded under the name that was asked for (``azureml.core.run``): a module object of that very name,
whose classes are those of `aml_jupyter.sdk`.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from aml_jupyter.azureml.unbuilt import refuse_module

__all__ = ["find_azureml"]

ROOT = Path(__file__).parent


def find_azureml(name: str) -> ModuleSpec | None:
    """Return the spec of `name`, or None where neither aml-jupyter nor SDK v1 has such a module.

    Raises
    ------
    ModuleNotFoundError
        When SDK v1 has the module and aml-jupyter does not yet, and nothing else provides it.
    """
    if name == "azureml":
        spec = PathFinder.find_spec("aml_jupyter.azureml", [str(ROOT.parent)])
        if spec is None or spec.origin is None:
            return None
        return _renamed(spec, name, [str(ROOT), *_installed_folders()])
    spec = PathFinder.find_spec(name, [str(ROOT.joinpath(*name.split(".")[1:-1]))])
    if spec is not None and spec.origin is not None:
        return spec
    if not any(
        Path(folder, "core").is_dir() for folder in _installed_folders()
    ):  # azureml-core is not installed either
        refuse_module(name)
    return None


def _renamed(spec: ModuleSpec, name: str, locations: list[str]) -> ModuleSpec:
    """Return `spec` as the spec of a package called `name` whose modules lie in `locations`."""
    from importlib.util import spec_from_file_location

    assert spec.origin is not None
    renamed = spec_from_file_location(name, spec.origin, submodule_search_locations=locations)
    assert renamed is not None
    return renamed


def _installed_folders() -> list[str]:
    """Return the ``azureml`` folders of other distributions on `sys.path`; a package is shared by many of them."""
    folders = (Path(entry or ".") / "azureml" for entry in sys.path)
    return [str(folder) for folder in folders if folder.is_dir() and not folder.samefile(ROOT)]
