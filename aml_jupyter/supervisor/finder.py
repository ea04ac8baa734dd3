"""Serve ``azureml`` and ``aml_jupyter`` to a script inside a run.

What the in-run client has (`served`) comes from the zip. What it lacks falls through: to the names of an installed
aml-jupyter, then to installed packages, whose ``azureml`` folders `_Folders` puts on our package's ``__path__``. What is
nowhere raises an error that says so.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Sequence

from .served import LAST, SERVED, fill, last_resort, refusal

__all__ = ["Finder"]


class Finder:
    """Find the modules that the client serves.

    Parameters
    ----------
    door : object
        The entry of `sys.meta_path` that passes names on to this finder.
    """

    def __init__(self, door: Any) -> None:
        self._door = door
        self._installed: Dict[str, Optional[ModuleType]] = {}

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None, target: Any = None) -> Optional[ModuleSpec]:
        """Return the spec of `name`, or None where another finder has to answer.

        Raises
        ------
        ImportError
            When SDK v1 has `name`, and neither the client nor an installed package does.
        """
        if name.startswith("aml_jupyter.") and not isinstance(sys.modules.get("aml_jupyter"), _Served):
            return None
        if name == "aml_jupyter":
            installed = self._elsewhere(name, path)
            if installed is not None:
                return installed
        if name in SERVED:
            return self._served(name)
        spec_elsewhere = self._of_installed_package(name) or self._elsewhere(name, path)
        if spec_elsewhere is None and name in LAST:
            return self._served(name)
        if spec_elsewhere is None:
            self._refuse(name)
        return spec_elsewhere

    def _served(self, name: str) -> ModuleSpec:
        # all are packages: the installed module of that name may be one, and its parts look for each other
        spec = ModuleSpec(name, _Loader(self), is_package=True)  # type: ignore[arg-type]
        spec.submodule_search_locations = _Folders(name)  # type: ignore[assignment]
        return spec

    def _refuse(self, name: str) -> None:
        """Raise for a name of SDK v1's that is nowhere; return for any other."""
        reason = refusal(name)
        if reason is None:
            return
        parent, _, last = name.rpartition(".")
        if not last[:1].isupper():
            raise ModuleNotFoundError(reason, name=name)
        try:
            getattr(sys.modules.get(parent), last)
        except AttributeError as error:  # it knows why an installed package does not help
            raise ImportError(str(error) or reason, name=name) from None

    def installed(self, name: str) -> List[ModuleType]:
        """Return the installed modules that `name` hides, each executed once, outside `sys.modules`."""
        found = []
        for origin, spec in (("own", self._of_installed_package), ("other", self._elsewhere)):
            key = "%s %s" % (origin, name)
            if key not in self._installed:
                self._installed[key] = None  # while it is executed, it may come back here
                hidden = spec(name, _Folders(name.rpartition(".")[0]))  # type: ignore[arg-type]
                if hidden is not None and hidden.loader is not None:
                    module = module_from_spec(hidden)
                    self._installed[key] = module
                    try:
                        if origin == "other":
                            self._load_parts(name)
                        hidden.loader.exec_module(module)
                    except BaseException:
                        del self._installed[key]
                        raise
            loaded = self._installed[key]
            if loaded is not None:
                found.append(loaded)
        return found

    def _load_parts(self, name: str) -> None:
        """Execute the installed modules below `name` that ours hide: their imports of each other count on that order."""
        for part in SERVED:
            if part.startswith(name + "."):
                self.installed(part)

    def _of_installed_package(self, name: str, path: Any = None) -> Optional[ModuleSpec]:
        """Return the spec that an installed aml-jupyter has for one of SDK v1's names."""
        if not name.startswith("azureml") or self._elsewhere("aml_jupyter", None) is None:
            return None
        try:
            find_azureml = import_module("aml_jupyter.azureml.finder").find_azureml
            found: Optional[ModuleSpec] = find_azureml(name)
        except ImportError:
            return None
        return found

    def _elsewhere(self, name: str, path: Optional[Sequence[str]]) -> Optional[ModuleSpec]:
        """Return the spec of `name` as it would be without the client."""
        for finder in list(sys.meta_path):
            if finder is self._door or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path)
            if spec is not None:
                return spec
        return None


class _Loader:
    """Make a served module."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return an empty module that looks further for names that it lacks."""
        module = _Served(spec.name)
        module.__dict__["_finder"] = self._finder
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put the client's names into it."""
        fill(module)


class _Served(ModuleType):
    """Hold the client's names; take the others from what is installed."""

    def __getattr__(self, name: str) -> Any:
        own = self.__name__
        if name.startswith("__") or own in ("azureml", "aml_jupyter"):
            raise AttributeError(refusal("%s.%s" % (own, name)) or "module %r has no attribute %r" % (own, name))
        reasons = []
        try:
            hidden = self.__dict__["_finder"].installed(own)
        except Exception as error:  # whatever a half-installed package raises, a look-up has one way to fail
            hidden = []
            reasons.append("the installed %s cannot be loaded: %s: %s" % (own, type(error).__name__, error))
        for module in hidden:
            try:
                return getattr(module, name)
            except (AttributeError, ImportError) as error:
                reasons.append(str(error))
        found = last_resort(own, name)
        if found is not None:
            return found
        reasons.append(refusal("%s.%s" % (own, name)) or "module %r has no attribute %r" % (own, name))
        raise AttributeError(reasons[0])

    def __dir__(self) -> List[str]:
        return sorted(name for name in self.__dict__ if name != "_finder")


class _Folders:
    """List the folders of the package `name` on `sys.path`, as it is when they are asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _now(self) -> List[str]:
        inner = os.path.join(*self.name.split(".")) if self.name else ""
        folders = [os.path.join(entry or os.getcwd(), inner) for entry in sys.path if isinstance(entry, str)]
        return [folder for folder in folders if os.path.isdir(folder)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __getitem__(self, index: Any) -> Any:
        return self._now()[index]

    def __repr__(self) -> str:
        return "_Folders(%r)" % self._now()
