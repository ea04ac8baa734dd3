"""Put a finder for SDK v1's import names (``azureml.*``) on `sys.meta_path` when the interpreter starts.

Installed at the top of site-packages, beside the ``.pth`` file that imports it at every start of this Python. So it imports
nothing but what every interpreter has loaded by then; the finder itself is imported when ``azureml`` is asked for.
"""

import os
import sys


class AzuremlHook:
    """Ask `aml_jupyter.azureml.finder` for names of SDK v1, and for no others."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return the spec of a module that aml-jupyter has under SDK v1's name, or None."""
        if name != "azureml" and not name.startswith("azureml."):
            return None
        try:
            from aml_jupyter.azureml.finder import find_azureml
        except ImportError:  # aml-jupyter was removed without this file
            return None
        return find_azureml(name)


def install():
    """Add the hook: last, or first where ``AML_AZUREML=self`` says so; never inside a run, which has a finder of its own."""
    if os.environ.get("AML_RUN_ID") or AzuremlHook in sys.meta_path:
        return
    if os.environ.get("AML_AZUREML") == "self":
        sys.meta_path.insert(0, AzuremlHook)
    else:
        sys.meta_path.append(AzuremlHook)


install()
