"""Make the in-run client importable inside a run, then run the environment's own ``sitecustomize``.

Runs at every start of a Python inside a run, so it imports nothing: the finder itself is loaded from the zip that
``AML_BUNDLE`` names when a script first asks for ``azureml``, ``aml_jupyter`` or ``aml_supervisor``. Python 2 reads
this file, too, and gets the environment's own ``sitecustomize`` only.
"""

# mypy: ignore-errors

import os
import sys


class _Door:
    """Pass the import names that the client serves on to the finder in the zip."""

    names = ("azureml", "aml_jupyter", "aml_supervisor")

    def __init__(self, bundle):
        self.aml_bundle = bundle
        self.finder = None

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module that the client serves, None for any other."""
        if name.partition(".")[0] not in self.names:
            return None
        if name.startswith("aml_supervisor"):
            from importlib.machinery import PathFinder

            return PathFinder.find_spec(name, [self.aml_bundle] if path is None else path)
        if self.finder is None:
            from aml_supervisor.finder import Finder

            self.finder = Finder(self)
        return self.finder.find_spec(name, path, target)

    def invalidate_caches(self):
        """Do nothing: nothing is kept that a new installation would change."""


def _open_door():
    bundle = os.environ.get("AML_BUNDLE")
    if not bundle or not os.environ.get("AML_RUN_ID") or sys.version_info < (3, 6):
        return
    if not any(hasattr(finder, "aml_bundle") for finder in sys.meta_path):
        last = os.environ.get("AML_AZUREML") == "installed"
        sys.meta_path.insert(len(sys.meta_path) if last else 0, _Door(bundle))


def _run_next():
    """Run the ``sitecustomize`` that this one hides, if there is one further down on `sys.path`."""
    here = os.path.dirname(os.path.abspath(__file__))
    entries = [entry and os.path.abspath(entry) for entry in sys.path]
    rest = sys.path[entries.index(here) + 1 :] if here in entries else sys.path
    rest = [entry for entry in rest if entry and os.path.abspath(entry) != here]
    if sys.version_info < (3, 6):
        import imp

        try:
            found = imp.find_module("sitecustomize", rest)
        except ImportError:
            return
        imp.load_module("sitecustomize", *found)
        return
    import _frozen_importlib
    import _frozen_importlib_external

    spec = _frozen_importlib_external.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = _frozen_importlib.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_open_door()
_run_next()
