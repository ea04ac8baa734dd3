"""List what scripts and notebooks of SDK v1 commonly use, and make the tables of docs/migration.md from it.

``python -m aml_jupyter.cli.doctoring.surface docs/migration.md`` writes the tables anew; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aml_jupyter.cli.doctoring.coverage import imported, member

__all__ = ["SURFACE", "tables", "with_tables"]

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

SURFACE: Final[dict[str, dict[str, str]]] = {
    "azureml.core": {
        "Workspace": "from_config get create list write_config get_details name location resource_group subscription_id "
        "experiments compute_targets environments models get_run get_default_keyvault get_mlflow_tracking_uri "
        "get_default_datastore datastores datasets webservices delete",
        "Experiment": "submit start_logging get_runs list name workspace delete",
        "Run": "get_context get list wait_for_completion get_details get_status get_metrics get_file_names download_file "
        "download_files get_children child_run create_children submit_child log log_list log_row log_table log_image "
        "log_confusion_matrix log_accuracy_table log_residuals log_predictions tag set_tags get_tags add_properties "
        "get_properties upload_file upload_files upload_folder register_model cancel complete fail flush id parent "
        "experiment get_secret get_all_logs get_details_with_logs get_portal_url get_environment description list_by_compute "
        "get_snapshot_id take_snapshot input_datasets",
        "ScriptRunConfig": "run_config",
        "RunConfiguration": "load save delete target framework communicator node_count environment history "
        "max_run_duration_seconds environment_variables docker mpi tensorflow pytorch data_references data",
        "Environment": "get list register build build_local clone from_conda_specification from_pip_requirements "
        "from_docker_image from_dockerfile from_docker_build_context from_existing_conda_environment save_to_directory "
        "load_from_directory add_private_pip_wheel python docker environment_variables",
        "Model": "Framework register list get_model_path download update add_tags remove_tags add_properties delete",
        "Keyvault": "get_secret get_secrets set_secret",
        "Dataset": "get_by_name Tabular File",
        "Datastore": "get register_azure_blob_container",
    },
    "azureml.core.compute": {
        "ComputeTarget": "create attach delete detach list wait_for_completion provisioning_state provisioning_errors",
        "ComputeInstance": "create start stop restart delete provisioning_configuration wait_for_completion",
        "AmlCompute": "create provisioning_configuration",
        "RemoteCompute": "attach attach_configuration",
        "DsvmCompute": "create",
        "HDInsightCompute": "attach",
        "DatabricksCompute": "attach",
        "AdlaCompute": "attach",
        "BatchCompute": "attach_configuration",
        "KubernetesCompute": "attach_configuration",
    },
    "azureml.core.conda_dependencies": {
        "CondaDependencies": "create add_conda_package add_pip_package add_tensorflow_pip_package add_channel "
        "set_python_version save save_to_file serialize_to_string conda_packages pip_packages",
    },
    "azureml.core.runconfig": {"DockerConfiguration": "", "MpiConfiguration": "", "PyTorchConfiguration": ""},
    "azureml.core.compute_target": {"ComputeTargetException": ""},
    "azureml.exceptions": {"UserErrorException": "", "ActivityFailedException": ""},
    "azureml.train.hyperdrive": {
        "HyperDriveConfig": "run_config source_directory",
        "HyperDriveRun": "",
        "RandomParameterSampling": "",
        "GridParameterSampling": "",
        "BayesianParameterSampling": "",
        "BanditPolicy": "",
        "MedianStoppingPolicy": "",
        "TruncationSelectionPolicy": "",
        "NoTerminationPolicy": "",
        "PrimaryMetricGoal": "",
        "choice": "",
        "loguniform": "",
    },
    "azureml.train.estimator": {"Estimator": ""},
    "azureml.pipeline.core": {"Pipeline": ""},
    "azureml.pipeline.steps": {"PythonScriptStep": ""},
    "azureml.widgets": {"RunDetails": ""},
    "azureml.mlflow": {},
    "azureml.logging": {"get_azureml_logger": ""},
    "azureml.telemetry": {"set_diagnostics_collection": ""},
}
"""Module -> class or function -> its members."""


def tables() -> str:
    """Return the tables as Markdown."""
    lines = ["| import | works | not here yet |", "|---|---|---|"]
    for module, names in SURFACE.items():
        if not names:
            verdict = imported(module)
            lines.append(f"| `{module}` | {'yes' if verdict.status == 'works' else ''} | |")
        for name, members in names.items():
            works, missing = _members(module, name, members.split())
            shown = f"`{module}.{name}`"
            lines.append(f"| {shown} | {_joined(works)} | {_joined(missing)} |")
    return "\n".join(lines)


def _members(module: str, name: str, members: list[str]) -> tuple[list[str], list[str]]:
    verdict = imported(module, name)
    if verdict.status != "works":
        return [], ["all of it"]
    if not members:
        return ["yes"], []
    owners = list(_owners(name, verdict.value))
    works = [each for each in members if any(member(owner, each).status == "works" for owner in owners)]
    return works, [each for each in members if each not in works]


def _owners(name: str, found: Any) -> Iterator[Any]:
    """Yield the classes that answer for a name: a run inside its script is another class than outside."""
    yield found
    if name == "Run":
        from aml_jupyter.supervisor.client.own import SubmittedRun

        yield SubmittedRun


def _joined(names: list[str]) -> str:
    if names in (["yes"], ["all of it"]):
        return names[0]
    return ", ".join(f"`{name}`" for name in names)


def with_tables(page: str) -> str:
    """Return a page with its tables made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_tables(file.read_text("utf-8")), "utf-8")
