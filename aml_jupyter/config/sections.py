"""Define the sections of a run configuration that are neither environment nor data."""

from __future__ import annotations

from typing import Any

from aml_jupyter.config.fields import (
    Field,
    Section,
    boolean,
    choice,
    number,
    optional_choice,
    optional_decimal,
    optional_number,
    optional_plain,
    optional_section,
    plain_map,
    strings,
    text,
)
from aml_jupyter.config.reading import Place, read_number, read_strings

DEFAULT_SHARED_MEMORY = "2g"
VM_PRIORITIES = ("dedicated", "lowpriority")
PYTORCH_BACKENDS = ("nccl", "gloo")
ENDPOINT_TYPES = ("Jupyter", "JupyterLab", "SSH", "TensorBoard", "VSCode", "Grafana", "Custom")


class AmbientAuthenticationConfiguration(Section):
    """Hold how a run signs in by default; `secret` is the name of a secret, never its value."""

    method = text()
    app_id = text()
    secret = text()
    tenant = text()
    delete_secret_after_run = boolean(False)


class HistoryConfiguration(Section):
    """Say what of a run is kept in the run history."""

    output_collection = boolean(True)
    snapshot_project = boolean(True)
    directories_to_watch = strings(["logs"])
    ambient_authentication = optional_section(AmbientAuthenticationConfiguration, omit_none=True)


class SparkConfiguration(Section):
    """Hold the Spark settings of a run (``spark.*``)."""

    configuration = plain_map({"spark.app.name": "Azure ML Experiment", "spark.yarn.maxAppAttempts": 1})


class DockerConfiguration(Section):
    """Say whether a job runs in a container, and how that is started."""

    use_docker = boolean(False)
    shared_volumes = boolean(True)
    arguments = strings()
    shm_size = text(DEFAULT_SHARED_MEMORY)

    def __init__(
        self,
        use_docker: bool = False,
        shared_volumes: bool = True,
        arguments: list[str] | None = None,
        shm_size: str | None = DEFAULT_SHARED_MEMORY,
    ) -> None:
        super().__init__()
        self.use_docker = use_docker
        self.shared_volumes = shared_volumes
        self.arguments = arguments
        self.shm_size = shm_size


class HdiConfiguration(Section):
    """Hold the settings of an HDInsight cluster."""

    yarn_deploy_mode = choice(("cluster", "client"), "cluster")


class TensorflowConfiguration(Section):
    """Describe a TensorFlow job with parameter servers."""

    worker_count = number(1, minimum=1)
    parameter_server_count = number(1, minimum=0)

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 1) -> None:
        super().__init__()
        self.worker_count = worker_count
        self.parameter_server_count = parameter_server_count


class MpiConfiguration(Section):
    """Describe an MPI job."""

    process_count_per_node = number(1, minimum=1)
    node_count = number(1, minimum=1)

    def __init__(self, process_count_per_node: int = 1, node_count: int = 1) -> None:
        super().__init__()
        self.process_count_per_node = process_count_per_node
        self.node_count = node_count


class PyTorchConfiguration(Section):
    """Describe a distributed PyTorch job; `process_count` is the total over all nodes."""

    communication_backend = choice(PYTORCH_BACKENDS, "nccl")
    process_count = optional_number(minimum=1)
    node_count = number(1, minimum=1)

    def __init__(
        self, communication_backend: str = "Nccl", process_count: int | None = None, node_count: int = 1
    ) -> None:
        super().__init__()
        self.communication_backend = communication_backend
        self.process_count = process_count
        self.node_count = node_count


def _exit_codes() -> Field[list[int] | None]:
    def read(value: Any, place: Place) -> list[int] | None:
        return None if value is None else [read_number(code, place) for code in read_strings(value, place)]

    return Field(read, lambda: None, schema={"type": ["array", "null"], "items": {"type": ["integer", "string"]}})


class ParallelTaskConfiguration(Section):
    """Hold the settings of a job of many equal workers."""

    max_retries_per_worker = number(0, minimum=0)
    worker_count_per_node = number(1, minimum=1)
    terminal_exit_codes = _exit_codes()


class AmlComputeConfiguration(Section):
    """Describe the cluster that a run on the target ``amlcompute`` creates for itself."""

    vm_size = text()
    vm_priority = optional_choice(VM_PRIORITIES)
    retain_cluster = boolean(False)
    name = text()
    cluster_max_node_count = optional_number(minimum=0)


class KubernetesComputeConfiguration(Section):
    """Hold the settings of a Kubernetes cluster."""

    instance_type = text()


class BatchAiConfiguration(Section):
    """Say on how many nodes of a Batch AI cluster a run executes (2018); `node_count` of the run is the same."""

    node_count = optional_number(minimum=1)


class ContainerInstanceConfiguration(Section):
    """Describe the container that a run on the target ``containerinstance`` gets (SDK 0.1.x)."""

    region = text()
    cpu_cores = optional_decimal()
    memory_gb = optional_decimal()


class ApplicationEndpointConfiguration(Section):
    """Describe a service of a job that a person connects to, such as TensorBoard."""

    type = optional_choice(ENDPOINT_TYPES)
    port = optional_number(minimum=0)
    properties = optional_plain()

    def __init__(self, type: str | None = None, port: int | None = None, properties: Any = None) -> None:  # noqa: A002
        super().__init__()
        self.type = type
        self.port = port
        self.properties = properties
