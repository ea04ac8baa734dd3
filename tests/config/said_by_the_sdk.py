"""Answer, with the real azureml-core, what the differential tests ask: JSON on standard input, JSON on standard output.

Runs in an environment of its own; knows nothing of aml-jupyter.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

from azureml._project.ignore_file import get_project_ignore_file  # noqa: E402
from azureml.core._serialization_utils import _serialize_to_dict  # noqa: E402
from azureml.core.conda_dependencies import CondaDependencies  # noqa: E402
from azureml.core.runconfig import DataReferenceConfiguration, RunConfiguration  # noqa: E402


def values(config):
    """Return what a configuration says, its packages included."""
    said = _serialize_to_dict(config)
    packages = config.environment.python.conda_dependencies
    said["environment"]["python"]["condaDependencies"] = packages and json.loads(
        json.dumps(packages._conda_dependencies)
    )
    return said


def made(settings):
    """Return a new configuration with attributes set as ``{"a.b": value}``."""
    config = RunConfiguration()
    for path, value in settings.items():
        *parents, name = path.split(".")
        holder = config
        for parent in parents:
            holder = getattr(holder, parent)
        if name == "conda_dependencies":
            value = CondaDependencies.create(**value)
        elif name == "data_references":
            value = {key: DataReferenceConfiguration(**entry) for key, entry in value.items()}
        setattr(holder, name, value)
    return config


def save(request):
    made(request["settings"]).save(request["folder"], request["name"])
    return load(request)


def load(request):
    return values(RunConfiguration.load(request["folder"], request["name"]))


def packages(request):
    dependencies = CondaDependencies.create(**request["create"])
    for option in ("--find-links", "--extra-index-url"):  # they say where this SDK itself was installed from
        dependencies.remove_pip_option(option)
    said = []
    for method, value in request["acts"]:
        try:
            getattr(dependencies, method)(value)
            said.append("done")
        except Exception:
            said.append("refused")
    return {
        "acts": said,
        "content": json.loads(json.dumps(dependencies._conda_dependencies)),
        "conda": list(dependencies.conda_packages),
        "pip": list(dependencies.pip_packages),
        "options": list(dependencies.pip_options),
        "channels": list(dependencies.conda_channels),
    }


def kept(request):
    """Return the files that would go into a snapshot, by the walk of the SDK."""
    excluded = get_project_ignore_file(request["folder"]).is_file_excluded
    found = []

    def walk(folder):
        for name in sorted(os.listdir(folder)):
            path = os.path.normpath(os.path.join(folder, name))
            if not excluded(path):
                walk(path) if os.path.isdir(path) else found.append(os.path.relpath(path, request["folder"]))

    walk(request["folder"])
    return found


ACTS = {"save": save, "load": load, "packages": packages, "kept": kept}
print(json.dumps([ACTS[request["act"]](request) for request in json.load(sys.stdin)]))
