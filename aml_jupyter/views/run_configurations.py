"""Own how the run configurations of a project's folder are listed: those that cannot be read are listed, too, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aml_jupyter.config import RunConfiguration
from aml_jupyter.config.environment import DEFAULT_NAME
from aml_jupyter.config.run_config_files import config_folder, names_in
from aml_jupyter.errors import AmlError
from aml_jupyter.views.text import Column
from aml_jupyter.views.view import TableView

__all__ = ["RunConfigurationRow", "run_configuration_rows"]

COLUMNS: Final = tuple(Column(key, least=8) for key in ("name", "target", "framework", "script", "remark"))


@dataclass(frozen=True)
class RunConfigurationRow:
    """One run configuration in a list."""

    name: str
    read: RunConfiguration | None
    problem: str = ""

    @property
    def remark(self) -> str:
        """Return why it cannot be read, or what was noticed in it."""
        return self.problem or ("; ".join(self.read.notes) if self.read else "")

    def as_json(self) -> dict[str, Any]:
        """Return its name, what it runs where and in what, and a remark."""
        read = self.read
        return {
            "name": self.name,
            "target": read.target if read else None,
            "framework": read.framework if read else None,
            "script": read.script if read else None,
            "environment": _named(read.environment.name) if read else None,
            "remark": self.remark or None,
            "readable": read is not None,
        }

    def cells(self) -> list[str]:
        """Return the columns of the list."""
        said = self.as_json()
        return [str(said[column.heading] or "") for column in COLUMNS]


def run_configuration_rows(project: Path) -> TableView[RunConfigurationRow]:
    """Return the run configurations of the folder `project`, by name."""
    folder = config_folder(project)
    rows = tuple(_row(project, name) for name in names_in(folder))
    return TableView(rows, COLUMNS, f"no run configurations in {folder}; write some: aml folder attach")


def _named(environment: str | None) -> str | None:
    return environment if environment != DEFAULT_NAME else None


def _row(project: Path, name: str) -> RunConfigurationRow:
    try:
        return RunConfigurationRow(name, RunConfiguration.load(str(project), name))
    except (AmlError, OSError) as error:
        return RunConfigurationRow(name, None, str(error))
