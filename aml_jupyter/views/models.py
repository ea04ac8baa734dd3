"""Own how registered models are shown: a list, and one of them with all that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aml_jupyter.views.formats import clock_text, iso_time, size_text
from aml_jupyter.views.html import element, table_html
from aml_jupyter.views.text import Column, printable, table_text
from aml_jupyter.views.view import TableView
from aml_jupyter.workspace import get_model, list_models, model_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aml_jupyter.workspace import ModelRecord, WorkspaceFolder

__all__ = ["ModelRow", "ModelView", "model_rows", "model_table", "model_view"]

COLUMNS = (
    Column("model", least=12),
    Column("version", right=True),
    Column("created"),
    Column("size", right=True),
    Column("run", least=8),
    Column("tags", least=8),
)
NOTHING = "no models; register one: aml model register -n NAME -p outputs/model.pkl --run RUN"


@dataclass(frozen=True)
class ModelRow:
    """One version of a model in a list."""

    model: ModelRecord

    def as_json(self) -> dict[str, Any]:
        """Return the model under SDK v1's names where it has them."""
        model = self.model
        return {
            "id": model.id,
            "name": model.name,
            "version": model.version,
            "created_time": iso_time(model.created),
            "modified_time": iso_time(model.modified),
            "run_id": model.run,
            "experiment_name": model.experiment,
            "description": model.description,
            "framework": model.framework,
            "framework_version": model.framework_version,
            "tags": model.tags,
            "properties": model.properties,
            "root": model.root,
            "files": model.files,
            "size": model.size,
        }

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column."""
        model = self.model
        return (
            model.name,
            str(model.version),
            clock_text(model.created),
            size_text(model.size),
            model.run or "",
            printable(_pairs(model.tags)),
        )


@dataclass(frozen=True)
class ModelView:
    """One version of a model, and where its files lie."""

    model: ModelRecord
    path: str

    def as_json(self) -> dict[str, Any]:
        """Return the fields of its row, and `path`."""
        return {**ModelRow(self.model).as_json(), "path": self.path}

    def _facts(self) -> list[tuple[str, str]]:
        model = self.model
        framework = f"{model.framework} {model.framework_version or ''}".strip()
        facts = [
            ("created", clock_text(model.created)),
            ("size", f"{size_text(model.size)} in {model.files} file{'s' * (model.files != 1)}"),
            ("run", model.run or ""),
            ("experiment", model.experiment or ""),
            ("framework", framework),
            ("description", model.description),
            ("tags", _pairs(model.tags)),
            ("properties", _pairs(model.properties)),
            ("path", self.path),
        ]
        return [(name, printable(value)) for name, value in facts if value]

    def as_text(self, width: int = 80) -> str:
        """Return the model's id and one line for each fact."""
        table = table_text((Column(""), Column("", least=20)), [list(fact) for fact in self._facts()], width)
        return f"{self.model.id}\n" + table.split("\n", 1)[1]

    def as_html(self) -> str:
        """Return the model's id and a table of its facts."""
        return element("div", element("b", self.model.id), table_html(("", ""), self._facts()))


def model_rows(folder: WorkspaceFolder, **filters: Any) -> TableView[ModelRow]:
    """Return the models of the workspace that pass the filters of `list_models`."""
    return model_table(list_models(folder.store.read(), **filters))


def model_table(models: Sequence[ModelRecord]) -> TableView[ModelRow]:
    """Return a view of the given models."""
    return TableView(tuple(map(ModelRow, models)), COLUMNS, NOTHING)


def model_view(folder: WorkspaceFolder, name: str, version: int | None = None) -> ModelView:
    """Return one version of a model, the newest without `version`.

    Raises
    ------
    ModelException
        When there is none.
    """
    record = get_model(folder.store.read(), name, version)
    return ModelView(record, str(model_folder(folder.layout, record.name, record.version) / record.root))


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" if value else key for key, value in sorted(values.items()))
