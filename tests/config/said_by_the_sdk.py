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
from azureml.core import _metrics  # noqa: E402
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


def metrics(request):
    """Return what the SDK makes of metrics that were logged one after the other, read back from one run."""
    kinds = {
        "log": _metrics.ScalarMetric,
        "log_list": _metrics.ListMetric,
        "log_row": _metrics.RowMetric,
        "log_table": _metrics.TableMetric,
    }
    found, refused = {}, []
    for number, (method, name, value) in enumerate(request["logged"]):
        try:
            if method == "log":
                _metrics.ScalarMetric._check_is_valid_scalar(value)
            dto = kinds[method](name, value).create_v2_dto()
        except Exception:
            refused.append(number)
            continue
        if dto is None:
            continue
        if name in found:  # the service appends the values; a number among whole ones makes the column one of numbers
            found[name].value.extend(dto.value)
            types = {key: {found[name].columns[key], dto.columns[key]} for key in dto.columns}
            found[name].columns = {key: "double" if len(each) > 1 else each.pop() for key, each in types.items()}
        else:
            found[name] = dto
    shapes = {name: _metrics.InlineMetric.get_cells_from_metric_v2_dto(dto) for name, dto in found.items()}
    return {"refused": refused, "metrics": shapes}


def chart(request):
    """Return the file that the SDK keeps of a typed chart: its name and its text; None where it refuses it."""
    kept = []

    class Artifacts:
        def upload_artifact(self, stream, origin, container, name):
            kept.append([name, stream.read().decode()])

    value = request["value"]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    names = {"confusion_matrix": "ConfusionMatrix", "accuracy_table": "AccuracyTable"}
    kind = names.get(request["kind"], request["kind"].title())
    getattr(_metrics, f"{kind}Metric")(request["name"], value, None).log_to_artifact(Artifacts(), "o", "c")
    return kept[0]


ACTS = {"metrics": metrics, "chart": chart, "save": save, "load": load, "packages": packages, "kept": kept}
print(json.dumps([ACTS[request["act"]](request) for request in json.load(sys.stdin)]))
