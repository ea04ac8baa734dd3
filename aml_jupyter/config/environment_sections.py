"""Define the sections of an environment: Python, Docker, Spark, Databricks, R."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aml_jupyter.config.conda_dependencies import CondaDependencies
from aml_jupyter.config.fields import (
    Field,
    Section,
    boolean,
    optional_boolean,
    optional_number,
    optional_section,
    plain_map,
    section,
    section_list,
    strings,
    text,
)
from aml_jupyter.config.keys import folded
from aml_jupyter.config.reading import Place
from aml_jupyter.config.sections import DEFAULT_SHARED_MEMORY
from aml_jupyter.config.shapes import PLAIN_MAP
from aml_jupyter.errors import ConfigurationError

DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20251130.v1"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04:20251130.v1"
NO_GPU_WITHOUT_ASKING = "it has no effect: a run sees the GPUs that it asks for (--gpus 1, or submit(config, gpus=1))"


def find_reference(reference: str, place: Place, what: str) -> Path:
    """Return the file that a path inside a configuration file means.

    Raises
    ------
    ConfigurationError
        When none of the folders that it may be relative to has it.
    """
    folders = place.folders or (os.getcwd(),)
    tried = [Path(folder) / os.path.expanduser(reference.replace("\\", "/")) for folder in folders]
    for path in tried:
        if os.path.isfile(path):
            return path
    looked = " nor ".join(dict.fromkeys(map(str, tried)))
    raise ConfigurationError(f"{place}: expected the path of {what}, found no file {looked}.", field=place.key)


def _read_dependencies(value: Any, place: Place) -> CondaDependencies | None:
    if value is None or isinstance(value, CondaDependencies):
        return value
    return CondaDependencies.from_dict(value, place)


class PythonSection(Section):
    """Say which Python runs the script: a person's own (`user_managed_dependencies`), or one built from packages."""

    user_managed_dependencies = boolean(False)
    interpreter_path = text("python")
    _conda_dependencies_file = text(key="condaDependenciesFile")
    base_conda_environment = text()
    conda_dependencies = Field(
        _read_dependencies,
        CondaDependencies,
        lambda: None,
        write=lambda value: value.as_dict() if value else None,
        schema=PLAIN_MAP,
    )
    _is_inline = False

    @property
    def conda_dependencies_file(self) -> str | None:
        """Return the conda environment file that the packages come from; setting it reads the file."""
        return self._conda_dependencies_file

    @conda_dependencies_file.setter
    def conda_dependencies_file(self, value: Any) -> None:
        path = None if value is None else os.fspath(value)
        if path is not None:
            place = Place(keys=("PythonSection.conda_dependencies_file",))
            self.conda_dependencies = CondaDependencies(find_reference(path, place, "a conda environment file"))
        self._conda_dependencies_file = path

    def _fill(self, mapping: Mapping[Any, Any], place: Place) -> None:
        super()._fill(mapping, place)
        keys = {folded(str(key)): str(key) for key in mapping}
        self._is_inline = place.source is not None and self.conda_dependencies is not None
        given = "condadependencies" in keys and place.source is None
        if self._conda_dependencies_file and not self._is_inline and not given:
            there = place.child(keys["condadependenciesfile"], mapping)
            path = find_reference(self._conda_dependencies_file, there, "a conda environment file")
            self.conda_dependencies = CondaDependencies(path)


class RegistryIdentity(Section):
    """Name the managed identity that signs in at a registry."""

    resource_id = text()
    client_id = text()


class ContainerRegistry(Section):
    """Name a registry of images; the password is never written to a file nor into the run history."""

    address = text()
    username = text()
    password = text(secret=True)
    registry_identity = optional_section(RegistryIdentity)


class DockerImagePlatform(Section):
    """Name the platform of an image."""

    os = text("Linux")
    architecture = text("amd64")


class DockerBuildContext(Section):
    """Name a folder that an image is built from: a git address, or a path in storage."""

    location_type = text()
    location = text()
    dockerfile_path = text("Dockerfile")

    def __init__(
        self, location_type: str | None = None, location: str | None = None, dockerfile_path: str | None = "Dockerfile"
    ) -> None:
        super().__init__()
        self.location_type = location_type
        self.location = location
        self.dockerfile_path = dockerfile_path


