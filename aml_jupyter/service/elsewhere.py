"""Check at submit what a run on another machine asks for, before anything is copied, and say what it finds there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aml_jupyter.errors import ConfigurationError
from aml_jupyter.targets import engine_there
from aml_jupyter.workspace import TargetRecord, WorkspaceFolder

if TYPE_CHECKING:
    from aml_jupyter.service.submission import SubmitRequest

__all__ = ["facts_there", "is_elsewhere", "open_way_to_engine", "there_of"]


def is_elsewhere(target: TargetRecord) -> bool:
    """Tell whether runs of a target execute on another machine."""
    return target.type in ("remote", "remotedocker")


def facts_there(target: TargetRecord) -> dict[str, Any]:
    """Return what counts of a target's machine for an environment: its host, system, Python and that one's version, libc."""
    found = target.settings.get("found") or {}
    return {
        "host": str(found.get("host") or target.settings["address"]),
        "python": str(target.settings["python"]),
        "version": str(found.get("version") or ""),
        "system": str(found.get("system") or ""),
        "machine": str(found.get("machine") or ""),
        **{name: str(found[name]) for name in ("release", "libc", "cuda") if found.get(name)},
    }


def open_way_to_engine(folder: WorkspaceFolder, target: TargetRecord) -> str:
    """Have the Docker engine of a target's machine reached from here while this process lives; return its address.

    Raises
    ------
    ComputeTargetException
        When it has none.
    """
    from aml_jupyter.targets.far_engine import way_to_engine  # here: a submit needs no connection

    way_to_engine(folder, target).wait()
    return engine_there(target)


def there_of(
    target: TargetRecord,
    request: SubmitRequest,
    submitter: Mapping[str, Any],
    container: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """Return what ``run.json`` keeps of the other machine: its host, its Python and that one's version.

    None for this machine, and for a container, whose image brings all that.

    Raises
    ------
    ConfigurationError
        When the run asks for what the machine cannot give.
    """
    if not is_elsewhere(target) or container is not None:
        return None
    there = facts_there(target)
    cell = request.cell or {}
    here = ".".join(str(submitter.get("version") or "").split(".")[:2])
    names = request.config.run_config.environment.python
    is_own = names.user_managed_dependencies and names.interpreter_path not in (None, "", "python")
    if (
        (cell.get("inputs") or cell.get("outputs"))
        and not is_own
        and there["version"].split(".")[:2] != here.split(".")
    ):
        raise ConfigurationError(
            f"Values travel (-i, -o) between equal Pythons only: this one is {here}, and {there['python']} of {target.name} is "
            f"{there['version']}. Name another one there (aml compute update {target.name} --python PATH), or use files.",
            "inputs",
        )
    return there
