"""Say which package is missing when an import has failed, in which Python, and how a run gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["MissingModule", "missing_module"]

_SAID: Final = re.compile(r"\b(?:ModuleNotFoundError|ImportError): No module named '?([A-Za-z_][\w.]*)'?(;.*)?\s*$")
_ERROR: Final = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b")

PACKAGES: Final = {
    "Crypto": "pycryptodome",
    "IPython": "ipython",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "github": "PyGithub",
    "google.protobuf": "protobuf",
    "jwt": "PyJWT",
    "magic": "python-magic",
    "mpl_toolkits": "matplotlib",
    "osgeo": "gdal",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pywintypes": "pywin32",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Import name -> the package that brings it, where that is called otherwise."""


class MissingModule(NamedTuple):
    """Describe an import that ended a run.

    Attributes
    ----------
    module : str
        What was imported.
    package : str
        What brings it, as far as that is known.
    interpreter : str
        The Python that looked for it; empty where a shell started it.
    advice : str
        What is missing where, and how to add it.
    """

    module: str
    package: str
    interpreter: str
    advice: str

    def as_dict(self) -> dict[str, str]:
        """Return it as a run's error has it."""
        return {"module": self.module, "package": self.package, "interpreter": self.interpreter}


def missing_module(
    text: str, command: list[Any], definition: Mapping[str, Any], is_built: bool
) -> MissingModule | None:
    """Return which import has ended a run, if one has.

    Parameters
    ----------
    text : str
        The end of its log, or the error that it has reported.
    command : list of str
        How its process was started.
    definition : dict
        Its definition.
    is_built : bool
        Whether its environment was built for it.
    """
    module = _named_last(text)
    if module is None:
        return None
    top = module.partition(".")[0]
    package = PACKAGES.get(module) or PACKAGES.get(top) or top.replace("_", "-")
    starts_python = definition.get("kind") in ("script", "cell", "notebook") and command
    interpreter = str(command[0]) if starts_python and not str(command[0]).endswith("/sh") else ""
    return MissingModule(module, package, interpreter, _advice(module, package, interpreter, definition, is_built))


def _named_last(text: str) -> str | None:
    """Return the module of the last error in a text, when that is a failed import."""
    for line in reversed(text.splitlines()):
        said = _SAID.search(line)
        if said:
            return None if said.group(2) else said.group(1)
        if _ERROR.match(line):
            return None  # another error came after it
    return None


def _advice(module: str, package: str, interpreter: str, definition: Mapping[str, Any], is_built: bool) -> str:
    where = interpreter or "the Python that the command started"
    if "." in module and module not in PACKAGES:
        return (
            f"{where} has {module.partition('.')[0]}, but no {module} in it: another version of {package} may have it, or a "
            "file of your own hides it."
        )
    is_unknown = package.replace("-", "_") == module
    own = f" If {module} is a module of your own, put it into the source directory." if is_unknown else ""
    built = f"--pip {package} (or --conda) on the line, or the conda dependencies of the run's environment"
    if is_built:
        return f"{package} is missing in the environment that was built for the run ({where}). Add it: {built}.{own}"
    environment = (definition.get("run_config") or {}).get("environment") or {}
    is_own = bool((environment.get("python") or {}).get("userManagedDependencies"))
    whose = "a Python of your own" if is_own else "the Python that the run was submitted from"
    if not interpreter:
        return f"{package} is missing in {where}. Add it: {built}.{own}"
    return (
        f"{package} is missing in {where}, {whose}. Install it there ({interpreter} -m pip install {package}), or have an "
        f"environment built that has it: {built}.{own}"
    )
