"""The lines that the published documents show for run configurations work as they stand."""

from __future__ import annotations

import aml_jupyter.config as runconfig
from aml_jupyter.config import CondaDependencies, Environment, RunConfiguration, ScriptRunConfig


def test_a_user_managed_environment() -> None:
    run_config_user_managed = RunConfiguration()
    run_config_user_managed.environment.python.user_managed_dependencies = True
    run_config_user_managed.environment.python.interpreter_path = "/home/ninghai/miniconda3/envs/sdk2/bin/python"
    runconfig.refuse_unbuilt(run_config_user_managed)


def test_a_system_managed_environment() -> None:
    run_config_system_managed = RunConfiguration()
    run_config_system_managed.environment.python.user_managed_dependencies = False
    run_config_system_managed.auto_prepare_environment = True
    run_config_system_managed.environment.python.conda_dependencies = CondaDependencies.create(
        conda_packages=["scikit-learn"]
    )
    src = ScriptRunConfig(source_directory=".", script="train.py", run_config=run_config_system_managed)
    assert src.run_config.environment.python.conda_dependencies is not None
    assert "scikit-learn" in src.run_config.environment.python.conda_dependencies.conda_packages


def test_docker_on_a_remote_machine() -> None:
    run_config = RunConfiguration(framework="python")
    run_config.target = "mydsvm"
    run_config.environment.docker.enabled = True
    run_config.environment.docker.base_image = runconfig.DEFAULT_CPU_IMAGE
    run_config.environment.python.user_managed_dependencies = False
    run_config.prepare_environment = True
    run_config.environment.python.conda_dependencies = CondaDependencies.create(conda_packages=["scikit-learn"])
    assert RunConfiguration.from_dict(run_config.to_dict()) == run_config


def test_a_container_instance() -> None:
    run_config = RunConfiguration()
    run_config.target = "containerinstance"
    run_config.container_instance.region = "eastus"
    run_config.container_instance.cpu_cores = 1
    run_config.container_instance.memory_gb = 2
    run_config.auto_prepare_environment = True
    assert RunConfiguration.from_dict(run_config.to_dict()) == run_config


def test_a_compute_instance_and_its_environment() -> None:
    my_environment = Environment("user-managed-env")
    my_environment.python.user_managed_dependencies = True
    src = ScriptRunConfig(source_directory="", script="train.py")
    src.run_config.target = "instance"
    src.run_config.environment = my_environment
    src.run_config.node_count = 4
    src.run_config.framework = "pyspark"
    src.run_config.framework = "python"
    assert src.run_config.framework == "Python"
