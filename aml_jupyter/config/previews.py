"""Read what the previews of 2018 (SDK 0.1.x) said in other words, and write it in those words again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aml_jupyter.config.reading import Place, read_choice

if TYPE_CHECKING:
    from aml_jupyter.config.run_configuration import RunConfiguration

FRAMEWORKS = ("Python", "PySpark", "CNTK", "TensorFlow", "PyTorch")
COMMUNICATORS = ("None", "ParameterServer", "OpenMpi", "IntelMpi", "Mpi", "Gloo", "Nccl")
_PREVIEW = {
    "TensorFlowParameterServer": ("TensorFlow", "ParameterServer"),
    "PythonMPI": ("Python", "OpenMpi"),
    "PythonIntelMpi": ("Python", "IntelMpi"),
}
PREVIEW_FRAMEWORKS = tuple(_PREVIEW)


class FileForm(Protocol):
    """Say a run configuration in the words of the file that it came from."""

    def as_file(self, config: RunConfiguration, written: dict[str, Any]) -> dict[str, Any]:
        """Return what the file says of `config`, given SDK v1's form of it."""
        ...


def read_framework(value: Any, place: Place) -> str:
    """Return the framework that is meant, whatever its case; one of the previews' stays as it is for a moment."""
    if value is None:
        return "Python"
    if isinstance(value, str) and value.strip().lower() in {name.lower() for name in _PREVIEW}:
        return read_choice(value, place, PREVIEW_FRAMEWORKS)
    return read_choice(value, place, FRAMEWORKS)


def settle_framework(config: RunConfiguration) -> str | None:
    """Split a preview's framework into framework and communicator; return it, or None where it was none."""
    found = config.__dict__["framework"]
    if found not in _PREVIEW:
        return None
    config.__dict__["framework"], config.__dict__["communicator"] = _PREVIEW[found]
    return str(found)


def read_preview(config: RunConfiguration, keys: Mapping[str, str]) -> FileForm | None:
    """Give what a file of the previews says its present meaning.

    Parameters
    ----------
    config : RunConfiguration
        Filled from the file.
    keys : dict
        The file's keys by their folded form.

    Returns
    -------
    FileForm or None
        How to write it again; None where nothing of the previews is in it.
    """
    framework = settle_framework(config)
    has_nodes = "batchai" in keys and "nodecount" not in keys
    if has_nodes and config.batchai.node_count is not None:
        config.node_count = config.batchai.node_count
    is_auto = "autoprepareenvironment" in keys and "prepareenvironment" not in keys
    if framework is None and not has_nodes and not is_auto:
        return None
    return _PreviewForm(framework, has_nodes, is_auto, "communicator" in keys)


class _PreviewForm:
    def __init__(self, framework: str | None, has_nodes: bool, is_auto: bool, has_communicator: bool) -> None:
        self.framework = framework
        self.has_nodes = has_nodes
        self.is_auto = is_auto
        self.has_communicator = has_communicator

    def as_file(self, config: RunConfiguration, written: dict[str, Any]) -> dict[str, Any]:
        said = dict(written)
        if self.framework and (config.framework, config.communicator) == _PREVIEW[self.framework]:
            said["framework"] = self.framework
            if not self.has_communicator:
                del said["communicator"]
        if self.has_nodes:
            said["batchai"] = {**said.get("batchai", {}), "nodeCount": said.pop("nodeCount")}
        if self.is_auto and "prepareEnvironment" in said:
            said["autoPrepareEnvironment"] = said.pop("prepareEnvironment")
        return said
