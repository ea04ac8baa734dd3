"""Files of the 2018 previews mean what they meant, and are saved in their own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aml_jupyter.config import AmlComputeConfiguration, RunConfiguration, TensorflowConfiguration
from aml_jupyter.errors import ConfigurationError

Project = Callable[..., Path]


def test_what_the_previews_said_is_read(project: Project) -> None:
    config = RunConfiguration.load(project("preview_0_1"), "preview_0_1")
    assert (config.framework, config.communicator) == ("Python", "OpenMpi")
    assert (config.node_count, config.batchai.node_count) == (2, 2)
    assert config.prepare_environment is config.auto_prepare_environment is True
    assert config.container_instance.memory_gb == 2
    assert config.notes == []


def test_a_change_keeps_the_previews_words(project: Project) -> None:
    root = project("preview_0_1")
    file = root / ".azureml" / "preview_0_1.runconfig"
    before = file.read_text()
    config = RunConfiguration.load(root, "preview_0_1")
    config.save()
    assert file.read_text() == before
    config.script = "other.py"
    config.node_count = 3
    config.auto_prepare_environment = False
    config.save()
    changed = before.replace("script: train.py", "script: other.py").replace("nodeCount: 2", "nodeCount: 3")
    assert file.read_text() == changed.replace("autoPrepareEnvironment: true", "autoPrepareEnvironment: false")
    config.framework = "TensorFlow"
    config.communicator = "ParameterServer"
    config.save()
    again = RunConfiguration.load(root, "preview_0_1")
    assert (again.framework, again.communicator, again.node_count) == ("TensorFlow", "ParameterServer", 3)


@pytest.mark.parametrize(
    ("framework", "meant"),
    [
        ("TensorFlowParameterServer", ("TensorFlow", "ParameterServer")),
        ("PYTHONMPI", ("Python", "OpenMpi")),
        ("pythonIntelMpi", ("Python", "IntelMpi")),
        ("PySpark", ("PySpark", "None")),
    ],
)
def test_a_framework_says_its_communicator(framework: str, meant: tuple[str, str]) -> None:
    config = RunConfiguration(framework=framework)
    assert config.framework == meant[0]
    read = RunConfiguration.from_dict({"framework": framework, "environment": {}})
    assert (read.framework, read.communicator) == meant
    assigned = RunConfiguration()
    assigned.framework = framework
    assert (assigned.framework, assigned.communicator) == meant


def test_the_two_names_of_preparing_are_one_thing() -> None:
    config = RunConfiguration.from_dict({"autoPrepareEnvironment": True, "prepare_environment": "yes"})
    assert config.prepare_environment is True
    assert config.to_dict()["prepareEnvironment"] is True
    with pytest.raises(ConfigurationError, match="the same key stands here twice"):
        RunConfiguration.from_dict({"autoPrepareEnvironment": True, "prepareEnvironment": False})


def test_names_of_a_list_match_whatever_their_case() -> None:
    compute = AmlComputeConfiguration()
    compute.vm_priority = "LowPriority"
    assert compute.vm_priority == "lowpriority"
    config = RunConfiguration.from_dict(
        {
            "framework": "TENSORFLOW",
            "communicator": "openmpi",
            "hdi": {"yarnDeployMode": "Client"},
            "pytorch": {"communicationBackend": "GLOO"},
            "applicationEndpoints": {"mine": {"type": "tensorboard"}},
            "dataReferences": {"my_in": {"dataStoreName": "s", "mode": "MOUNT"}},
            "amlCompute": {"vmPriority": "DEDICATED"},
        }
    )
    assert (config.framework, config.communicator, config.hdi.yarn_deploy_mode) == ("TensorFlow", "OpenMpi", "client")
    assert (config.pytorch.communication_backend, config.services["mine"].type) == ("gloo", "TensorBoard")
    assert (config.data_references["my_in"].mode, config.amlcompute.vm_priority) == ("mount", "dedicated")
    with pytest.raises(ConfigurationError, match="expected one of dedicated, lowpriority, found 'cheap'"):
        compute.vm_priority = "cheap"
    assert TensorflowConfiguration(worker_count=2).worker_count == 2