class DockerSection(Section):
    """Name the image of an environment; image, Dockerfile and build context exclude one another."""

    enabled = boolean(False)
    _base_image = text(DEFAULT_CPU_IMAGE, key="baseImage", absent=lambda: None)
    _base_dockerfile = text(key="baseDockerfile")
    _build_context = Field(
        lambda value, place: None if value is None else DockerBuildContext._read(value, place),
        lambda: None,
        key="buildContext",
        schema=DockerBuildContext,
    )
    shared_volumes = boolean(True)
    shm_size = text(DEFAULT_SHARED_MEMORY, absent=lambda: None)
    arguments = strings()
    base_image_registry = section(ContainerRegistry)
    platform = section(DockerImagePlatform)

    _explained = MappingProxyType({"gpusupport": NO_GPU_WITHOUT_ASKING})

    @property
    def base_image(self) -> str | None:
        """Return the image; setting it drops Dockerfile and build context."""
        return self._base_image

    @base_image.setter
    def base_image(self, value: str | None) -> None:
        self._base_image = value
        if value is not None:
            self._base_dockerfile = None
            self._build_context = None

    @property
    def base_dockerfile(self) -> str | None:
        """Return the Dockerfile, as its text or its path; setting it drops image and build context."""
        return self._base_dockerfile

    @base_dockerfile.setter
    def base_dockerfile(self, value: str | None) -> None:
        self._base_dockerfile = value
        if value is not None:
            self._base_image = None
            self._build_context = None

    @property
    def build_context(self) -> DockerBuildContext | None:
        """Return the build context; setting it drops image and Dockerfile."""
        return self._build_context

    @build_context.setter
    def build_context(self, value: DockerBuildContext | None) -> None:
        self._build_context = value
        if value is not None:
            self._base_image = None
            self._base_dockerfile = None

    @property
    def gpu_support(self) -> bool:
        """Return True: a run gets the GPUs that it asks for at submit (SDK v1 ignores the setting, too)."""
        return True

    @gpu_support.setter
    def gpu_support(self, _: bool) -> None:
        pass


class SparkPackage(Section):
    """Name a Maven package."""

    group = text()
    artifact = text()
    version = text()

    def __init__(self, group: str | None = None, artifact: str | None = None, version: str | None = None) -> None:
        super().__init__()
        self.group = group
        self.artifact = artifact
        self.version = version


class SparkSection(Section):
    """Name the Maven packages of a Spark run."""

    repositories = strings()
    packages = section_list(SparkPackage)
    precache_packages = boolean(True)


class MavenLibrary(Section):
    """Name a Maven library of a Databricks cluster."""

    coordinates = text()
    repo = text()
    exclusions = strings()


class PyPiLibrary(Section):
    """Name a pip package of a Databricks cluster."""

    package = text()
    repo = text()


class RCranLibrary(Section):
    """Name an R package of a Databricks cluster."""

    package = text()
    repo = text()


class JarLibrary(Section):
    """Name a jar of a Databricks cluster."""

    library = text()


class EggLibrary(Section):
    """Name an egg of a Databricks cluster."""

    library = text()


class DatabricksCluster(Section):
    """Describe a Databricks cluster."""

    existing_cluster_id = text()
    spark_version = text()
    node_type = text()
    instance_pool_id = text()
    num_workers = optional_number(minimum=0)
    min_workers = optional_number(minimum=0)
    max_workers = optional_number(minimum=0)
    spark_env_variables = plain_map()
    spark_conf = plain_map()
    init_scripts = strings()
    cluster_log_dbfs_path = text()
    permit_cluster_restart = optional_boolean()


class DatabricksSection(Section):
    """Name the libraries, and the cluster, of a Databricks run."""

    maven_libraries = section_list(MavenLibrary)
    pypi_libraries = section_list(PyPiLibrary)
    rcran_libraries = section_list(RCranLibrary)
    jar_libraries = section_list(JarLibrary)
    egg_libraries = section_list(EggLibrary)
    cluster = optional_section(DatabricksCluster, omit_none=True)


class RCranPackage(Section):
    """Name a package of CRAN."""

    name = text()
    version = text()
    repository = text()


class RGitHubPackage(Section):
    """Name an R package on GitHub; the token is never written."""

    repository = text()
    auth_token = text(secret=True)


class RSection(Section):
    """Say which R runs the script, with which packages."""

    r_version = text()
    user_managed = boolean(False)
    rscript_path = text()
    snapshot_date = text()
    cran_packages = section_list(RCranPackage)
    github_packages = section_list(RGitHubPackage)
    custom_url_packages = strings()
    bioconductor_packages = strings()
