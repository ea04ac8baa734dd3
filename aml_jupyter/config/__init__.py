"""Own what a person writes: script run configurations, run configurations, environments, and their YAML files.

Reads and writes no files but these, and runs nothing.
"""

from __future__ import annotations

from aml_jupyter.config.conda_dependencies import CondaDependencies
from aml_jupyter.config.data import (
    Data,
    DatacacheConfiguration,
    DataLocation,
    DataPath,
    DataReferenceConfiguration,
    Dataset,
    OutputData,
)
from aml_jupyter.config.environment import Environment, EnvironmentReference
from aml_jupyter.config.environment_sections import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    ContainerRegistry,
    DatabricksCluster,
    DatabricksSection,
    DockerBuildContext,
    DockerImagePlatform,
    DockerSection,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    PythonSection,
    RCranLibrary,
    RSection,
    SparkPackage,
    SparkSection,
)
from aml_jupyter.config.run_configuration import RunConfiguration
from aml_jupyter.config.script_run_config import ScriptRunConfig
from aml_jupyter.config.scripts import check_script, source_folder
from aml_jupyter.config.sections import (
    AmlComputeConfiguration,
    ApplicationEndpointConfiguration,
    ContainerInstanceConfiguration,
    DockerConfiguration,
    HdiConfiguration,
    HistoryConfiguration,
    KubernetesComputeConfiguration,
    MpiConfiguration,
    ParallelTaskConfiguration,
    PyTorchConfiguration,
    SparkConfiguration,
    TensorflowConfiguration,
)
from aml_jupyter.config.sizes import bytes_of
from aml_jupyter.config.unbuilt import refuse_unbuilt

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "AmlComputeConfiguration",
    "ApplicationEndpointConfiguration",
    "CondaDependencies",
    "ContainerInstanceConfiguration",
    "ContainerRegistry",
    "Data",
    "DataLocation",
    "DataPath",
    "DataReferenceConfiguration",
    "DatabricksCluster",
    "DatabricksSection",
    "DatacacheConfiguration",
    "Dataset",
    "DockerBuildContext",
    "DockerConfiguration",
    "DockerImagePlatform",
    "DockerSection",
    "EggLibrary",
    "Environment",
    "EnvironmentReference",
    "HdiConfiguration",
    "HistoryConfiguration",
    "JarLibrary",
    "KubernetesComputeConfiguration",
    "MavenLibrary",
    "MpiConfiguration",
    "OutputData",
    "ParallelTaskConfiguration",
    "PyPiLibrary",
    "PyTorchConfiguration",
    "PythonSection",
    "RCranLibrary",
    "RSection",
    "RunConfiguration",
    "ScriptRunConfig",
    "SparkConfiguration",
    "SparkPackage",
    "SparkSection",
    "TensorflowConfiguration",
    "bytes_of",
    "check_script",
    "refuse_unbuilt",
    "source_folder",
]
