"""Define how data comes to a run and leaves it: data references, inputs, caches, outputs."""

from __future__ import annotations

from typing import Any

from aml_jupyter.config.fields import (
    Section,
    boolean,
    choice,
    optional_boolean,
    optional_number,
    optional_plain,
    optional_section,
    text,
)
from aml_jupyter.config.reading import Place
from aml_jupyter.errors import ConfigurationError

REFERENCE_MODES = ("mount", "download", "upload")
MECHANISMS = ("direct", "mount", "download", "upload")


class DataReferenceConfiguration(Section):
    """Name a path on a datastore, and how the run gets at it."""

    data_store_name = text()
    path_on_data_store = text()
    mode = choice(REFERENCE_MODES, "mount")
    overwrite = boolean(False)
    path_on_compute = text()

    def __init__(
        self,
        datastore_name: str | None = None,
        mode: str = "mount",
        path_on_datastore: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__()
        self.data_store_name = datastore_name
        self.path_on_data_store = path_on_datastore
        self.mode = mode
        self.overwrite = overwrite
        self.path_on_compute = path_on_compute

    def _fill(self, mapping: Any, place: Place) -> None:
        super()._fill(mapping, place)
        if not self.data_store_name:
            raise ConfigurationError(
                f"{place}: expected a dataStoreName, found none. Name the datastore that the path lies on.",
                field=place.key,
            )


class DataPath(Section):
    """Name a path on a datastore."""

    datastore_name = text()
    relative_path = text()

    def __init__(self, datastore_name: str | None = None, relative_path: str | None = None) -> None:
        super().__init__()
        self.datastore_name = datastore_name
        self.relative_path = relative_path


class Dataset(Section):
    """Name a dataset by id, or by name and version."""

    id = text()
    name = text()
    version = text()


class Uri(Section):
    """Name a path by its address."""

    path = text()
    is_file = boolean(False)


class DataLocation(Section):
    """Say where data is: a dataset, a path on a datastore, or an address."""

    dataset = optional_section(Dataset)
    data_path = optional_section(DataPath)
    uri = optional_section(Uri)


class Data(Section):
    """Describe an input of a run."""

    data_location = optional_section(DataLocation)
    create_output_directories = optional_boolean()
    mechanism = choice(MECHANISMS, "direct")
    environment_variable_name = text()
    path_on_compute = text()
    overwrite = boolean(False)
    options = optional_plain()


class DatacacheConfiguration(Section):
    """Describe a cached input of a run."""

    datacache_id = text()
    datacache_store = text()
    dataset_id = text()
    mode = choice(MECHANISMS, "mount")
    replica = optional_number(minimum=0)
    failure_fallback = boolean(False)
    path_on_compute = text()


class OutputData(Section):
    """Describe an output of a run: where it goes, and how it is registered."""

    output_location = optional_section(DataLocation)
    mechanism = choice(MECHANISMS, "mount")
    additional_options = optional_plain()
