"""What nothing can do yet is refused by field and value, with what to do instead; the template is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aml_jupyter.config import (
    DEFAULT_GPU_IMAGE,
    ApplicationEndpointConfiguration,
    CondaDependencies,
    Data,
    DatabricksSection,
    DatacacheConfiguration,
    DataReferenceConfiguration,
    Environment,
    MpiConfiguration,
    OutputData,
    PyPiLibrary,
    PyTorchConfiguration,
    RSection,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
    refuse_unbuilt,
)
from aml_jupyter.errors import ConfigurationError

Change = Callable[[RunConfiguration], Any]


def _set(path: str, value: Any) -> Change:
    def change(config: RunConfiguration) -> None:
        *parents, name = path.split(".")
        holder: Any = config
        for parent in parents:
            holder = getattr(holder, parent)
        setattr(holder, name, value)

    return change


def _libraries() -> DatabricksSection:
    section = DatabricksSection()
    library = PyPiLibrary()
    library.package = "numpy"
    section.pypi_libraries = [library]
    return section


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (_set("environment.databricks", _libraries()), "environment.databricks", "pypiLibraries"),
        (_set("environment.r", RSection()), "environment.r", "nothing"),
        (_set("node_count", 4), "node_count", "4"),
        (_set("communicator", "OpenMpi"), "communicator", "OpenMpi"),
        (_set("mpi", MpiConfiguration(2)), "mpi.process_count_per_node", "2"),
        (_set("mpi", MpiConfiguration(1, 2)), "mpi.node_count", "2"),
        (_set("pytorch", PyTorchConfiguration(process_count=8)), "pytorch.process_count", "8"),
        (_set("pytorch", PyTorchConfiguration(node_count=2)), "pytorch.node_count", "2"),
        (_set("tensorflow", TensorflowConfiguration(worker_count=3)), "tensorflow.worker_count", "3"),
        (_set("tensorflow", TensorflowConfiguration(1, 2)), "tensorflow.parameter_server_count", "2"),
        (_set("paralleltask.worker_count_per_node", 2), "paralleltask.worker_count_per_node", "2"),
        (_set("data_references", {"in": DataReferenceConfiguration("store")}), "data_references", "in"),
        (_set("data", {"d_1": Data()}), "data", "d_1"),
        (_set("output_data", {"o_1": OutputData()}), "output_data", "o_1"),
        (_set("datacaches", [DatacacheConfiguration()]), "datacaches", "None"),
        (_set("source_directory_data_store", "store"), "source_directory_data_store", "store"),
        (_set("auto_cluster_compute_specification", {"a": 1}), "auto_cluster_compute_specification", "a"),
        (_set("services", {"tb": ApplicationEndpointConfiguration("TensorBoard")}), "services", "tb"),
        (_set("batchai.node_count", 2), "batchai.node_count", "2"),
        (_set("credential_passthrough", True), "credential_passthrough", "True"),
    ],
)
def test_a_demand_is_refused_by_name(change: Change, field: str, said: str) -> None:
    config = RunConfiguration()
    refuse_unbuilt(config)
    change(config)
    with pytest.raises(ConfigurationError) as caught:
        refuse_unbuilt(config)
    message = str(caught.value)
    assert message.startswith(f"{field} = ")
    assert said in message
    assert " is not supported yet. " in message
    assert len(message.split(" is not supported yet. ")[1]) > 20
    assert caught.value.field == field
    assert "pw" not in message
    again = RunConfiguration.from_dict(config.to_dict())
    with pytest.raises(ConfigurationError, match="is not supported yet"):
        refuse_unbuilt(again)


def test_every_demand_is_named_at_once() -> None:
    config = RunConfiguration()
    config.node_count = 4
    config.credential_passthrough = True
    with pytest.raises(ConfigurationError, match=r"^node_count = 4 .* either: credential_passthrough = True\.$"):
        refuse_unbuilt(config)


def test_docker_is_no_demand_that_nothing_can_do() -> None:
    config = RunConfiguration()
    config.docker.use_docker = config.environment.docker.enabled = True
    config.environment.docker.base_image = DEFAULT_GPU_IMAGE
    refuse_unbuilt(config)


def test_the_template_in_any_form_means_the_submitters_python() -> None:
    refuse_unbuilt(ScriptRunConfig(".", "train.py").run_config)
    refuse_unbuilt(RunConfiguration.from_dict(RunConfiguration().to_dict()))
    refuse_unbuilt(RunConfiguration(conda_dependencies=CondaDependencies.create()))
    refuse_unbuilt(RunConfiguration.from_dict({"environment": {"name": "default-environment"}}))
    config = RunConfiguration(framework="tensorflow")
    config.environment = Environment("mine")
    refuse_unbuilt(config)


def test_packages_of_a_persons_own_python_are_her_own() -> None:
    config = RunConfiguration(conda_dependencies=CondaDependencies.create(conda_packages=["numpy"]))
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = "/usr/bin/python3"
    refuse_unbuilt(config)
